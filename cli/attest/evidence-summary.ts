/** What every kind of evidence has: what was measured, who signed it, what it binds, whether its host may look inside. */
import type { Quote } from "../../lib/attestation/evidence/quote.ts";
import { isDebugEnclave } from "../../lib/attestation/evidence/sgx-report.ts";
import { isDebugGuest, type SnpReport } from "../../lib/attestation/evidence/snp-report.ts";
import { isDebugTd } from "../../lib/attestation/evidence/td-report.ts";
import type { Tee } from "../../lib/attestation/verification/claims.ts";
import { toHex } from "../../lib/base/bytes.ts";
import type { EvidenceFile } from "./evidence-file.ts";
import { isZero } from "./measurement-fields.ts";

/** As the evidence says itself, verified or not. Hex, lower case. */
export type EvidenceSummary = {
  readonly tee: Tee;
  readonly debug: boolean;
  /** MRENCLAVE, MRTD or SNP measurement. */
  readonly measurement: string;
  /** MRSIGNER or digest of the SNP id key; null for a TD, and for a guest whose launch nobody signed. */
  readonly signer: string | null;
  readonly reportData: string;
};

/** Undefined for a certificate without evidence that is read here. */
export function summaryOf(evidence: EvidenceFile): EvidenceSummary | undefined {
  if (evidence.kind === "snp-report") return summaryOfSnp(evidence.report);
  const quote = quoteOf(evidence);
  return quote && summaryOfQuote(quote);
}

/** The quote that a file is or carries. */
export function quoteOf(evidence: EvidenceFile): Quote | undefined {
  if (evidence.kind === "quote") return evidence.quote;
  if (evidence.kind !== "ra-tls") return undefined;
  const carried = evidence.raTls.evidence;
  return carried.kind === "none" || carried.kind === "several" ? undefined : carried.quote;
}

function summaryOfQuote({ body, reportData }: Quote): EvidenceSummary {
  if (body.tee === "sgx") {
    const { measurements } = body.report;
    return {
      tee: "sgx",
      debug: isDebugEnclave(measurements),
      measurement: toHex(measurements.mrEnclave),
      signer: toHex(measurements.mrSigner),
      reportData: toHex(reportData),
    };
  }
  const { measurements } = body.report;
  return {
    tee: "tdx",
    debug: isDebugTd(measurements),
    measurement: toHex(measurements.mrTd),
    signer: null,
    reportData: toHex(reportData),
  };
}

function summaryOfSnp({ measurements, reportData }: SnpReport): EvidenceSummary {
  const { idKeyDigest, measurement } = measurements;
  return {
    tee: "sev-snp",
    debug: isDebugGuest(measurements),
    measurement: toHex(measurement),
    signer: isZero(idKeyDigest) ? null : toHex(idKeyDigest),
    reportData: toHex(reportData),
  };
}
