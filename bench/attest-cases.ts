/** Evidence to measure verification on: of simulated machines, and real where it is at hand. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { PlatformChoice } from "../lib/attestation/attester/simulated/platform-settings.ts";
import { createDevelopmentRoot } from "../lib/attestation/attester/simulated/root/development-root.ts";
import { simulatedTee } from "../lib/attestation/attester/simulated/simulated-attester.ts";
import { parseQuoteCollateral } from "../lib/attestation/collateral/quote-collateral.ts";
import { findPemBlocks } from "../lib/attestation/encoding/pem.ts";
import type { DcapCollateral } from "../lib/attestation/endorsements/dcap-collateral.ts";
import type { SnpEndorsements } from "../lib/attestation/endorsements/snp-endorsements.ts";
import { parseQuote } from "../lib/attestation/evidence/quote.ts";
import { parseSnpReport } from "../lib/attestation/evidence/snp-report.ts";
import { AMD_ROOTS } from "../lib/attestation/trust-anchors/amd.ts";
import { INTEL_ROOT } from "../lib/attestation/trust-anchors/intel.ts";
import type { Verification } from "../lib/attestation/verification/claims.ts";
import { verifyCollateral } from "../lib/attestation/verification/verify-collateral.ts";
import { verifyQuote, verifyQuoteWith } from "../lib/attestation/verification/verify-quote.ts";
import {
  verifyEndorsedSnpReport,
  verifySnpReport,
} from "../lib/attestation/verification/verify-snp.ts";
import { verifySnpEndorsements } from "../lib/attestation/verification/verify-snp-endorsements.ts";
import type { UnixMs } from "../lib/base/ids.ts";
import { systemRandomness } from "../lib/base/randomness.ts";

/** From bytes to claims: parsing is part of both ways. */
export type VerificationCase = {
  readonly name: string;
  /** Nothing is kept from before. */
  readonly cold: () => Verification;
  /** Endorsements of the platform were verified before. */
  readonly cached: () => Verification;
};

const MACHINES: readonly (readonly [name: string, platform: PlatformChoice])[] = [
  ["SGX v3", { tee: "sgx", quoteVersion: 3 }],
  ["TDX v4", { tee: "tdx", quoteVersion: 4 }],
  ["TDX v5", { tee: "tdx", quoteVersion: 5, tdReport: "1.5" }],
  ["SNP Milan", { tee: "sev-snp", product: "Milan" }],
];

/** One machine each, under a root that is forgotten. */
export function simulatedCases(): Promise<VerificationCase[]> {
  const nowMs = Date.now() as UnixMs;
  const root = createDevelopmentRoot({ randomness: systemRandomness, nowMs });
  return Promise.all(
    MACHINES.map(async ([name, platform]) => {
      const tee = simulatedTee({ root, platform });
      const { bytes } = await tee.attester({ tee: platform.tee }).attest(new Uint8Array(64));
      const given = await tee.endorsements(nowMs);
      const anchors = [given.anchor];
      return given.kind === "dcap"
        ? dcapCase(name, bytes, given.collateral, anchors, nowMs)
        : snpCase(name, bytes, given.endorsements, anchors, nowMs);
    }),
  );
}

/** From a folder laid out like ../shared/testdata/attestation. @throws if a file is not there */
export async function realCases(folder: string): Promise<VerificationCase[]> {
  const read = async (file: string) => new Uint8Array(await readFile(path.join(folder, file)));
  const quote = async (name: string, file: string, collateral: string, now: string) => {
    const set = parseQuoteCollateral(await readFile(path.join(folder, collateral), "utf8"));
    return dcapCase(name, await read(file), set, [INTEL_ROOT], Date.parse(now) as UnixMs);
  };
  const endorsements = {
    leaf: await read("snp/milan-v2-virtee-vcek.der"),
    chain: findPemBlocks(await read("snp/milan-ask-ark.pem")).map(({ der }) => der),
  };
  const report = await read("snp/milan-v2-virtee.bin");
  return [
    await quote(
      "SGX v3 (real)",
      "sgx/v3-phala-00a067110000.bin",
      "collateral/sgx-00a067110000-2025-06.json",
      "2025-07-04T10:28:44Z",
    ),
    await quote(
      "TDX v4 (real)",
      "tdx/v4-phala-b0c06f000000.bin",
      "collateral/tdx-b0c06f000000-2025-06.json",
      "2025-07-04T10:16:31Z",
    ),
    await quote(
      "TDX v5 (real)",
      "tdx/v5-oe-seamldr-90c06f000000.bin",
      "collateral/tdx-90c06f000000-2025-06.json",
      "2025-06-26T21:50:26Z",
    ),
    snpCase(
      "SNP Milan (real)",
      report,
      endorsements,
      Object.values(AMD_ROOTS),
      Date.parse("2025-05-02T09:41:51Z") as UnixMs,
    ),
  ];
}

function dcapCase(
  name: string,
  bytes: Uint8Array,
  given: DcapCollateral,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): VerificationCase {
  const { collateral } = verifyCollateral(given, anchors, nowMs);
  return {
    name,
    cold: () => verifyQuoteWith(parseQuote(bytes), given, anchors, nowMs),
    cached: () => verifyQuote(parseQuote(bytes), collateral, nowMs),
  };
}

function snpCase(
  name: string,
  bytes: Uint8Array,
  given: SnpEndorsements,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): VerificationCase {
  const { endorsements } = verifySnpEndorsements(given, anchors, nowMs);
  if (endorsements === undefined) throw new Error(`${name}: endorsements that do not hold`);
  return {
    name,
    cold: () => verifySnpReport(parseSnpReport(bytes), given, anchors, nowMs),
    cached: () => verifyEndorsedSnpReport(parseSnpReport(bytes), endorsements, nowMs),
  };
}
