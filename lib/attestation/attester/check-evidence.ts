/** What an attester checks before it gives evidence out: that it is evidence, and over the bytes that were asked for. */
import { equalBytes } from "../../base/bytes.ts";
import { assertInvariant } from "../../base/refusal.ts";
import { parseQuote } from "../evidence/quote.ts";
import { parseSnpReport, type SnpReport } from "../evidence/snp-report.ts";
import { EvidenceError } from "../evidence-error.ts";
import { AttesterError, REPORT_DATA_BYTES } from "./attester.ts";

/**
 * A copy, so that what is asked for does not change while a call waits. Anything but 64 bytes is a broken invariant:
 * one platform would pad them, another refuse.
 */
export function ownReportData(reportData: Uint8Array): Uint8Array {
  assertInvariant(reportData.byteLength === REPORT_DATA_BYTES, "report data has 64 bytes");
  return reportData.slice();
}

/**
 * A quote of that TEE over that report data. Its signatures are the verifier's business.
 * @throws AttesterError "no-evidence" | "wrong-report-data"
 */
export function checkQuote(bytes: Uint8Array, tee: "sgx" | "tdx", reportData: Uint8Array): void {
  const quote = readable(bytes, parseQuote);
  if (quote.body.tee !== tee) throw noEvidence(`a quote of ${quote.body.tee.toUpperCase()}`);
  checkBound(quote.reportData, reportData);
}

/**
 * A report over that report data.
 * @throws AttesterError "no-evidence" | "wrong-report-data"
 */
export function checkSnpReport(bytes: Uint8Array, reportData: Uint8Array): SnpReport {
  const report = readable(bytes, parseSnpReport);
  checkBound(report.reportData, reportData);
  return report;
}

function readable<T>(bytes: Uint8Array, parse: (bytes: Uint8Array) => T): T {
  if (bytes.byteLength === 0) {
    throw noEvidence("nothing, as when a quote service is not reachable: look at it on the host");
  }
  try {
    return parse(bytes);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw noEvidence(`what cannot be read: ${cause.message}`, cause);
  }
}

function checkBound(found: Uint8Array, reportData: Uint8Array): void {
  if (equalBytes(found, reportData)) return;
  const message =
    "the evidence is over other report data than was asked for: something else in this process or VM asks for evidence by the same files; leave that to Fedclave alone";
  throw new AttesterError("wrong-report-data", message);
}

const noEvidence = (what: string, cause?: unknown): AttesterError =>
  new AttesterError("no-evidence", `the platform gave ${what}`, { cause });
