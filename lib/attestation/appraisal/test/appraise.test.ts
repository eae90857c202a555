import { expect, test } from "vitest";
import type { UnixMs } from "../../../base/ids.ts";
import type {
  SgxClaims,
  SnpClaims,
  SnpPlatform,
  TdxClaims,
  VerifiedClaims,
} from "../../verification/claims.ts";
import type { Anything } from "../anything.ts";
import { appraise } from "../appraise.ts";
import { anchorsOf, type EnclaveIdentity } from "../identity.ts";
import {
  ANCHOR_DER,
  DAY_MS,
  goodSgx,
  goodSnp,
  goodTdx,
  NOW_MS,
  sgxIdentity,
  snpIdentity,
  tdxIdentity,
} from "../testing/claims-and-identities.ts";

const any: Anything = { any: true, because: "of this test" };
const context = { nowMs: NOW_MS, reportData: goodSgx.reportData };
const others = (length: number) => new Uint8Array(length).fill(0xff);

const sgx = (change: Partial<SgxClaims["measurements"]>): SgxClaims => ({
  ...goodSgx,
  measurements: { ...goodSgx.measurements, ...change },
});
const tdx = (change: Partial<TdxClaims["measurements"]>): TdxClaims => ({
  ...goodTdx,
  measurements: { ...goodTdx.measurements, ...change },
});
const snp = (change: Partial<SnpClaims["measurements"]>): SnpClaims => ({
  ...goodSnp,
  measurements: { ...goodSnp.measurements, ...change },
});
const chip = (change: Partial<SnpPlatform>): SnpClaims => ({
  ...goodSnp,
  platform: { ...goodSnp.platform, ...change },
});
const withByte = (bytes: Uint8Array, index: number, xor: number): Uint8Array =>
  bytes.map((byte, at) => (at === index ? byte ^ xor : byte));
const { attributes } = goodSgx.measurements;
const { tdAttributes, xfam, rtmrs } = goodTdx.measurements;
const signer: EnclaveIdentity = {
  ...sgxIdentity,
  measurement: { kind: "mrsigner", mrSigner: "51".repeat(32), isvProdId: 7, minIsvSvn: 3 },
};
const older = { ...goodSnp.platform.committedTcb, snp: 21 };

test.each<[string, VerifiedClaims, EnclaveIdentity]>([
  ["an SGX enclave by its measurement", goodSgx, sgxIdentity],
  ["an SGX enclave by its signer", goodSgx, signer],
  ["a later version by the same signer", sgx({ isvSvn: 9 }), signer],
  [
    "an SGX enclave with other XFRM than the mask looks at",
    sgx({ attributes: withByte(attributes, 8, 4) }),
    sgxIdentity,
  ],
  ["a TD", goodTdx, tdxIdentity],
  [
    "a TD whose RTMR3 nobody wanted",
    tdx({ rtmrs: [...rtmrs.slice(0, 3), others(48)] }),
    tdxIdentity,
  ],
  ["an SNP guest", goodSnp, snpIdentity],
  [
    "an SNP guest with a policy bit that the mask passes over",
    snp({ policy: 0x30001n }),
    snpIdentity,
  ],
  [
    "an SNP guest on firmware newer than wanted",
    chip({ launchTcb: { ...older, snp: 99 } }),
    snpIdentity,
  ],
])("%s is accepted, without a warning", (_what, claims, identity) => {
  const accepted = { kind: "accepted", identity: identity.name, warnings: [] };
  expect(appraise(claims, [identity], context)).toEqual(accepted);
});

test("a TD of before TDX 1.5, which knows no service TD, is accepted where none may be bound", () => {
  const { mrServiceTd: _, ...measurements } = goodTdx.measurements;
  expect(appraise({ ...goodTdx, measurements }, [tdxIdentity], context).kind).toBe("accepted");
});

