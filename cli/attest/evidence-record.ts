/** Evidence as `attest show --json` prints it: by the names that `attest verify` uses. */
import { digestOf } from "../../lib/base/ids.ts";
import type { EvidenceFile } from "./evidence-file.ts";
import { type EvidenceSummary, quoteOf, summaryOf } from "./evidence-summary.ts";
import { jsonRecord } from "./measurement-fields.ts";
import { platformOfQuote } from "./quote-platform.ts";

/** What `attest show --json` prints of a file. */
export type EvidenceRecord = Partial<EvidenceSummary> & {
  readonly evidence: EvidenceFile["kind"];
  /** Of the quote or the report; absent where a certificate carries none. */
  readonly version?: number;
  readonly measurements?: Readonly<Record<string, unknown>>;
  /** As the quote names it. */
  readonly platform?: Readonly<Record<string, unknown>>;
  readonly certificate?: Readonly<Record<string, unknown>>;
};

/** What a file says, unverified, in words and hex. */
export function evidenceRecord(evidence: EvidenceFile): EvidenceRecord {
  const common = { evidence: evidence.kind, ...summaryOf(evidence) };
  if (evidence.kind === "snp-report") {
    const { signedBytes: _, signature: __, version, measurements, ...rest } = evidence.report;
    return {
      ...common,
      version,
      measurements: jsonRecord(measurements),
      platform: jsonRecord(rest),
    };
  }
  const quote = quoteOf(evidence);
  const certificate = evidence.kind === "ra-tls" ? certificateRecord(evidence.raTls) : undefined;
  const platform = quote && platformOfQuote(quote);
  return {
    ...common,
    ...(quote && {
      version: quote.version,
      measurements: jsonRecord(quote.body.report.measurements),
    }),
    ...(platform && { platform }),
    ...(certificate && { certificate }),
  };
}

function certificateRecord({
  certificate,
  evidence,
  found,
}: (EvidenceFile & { kind: "ra-tls" })["raTls"]): Record<string, unknown> {
  const { commonName, notBeforeMs, notAfterMs, publicKeyDer, publicKeyKind } = certificate;
  return jsonRecord({
    form: evidence.kind,
    carries: found,
    commonName,
    notBeforeMs,
    notAfterMs,
    publicKeyKind,
    spkiDigest: digestOf(publicKeyDer),
    ...(evidence.kind === "tcg-dice" && { claims: evidence.claims }),
  });
}
