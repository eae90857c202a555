/** Asks vendors for what vouches for the platform of a piece of evidence, and looks at it before anybody keeps it. */
import { type CollateralBundle, EMPTY_BUNDLE } from "../../lib/attestation/collateral/bundle.ts";
import {
  type CollateralSource,
  type DcapPlatformKey,
  nameOfAuthority,
  nameOfDcap,
  snpEndorsements,
} from "../../lib/attestation/collateral/collateral-source.ts";
import type { SnpReport } from "../../lib/attestation/evidence/snp-report.ts";
import type { SnpProduct } from "../../lib/attestation/evidence/snp-tcb.ts";
import { productOfReport, readTcb } from "../../lib/attestation/evidence/snp-tcb.ts";
import { AMD_ROOTS } from "../../lib/attestation/trust-anchors/amd.ts";
import { INTEL_ROOT } from "../../lib/attestation/trust-anchors/intel.ts";
import type { Check } from "../../lib/attestation/verification/checklist.ts";
import { verifyCollateral } from "../../lib/attestation/verification/verify-collateral.ts";
import { verifySnpEndorsements } from "../../lib/attestation/verification/verify-snp-endorsements.ts";
import type { UnixMs } from "../../lib/base/ids.ts";
import { describeRefusals } from "../../lib/base/refusal.ts";
import { CliError, usageError } from "../cli-error.ts";
import type { EvidenceFile } from "./evidence-file.ts";
import { quoteOf } from "./evidence-summary.ts";
import { platformOfQuote } from "./quote-platform.ts";

/** Whom to ask, and how. */
export type FetchSettings = {
  readonly source: CollateralSource;
  /** DER; undefined means the vendors'. */
  readonly roots: readonly Uint8Array[] | undefined;
  /** Of an SNP report that does not say it itself. */
  readonly product: SnpProduct | undefined;
  readonly nowMs: UnixMs;
};

/**
 * A bundle of what the evidence needs.
 * @throws CollateralError, CliError "usage" | "refused" for what was served but does not hold
 */
export async function fetchEndorsements(
  evidence: EvidenceFile,
  settings: FetchSettings,
): Promise<CollateralBundle> {
  if (evidence.kind === "snp-report") return fetchSnp(evidence.report, settings);
  const quote = quoteOf(evidence);
  const key = quote && platformOfQuote(quote);
  if (key === undefined) {
    throw usageError(
      "this does not name its platform by a PCK chain; fetch with a quote that does",
    );
  }
  return fetchDcap(key, settings);
}

async function fetchDcap(key: DcapPlatformKey, settings: FetchSettings): Promise<CollateralBundle> {
  const { source, roots = [INTEL_ROOT], nowMs } = settings;
  const collateral = await source.dcap(key);
  refuseBroken(nameOfDcap(key), verifyCollateral(collateral, roots, nowMs).checks);
  return { ...EMPTY_BUNDLE, dcap: [{ key, collateral }] };
}

/** A VLEK's certificate comes with the report from its host: only what stands above it can be had. */
async function fetchSnp(report: SnpReport, settings: FetchSettings): Promise<CollateralBundle> {
  const { source, roots = Object.values(AMD_ROOTS), nowMs } = settings;
  const product = settings.product ?? productOfReport(report);
  if (product === undefined) {
    throw usageError("this report does not say its product; name it with --product");
  }
  if (report.signingKey === "vlek") {
    const key = { product, signingKey: "vlek" } as const;
    return {
      ...EMPTY_BUNDLE,
      snpAuthorities: [{ key, authority: await source.snpAuthority(key) }],
    };
  }
  const chip = {
    product,
    chipId: report.chipId,
    reportedTcb: readTcb(report.reportedTcb, product),
  };
  const { leaf, ...authority } = await snpEndorsements(source, chip);
  const key = { product, signingKey: "vcek" } as const;
  const { checks } = verifySnpEndorsements({ leaf, ...authority }, roots, nowMs);
  refuseBroken(nameOfAuthority(key), checks);
  return {
    ...EMPTY_BUNDLE,
    vceks: [{ key: chip, certificate: leaf }],
    snpAuthorities: [{ key, authority }],
  };
}

function refuseBroken(what: string, checks: readonly Check[]): void {
  const refusals = checks.flatMap(({ refusal }) => refusal ?? []);
  if (refusals.length === 0) return;
  throw new CliError(
    "refused",
    `what was served for ${what} does not hold, and is not kept: ${describeRefusals(refusals)}`,
  );
}