test.each<[string, VerifiedClaims, EnclaveIdentity, string]>([
  ["a TD for an enclave", goodTdx, sgxIdentity, "wrong-tee"],
  ["an enclave for a guest", goodSgx, snpIdentity, "wrong-tee"],
  ["another root", { ...goodSgx, anchor: "ab".repeat(32) as never }, sgxIdentity, "wrong-anchor"],
  [
    "other report data",
    { ...goodSgx, reportData: others(64) },
    sgxIdentity,
    "report-data-mismatch",
  ],
  [
    "report data cut short",
    { ...goodSgx, reportData: goodSgx.reportData.subarray(0, 32) },
    sgxIdentity,
    "report-data-mismatch",
  ],
  [
    "claims past their end",
    { ...goodSgx, expiresAtMs: (NOW_MS - 1) as UnixMs },
    sgxIdentity,
    "claims-expired",
  ],

  ["another enclave", sgx({ mrEnclave: others(32) }), sgxIdentity, "mrenclave-mismatch"],
  ["another signer", sgx({ mrSigner: others(32) }), signer, "mrsigner-mismatch"],
  ["another product of the signer", sgx({ isvProdId: 8 }), signer, "isvprodid-mismatch"],
  ["an older version of the product", sgx({ isvSvn: 2 }), signer, "isvsvn-too-low"],
  [
    "a debug enclave",
    sgx({ attributes: withByte(attributes, 0, 2) }),
    sgxIdentity,
    "debug-enclave",
  ],
  [
    "an enclave with provisioning keys",
    sgx({ attributes: withByte(attributes, 0, 0x10) }),
    sgxIdentity,
    "provision-key",
  ],
  [
    "an enclave with launch keys",
    sgx({ attributes: withByte(attributes, 0, 0x20) }),
    sgxIdentity,
    "einittoken-key",
  ],
  [
    "an enclave that is not initialized",
    sgx({ attributes: withByte(attributes, 0, 1) }),
    sgxIdentity,
    "attributes-mismatch",
  ],
  [
    "an enclave with AEX notify",
    sgx({ attributes: withByte(attributes, 1, 4) }),
    sgxIdentity,
    "attributes-mismatch",
  ],
  ["other MISCSELECT", sgx({ miscSelect: 1 }), sgxIdentity, "miscselect-mismatch"],
  ["another configuration", sgx({ configId: others(64) }), sgxIdentity, "configid-mismatch"],
  ["an older configuration", sgx({ configSvn: 1 }), sgxIdentity, "configsvn-too-low"],
  [
    "an extended product id",
    sgx({ isvExtProdId: others(16) }),
    sgxIdentity,
    "isvextprodid-mismatch",
  ],
  ["a family id", sgx({ isvFamilyId: others(16) }), sgxIdentity, "isvfamilyid-mismatch"],
  [
    "another processor",
    { ...goodSgx, platform: { ...goodSgx.platform, ppid: others(16) } },
    sgxIdentity,
    "platform-not-listed",
  ],

  ["other firmware", tdx({ mrTd: others(48) }), tdxIdentity, "mrtd-mismatch"],
  [
    "other firmware settings",
    tdx({ rtmrs: [others(48), ...rtmrs.slice(1)] }),
    tdxIdentity,
    "rtmr-mismatch",
  ],
  [
    "another kernel",
    tdx({ rtmrs: [rtmrs[0]!, others(48), rtmrs[2]!, rtmrs[3]!] }),
    tdxIdentity,
    "rtmr-mismatch",
  ],
  ["no RTMRs", tdx({ rtmrs: [] }), tdxIdentity, "rtmr-mismatch"],
  ["another application", tdx({ mrConfigId: others(48) }), tdxIdentity, "mrconfigid-mismatch"],
  ["an owner", tdx({ mrOwner: others(48) }), tdxIdentity, "mrowner-mismatch"],
  [
    "an owner's configuration",
    tdx({ mrOwnerConfig: others(48) }),
    tdxIdentity,
    "mrownerconfig-mismatch",
  ],
  [
    "a module of another signer",
    tdx({ mrSignerSeam: others(48) }),
    tdxIdentity,
    "mrsignerseam-mismatch",
  ],
  [
    "another module",
    tdx({ mrSeam: others(48) }),
    { ...tdxIdentity, mrSeam: "5e".repeat(48) },
    "mrseam-mismatch",
  ],
  ["a bound service TD", tdx({ mrServiceTd: others(48) }), tdxIdentity, "mrservicetd-mismatch"],
  ["a debug TD", tdx({ tdAttributes: withByte(tdAttributes, 0, 1) }), tdxIdentity, "debug-enclave"],
  [
    "a TD with another untrusted bit",
    tdx({ tdAttributes: withByte(tdAttributes, 0, 0x80) }),
    tdxIdentity,
    "debug-enclave",
  ],
  [
    "a TD without SEPT_VE_DISABLE",
    tdx({ tdAttributes: withByte(tdAttributes, 3, 0x10) }),
    tdxIdentity,
    "td-attributes-mismatch",
  ],
  ["other XFAM", tdx({ xfam: withByte(xfam, 7, 1) }), tdxIdentity, "xfam-mismatch"],
  [
    "a platform without instance id",
    { ...goodTdx, platform: { ...goodTdx.platform, platformInstanceId: others(16) } },
    tdxIdentity,
    "platform-not-listed",
  ],

  ["another guest", snp({ measurement: others(48) }), snpIdentity, "measurement-mismatch"],
  [
    "another application of a guest",
    snp({ hostData: others(32) }),
    snpIdentity,
    "host-data-mismatch",
  ],
  ["an id key", snp({ idKeyDigest: others(48) }), snpIdentity, "id-key-digest-mismatch"],
  [
    "an author key",
    snp({ authorKeyDigest: others(48) }),
    snpIdentity,
    "author-key-digest-mismatch",
  ],
  ["a family", snp({ familyId: others(16) }), snpIdentity, "family-id-mismatch"],
  ["an image", snp({ imageId: others(16) }), snpIdentity, "image-id-mismatch"],
  ["an older guest", snp({ guestSvn: 4 }), snpIdentity, "guest-svn-too-low"],
  ["a debug guest", snp({ policy: 0xb0000n }), snpIdentity, "debug-enclave"],
  ["a guest with a migration agent", snp({ policy: 0x70000n }), snpIdentity, "migration-agent"],
  ["a guest without SMT", snp({ policy: 0x20000n }), snpIdentity, "guest-policy-mismatch"],
  ["a platform with TSME", chip({ platformInfo: 0x27n }), snpIdentity, "platform-info-mismatch"],
  ["a report from VMPL 1", snp({ vmpl: 1 }), snpIdentity, "vmpl-not-listed"],
  ["a VLEK", chip({ signingKey: "vlek" }), snpIdentity, "signing-key-not-listed"],
  ["no revocation list", chip({ revocationChecked: false }), snpIdentity, "revocation-not-checked"],
  ["old firmware", chip({ reportedTcb: older }), snpIdentity, "reported-tcb-too-low"],
  [
    "firmware that may fall back",
    chip({ committedTcb: older }),
    snpIdentity,
    "committed-tcb-too-low",
  ],
  ["old firmware at launch", chip({ launchTcb: older }), snpIdentity, "launch-tcb-too-low"],
  [
    "a processor without FMC",
    chip({ launchTcb: { bootloader: 9, tee: 9, snp: 99, microcode: 255 } }),
    snpIdentity,
    "launch-tcb-too-low",
  ],
  ["another chip", chip({ chipId: others(64) }), snpIdentity, "platform-not-listed"],
  ["a masked chip", chip({ chipId: new Uint8Array(64) }), snpIdentity, "platform-not-listed"],
  [
    "a masked chip where somebody lists zeros",
    chip({ chipId: new Uint8Array(64) }),
    { ...snpIdentity, platforms: [{ kind: "chip", id: "00".repeat(64) }] },
    "platform-not-listed",
  ],
])("refuses %s, for that reason alone", (_what, claims, identity, code) => {
  const result = appraise(claims, [identity], context);
  const codes = result.kind === "refused" ? result.refusals.map((each) => each.code) : [];
  expect([...new Set(codes)]).toEqual([code]);
});

