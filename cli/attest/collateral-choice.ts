/** Which of the endorsements in a file are for a piece of evidence. */
import { bundleSource } from "../../lib/attestation/collateral/bundle.ts";
import type { CollateralFile } from "../../lib/attestation/collateral/bundle-file.ts";
import { CollateralError } from "../../lib/attestation/collateral/collateral-error.ts";
import { nameOfDcap } from "../../lib/attestation/collateral/collateral-source.ts";
import type { DcapCollateral } from "../../lib/attestation/endorsements/dcap-collateral.ts";
import type { SnpEndorsements } from "../../lib/attestation/endorsements/snp-endorsements.ts";
import type { SnpReport } from "../../lib/attestation/evidence/snp-report.ts";
import type { SnpProduct } from "../../lib/attestation/evidence/snp-tcb.ts";
import { productOfReport, readTcb } from "../../lib/attestation/evidence/snp-tcb.ts";
import type { EvidenceFile } from "./evidence-file.ts";
import { quoteOf } from "./evidence-summary.ts";
import { platformOfQuote } from "./quote-platform.ts";

const SNP_PRODUCTS: readonly SnpProduct[] = ["Milan", "Genoa", "Turin"];

/**
 * The set for the platform of a quote. A file of one set is taken at its word: should it be of another platform, then
 * verification says so.
 */
export function dcapSetFor(
  evidence: EvidenceFile,
  file: CollateralFile,
): DcapCollateral | undefined {
  const quote = quoteOf(evidence);
  if (quote === undefined) return undefined;
  if (file.kind === "set") return file.collateral;
  const { dcap } = file.bundle;
  const key = platformOfQuote(quote);
  if (key === undefined) return dcap.length === 1 ? dcap[0]?.collateral : undefined;
  return dcap.find((entry) => nameOfDcap(entry.key) === nameOfDcap(key))?.collateral;
}

/** What a bundle holds of an SNP report's endorsements. */
export async function snpPartsFor(
  report: SnpReport,
  file: CollateralFile,
): Promise<Partial<SnpEndorsements>> {
  if (file.kind === "set") return {};
  const source = bundleSource(file.bundle, "the file");
  const said = productOfReport(report);
  // Reports of version 2 do not say which product they are of; their chip does.
  for (const product of said === undefined ? SNP_PRODUCTS : [said]) {
    const signingKey = report.signingKey === "vlek" ? "vlek" : "vcek";
    const reportedTcb = readTcb(report.reportedTcb, product);
    const chip = { product, chipId: report.chipId, reportedTcb };
    const leaf = signingKey === "vlek" ? undefined : await held(() => source.vcek(chip));
    const authority = await held(() => source.snpAuthority({ product, signingKey }));
    const isNamed = said !== undefined || leaf !== undefined;
    if (isNamed && authority !== undefined) return { ...(leaf && { leaf }), ...authority };
  }
  return {};
}

/** Undefined for what is not in the bundle. */
async function held<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CollateralError && error.code === "not-in-bundle") return undefined;
    throw error;
  }
}
