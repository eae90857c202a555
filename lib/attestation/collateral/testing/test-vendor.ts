/** A vendor under test roots: serves endorsements dated now, can be down, and counts what it is asked. */
import { toHex } from "../../../base/bytes.ts";
import { crlNumber } from "../../../base/certificate-extensions.ts";
import type { Clock } from "../../../base/clock.ts";
import { writeCrl } from "../../../base/crl-writer.ts";
import type { UnixMs } from "../../../base/ids.ts";
import type { KnobSettings } from "../../attester/simulated/knobs/simulator-knobs.ts";
import {
  createDevelopmentRoot,
  type DevelopmentRoot,
} from "../../attester/simulated/root/development-root.ts";
import { simulatedEndorsements } from "../../attester/simulated/simulated-attester.ts";
import type { DcapCollateral } from "../../endorsements/dcap-collateral.ts";
import { ARK_SERIAL, amdName, TEST_NOW_MS } from "../../testing/snp-platform.ts";
import { snpMaker } from "../../testing/snp-scenario.ts";
import type { CollateralSource, SnpAuthorityKey, SnpPlatformKey } from "../collateral-source.ts";

/** When everything here is valid. */
export const NOW_MS = TEST_NOW_MS;
/** Milliseconds of a day. */
export const DAY_MS = 86_400_000;

/** The one SGX platform that there is. */
export const DCAP_KEY = { tee: "sgx", fmspc: "00906ed50000", pckCa: "platform" } as const;
/** Who vouches for the one chip. */
export const AUTHORITY_KEY: SnpAuthorityKey = { product: "Milan", signingKey: "vcek" };

const root: DevelopmentRoot = createDevelopmentRoot({
  randomness: { bytes: (sizeBytes) => new Uint8Array(sizeBytes).fill(3) },
  nowMs: (NOW_MS - DAY_MS) as UnixMs,
});
const milan = snpMaker("Milan");

/** Roots under which everything here verifies. */
export const ANCHORS = { intel: [root.dcap.root], amd: [milan.ark] };

const hardwareId = milan.leafFacts.hardwareId ?? new Uint8Array(64);
/** The one chip there is. */
export const CHIP_KEY: SnpPlatformKey = {
  product: "Milan",
  chipId: hardwareId,
  reportedTcb: { bootloader: 4, tee: 1, snp: 24, microcode: 217 },
};

/** Valid for 30 days from an hour ago; evaluation and CRL numbers are 20 unless turned. */
export async function dcapCollateral(
  nowMs: UnixMs,
  knobs: KnobSettings = {},
  changes: { readonly tee?: "sgx" | "tdx"; readonly pckCa?: "processor" } = {},
): Promise<DcapCollateral> {
  const fmspc = Buffer.from(DCAP_KEY.fmspc, "hex");
  const platform = { tee: "sgx", fmspc, pckCa: DCAP_KEY.pckCa, ...changes } as const;
  const made = await simulatedEndorsements({ root, platform, knobs, nowMs });
  if (made.kind !== "dcap") throw new Error("not a DCAP platform");
  return made.collateral;
}

/** The ARK's list, from an hour ago for `days`. */
export const arkCrl = (number: number, nowMs: number, days = 10, revoked = false): Uint8Array =>
  writeCrl(
    {
      issuer: amdName("ARK-Milan"),
      thisUpdateMs: (nowMs - 3_600_000) as UnixMs,
      nextUpdateMs: (nowMs + days * DAY_MS) as UnixMs,
      revoked: revoked ? [{ serial: ARK_SERIAL, revokedAtMs: nowMs as UnixMs }] : [],
      extensions: [crlNumber(number)],
    },
    { privateKey: milan.authority.arkKey.privateKey, algorithm: "rsa-pss-sha384" },
  );

/** A source with a will of its own. */
export type TestVendor = CollateralSource & {
  /** Thrown by every call while it is set. */
  trouble: unknown;
  /** What the next answers are made with. */
  knobs: KnobSettings;
  crlNumber: number;
  vcekDer: Uint8Array;
  /** "dcap sgx 00906ed50000", "vcek 38a0…", "authority Milan vcek". */
  readonly asked: string[];
};

/** @param clock  dates what is served */
export function testVendor(clock: Clock): TestVendor {
  const asked: string[] = [];
  const note = (what: string): void => {
    asked.push(what);
    if (vendor.trouble !== undefined) throw vendor.trouble;
  };
  const vendor: TestVendor = {
    trouble: undefined,
    knobs: {},
    crlNumber: 20,
    vcekDer: milan.good.leaf,
    asked,
    dcap: async ({ tee, fmspc }) => {
      note(`dcap ${tee} ${fmspc}`);
      return dcapCollateral(clock.untrustedNowMs(), vendor.knobs);
    },
    vcek: async ({ chipId }) => {
      note(`vcek ${toHex(chipId.subarray(0, 2))}`);
      return vendor.vcekDer;
    },
    snpAuthority: async ({ product, signingKey }) => {
      note(`authority ${product} ${signingKey}`);
      const { chain } = milan.good;
      return { chain, crl: arkCrl(vendor.crlNumber, clock.untrustedNowMs()) };
    },
  };
  return vendor;
}

/** Other certificates of the same authority, for what must be refused. */
export const otherVcek = (changes: { readonly hardwareId?: Uint8Array }): Uint8Array =>
  milan.authority.leaf({ ...milan.leafFacts, ...changes }, milan.leafKey);