test("where every field may be anything, only what names nobody is left", () => {
  const identity: EnclaveIdentity = {
    ...tdxIdentity,
    measurement: {
      ...tdxIdentity.measurement,
      rtmr0: any,
      rtmr1: any,
      rtmr2: any,
      mrConfigId: any,
      mrOwner: any,
      mrOwnerConfig: any,
    },
    mrSignerSeam: any,
    mrServiceTd: any,
    tdAttributes: { value: "0000000000000000", mask: "0000000000000000" },
    platforms: any,
  };
  const strange = {
    ...tdx({ rtmrs: [], mrConfigId: others(48), mrServiceTd: others(48), tdAttributes: others(8) }),
    isDebug: true,
  };
  expect(appraise(strange, [identity], context).kind).toBe("accepted");
});

test("an identity for debugging accepts a debug enclave, since its mask says so", () => {
  const debug = { ...sgx({ attributes: withByte(attributes, 0, 2) }), isDebug: true };
  const mask = "fdffffffffffffff0000000000000000";
  const identity = { ...sgxIdentity, attributes: { ...sgxIdentity.attributes, mask } };
  expect(appraise(debug, [identity], context).kind).toBe("accepted");
  expect(appraise(debug, [sgxIdentity], context).kind).toBe("refused");
});

