/** One good set of claims for each TEE, and an identity that wants exactly those. Deviations are the tests'. */
import { toBase64 } from "../../../base/base64.ts";
import { toHex, utf8 } from "../../../base/bytes.ts";
import { type Digest, digestOf, type UnixMs } from "../../../base/ids.ts";
import type { SgxClaims, SnpClaims, TdxClaims } from "../../verification/claims.ts";
import type { SgxIdentity, SnpIdentity, TdxIdentity } from "../identity.ts";

/** When everything here is appraised. */
export const NOW_MS = Date.UTC(2026, 2, 1) as UnixMs;
/** A day. */
export const DAY_MS = 24 * 60 * 60 * 1000;

/** What stands in for a root certificate: here only its digest matters. */
export const ANCHOR_DER = utf8("a root certificate");
const ANCHOR = toBase64(ANCHOR_DER);

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const hex = (length: number, value: number): string => toHex(filled(length, value));

const common = {
  anchor: digestOf(ANCHOR_DER) as Digest,
  reportData: filled(64, 0x7d),
  isDebug: false,
  expiresAtMs: (NOW_MS + DAY_MS) as UnixMs,
};
const dcap = {
  quoteVersion: 4,
  platform: {
    fmspc: filled(6, 1),
    pceId: filled(2, 0),
    ppid: filled(16, 0x11),
    pckCa: "platform" as const,
    platformInstanceId: filled(16, 0x22),
  },
  tcb: {
    status: "UpToDate" as const,
    platformStatus: "UpToDate" as const,
    qeStatus: "UpToDate" as const,
    tcbDateMs: Date.UTC(2025, 0, 1) as UnixMs,
    advisories: [],
    tcbEvaluationDataNumber: 19,
    qeEvaluationDataNumber: 19,
    tcbInfoVersion: 3,
  },
};
const snpTcb = (fmc: number) => ({ fmc, bootloader: 4, tee: 1, snp: 24, microcode: 217 });

/** Claims that `sgxIdentity` accepts without a warning. */
export const goodSgx: SgxClaims = {
  ...common,
  ...dcap,
  tee: "sgx",
  measurements: {
    mrEnclave: filled(32, 0xe1),
    mrSigner: filled(32, 0x51),
    isvProdId: 7,
    isvSvn: 3,
    attributes: Uint8Array.from([5, 0, 0, 0, 0, 0, 0, 0, 0xe7, 0, 0, 0, 0, 0, 0, 0]),
    miscSelect: 0,
    configId: filled(64, 0),
    configSvn: 2,
    isvExtProdId: filled(16, 0),
    isvFamilyId: filled(16, 0),
  },
};

/** Claims that `tdxIdentity` accepts without a warning. */
export const goodTdx: TdxClaims = {
  ...common,
  ...dcap,
  tee: "tdx",
  measurements: {
    mrTd: filled(48, 0x7d),
    mrConfigId: filled(48, 0xc0),
    mrOwner: filled(48, 0),
    mrOwnerConfig: filled(48, 0),
    rtmrs: [0, 1, 2, 3].map((index) => filled(48, 0xa0 + index)),
    mrServiceTd: filled(48, 0),
    mrSeam: filled(48, 0x5e),
    mrSignerSeam: filled(48, 0),
    seamAttributes: filled(8, 0),
    tdAttributes: Uint8Array.from([0, 0, 0, 0x10, 0, 0, 0, 0]),
    xfam: Uint8Array.from([0xe7, 0x02, 0x06, 0, 0, 0, 0, 0]),
    teeTcbSvn: filled(16, 3),
  },
};

/** Claims that `snpIdentity` accepts without a warning. */
export const goodSnp: SnpClaims = {
  ...common,
  tee: "sev-snp",
  reportVersion: 3,
  measurements: {
    measurement: filled(48, 0x3a),
    hostData: filled(32, 0x4d),
    idKeyDigest: filled(48, 0),
    authorKeyDigest: filled(48, 0),
    familyId: filled(16, 0),
    imageId: filled(16, 0),
    guestSvn: 5,
    policy: 0x30000n,
    vmpl: 0,
    reportId: filled(32, 9),
  },
  platform: {
    product: "Turin",
    signingKey: "vcek",
    chipId: filled(64, 0xc1),
    currentTcb: snpTcb(1),
    reportedTcb: snpTcb(1),
    committedTcb: snpTcb(1),
    launchTcb: snpTcb(1),
    platformInfo: 0x25n,
    revocationChecked: true,
  },
};

const tcbPolicy = {
  accepted: [
    { status: "UpToDate" as const, advisories: [] },
    { status: "SWHardeningNeeded" as const, advisories: ["INTEL-SA-00615"] },
  ],
  refusedAdvisories: ["INTEL-SA-00999"],
  graceDays: 14,
  minEvaluationNumber: 19,
};

/** Accepts `goodSgx`. */
export const sgxIdentity: SgxIdentity = {
  kind: "sgx",
  name: "combiner-1",
  anchor: ANCHOR,
  measurement: { kind: "mrenclave", mrEnclave: hex(32, 0xe1) },
  attributes: {
    value: "05000000000000000000000000000000",
    mask: "ffffffffffffffff0000000000000000",
  },
  miscSelect: { value: "00000000", mask: "ffffffff" },
  configId: hex(64, 0),
  minConfigSvn: 2,
  isvExtProdId: hex(16, 0),
  isvFamilyId: hex(16, 0),
  tcb: tcbPolicy,
  platforms: [{ kind: "ppid", id: hex(16, 0x11) }],
};

/** Accepts `goodTdx`. */
export const tdxIdentity: TdxIdentity = {
  kind: "tdx",
  name: "combiner-td",
  anchor: ANCHOR,
  measurement: {
    mrTd: hex(48, 0x7d),
    rtmr0: hex(48, 0xa0),
    rtmr1: hex(48, 0xa1),
    rtmr2: hex(48, 0xa2),
    rtmr3: { any: true, because: "it measures what the log of the guest says" },
    mrConfigId: hex(48, 0xc0),
    mrOwner: hex(48, 0),
    mrOwnerConfig: hex(48, 0),
  },
  mrSeam: { any: true, because: "Intel's documents grade the module" },
  mrSignerSeam: hex(48, 0),
  mrServiceTd: hex(48, 0),
  tdAttributes: { value: "0000001000000000", mask: "ff00001000000000" },
  xfam: { value: "e702060000000000", mask: "ffffffffffffffff" },
  tcb: tcbPolicy,
  platforms: [{ kind: "platform-instance", id: hex(16, 0x22) }],
};

/** Accepts `goodSnp`. */
export const snpIdentity: SnpIdentity = {
  kind: "sev-snp",
  name: "combiner-snp",
  anchor: ANCHOR,
  measurement: {
    launch: hex(48, 0x3a),
    hostData: hex(32, 0x4d),
    idKeyDigest: hex(48, 0),
    authorKeyDigest: hex(48, 0),
    familyId: hex(16, 0),
    imageId: hex(16, 0),
    minGuestSvn: 5,
  },
  guestPolicy: { value: "0000000000030000", mask: "00000000000f0000" },
  platformInfo: { value: "0000000000000001", mask: "0000000000000003" },
  vmpls: [0],
  signingKeys: ["vcek"],
  revocation: "checked",
  tcb: { reported: snpTcb(1), committed: snpTcb(1), launch: snpTcb(1) },
  platforms: [{ kind: "chip", id: hex(64, 0xc1) }],
};