test("one of several identities is enough, and the answer names it", () => {
  const result = appraise(goodSnp, [sgxIdentity, tdxIdentity, snpIdentity], context);
  expect(result).toEqual({ kind: "accepted", identity: "combiner-snp", warnings: [] });
});

test("an identity that holds without a warning goes before one that holds with one", () => {
  const late = { ...goodSgx.tcb, status: "OutOfDate" as const, outOfDateSinceMs: NOW_MS };
  const lenient = {
    ...sgxIdentity,
    name: "lenient",
    tcb: { ...sgxIdentity.tcb, accepted: [{ status: "OutOfDate" as const, advisories: any }] },
  };
  const result = appraise({ ...goodSgx, tcb: late }, [sgxIdentity, lenient], context);
  expect(result).toMatchObject({ kind: "accepted", identity: "combiner-1" });
  const fine = appraise(goodSgx, [{ ...lenient, tcb: sgxIdentity.tcb }, sgxIdentity], context);
  expect(fine).toMatchObject({ identity: "lenient", warnings: [] });
});

test("a refusal lists every reason, and against which identity", () => {
  const strange = { ...sgx({ mrEnclave: others(32), isvSvn: 1 }), reportData: others(64) };
  const result = appraise(strange, [sgxIdentity, { ...signer, name: "by-signer" }], context);
  expect(result).toMatchObject({
    kind: "refused",
    refusals: [
      { code: "report-data-mismatch" },
      {
        code: "mrenclave-mismatch",
        identity: "combiner-1",
        seen: "ff".repeat(32),
        wanted: "e1".repeat(32),
      },
      { code: "isvsvn-too-low", identity: "by-signer", seen: "1", wanted: "3 or higher" },
    ],
  });
  expect(result).not.toHaveProperty(["refusals", 0, "identity"]);
});

test("a role that accepts nobody refuses everybody", () => {
  const result = appraise(goodSgx, [], context);
  expect(result).toMatchObject({ refusals: [{ code: "no-identity-accepted", seen: "sgx" }] });
});

test("claims hold to the millisecond they end", () => {
  const end = { ...goodSgx, expiresAtMs: (NOW_MS + DAY_MS) as UnixMs };
  const at = (offsetMs: number) =>
    appraise(end, [sgxIdentity], { nowMs: (NOW_MS + DAY_MS + offsetMs) as UnixMs }).kind;
  expect([at(0), at(1)]).toEqual(["accepted", "refused"]);
});

test("the anchors to verify under are those of the identities, each once", () => {
  expect(anchorsOf([sgxIdentity, tdxIdentity, snpIdentity])).toEqual([ANCHOR_DER]);
});

test("an identity whose mask has the wrong length is a mistake of ours, never a pass", () => {
  const identity = { ...sgxIdentity, attributes: { value: "05", mask: "ff" } };
  expect(() => appraise(goodSgx, [identity], context)).toThrow(/invariant/);
});
