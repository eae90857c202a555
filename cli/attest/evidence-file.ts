/** Which evidence a file holds, told from its bytes. */
import { parseQuote, type Quote } from "../../lib/attestation/evidence/quote.ts";
import {
  parseRaTlsCertificate,
  type RaTlsCertificate,
} from "../../lib/attestation/evidence/ra-tls-certificate.ts";
import {
  parseSnpReport,
  SNP_REPORT_BYTES,
  type SnpReport,
} from "../../lib/attestation/evidence/snp-report.ts";
import { EvidenceError } from "../../lib/attestation/evidence-error.ts";
import { fromBase64 } from "../../lib/base/base64.ts";
import { fromHex } from "../../lib/base/bytes.ts";
import { isText, pemBlocksOf } from "./text-or-bytes.ts";

/** Evidence of whatever kind, read and not verified. */
export type EvidenceFile =
  | { readonly kind: "quote"; readonly quote: Quote }
  | { readonly kind: "snp-report"; readonly report: SnpReport }
  | { readonly kind: "ra-tls"; readonly raTls: RaTlsCertificate };

/** Largest file that is looked into; the readers have limits of their own. */
export const MAX_EVIDENCE_FILE_BYTES = 1024 * 1024;
const DER_SEQUENCE = 0x30;
/** Attestation key type of a quote, in the bytes where an SNP report has the zeros of its version. */
const ECDSA_P256 = 2;

/**
 * Reads a quote, an SNP report or an RA-TLS certificate (DER, or PEM with whatever text around it); quotes and reports may
 * be written in hex or base64.
 * @throws EvidenceError
 */
export function parseEvidenceFile(file: Uint8Array): EvidenceFile {
  if (file.byteLength > MAX_EVIDENCE_FILE_BYTES) {
    throw new EvidenceError("too-large", `a file of ${file.byteLength} bytes is no evidence`);
  }
  const [certificate, ...others] = pemBlocksOf(file);
  if (others.length > 0) {
    throw new EvidenceError("malformed-pem", `${others.length + 1} blocks of PEM; one is evidence`);
  }
  if (certificate !== undefined) return parseCertificateBytes(certificate.der);
  if (isText(file)) return parseEvidenceBytes(bytesOfText(file));
  return parseEvidenceBytes(file);
}

function parseEvidenceBytes(bytes: Uint8Array): EvidenceFile {
  if (bytes[0] === DER_SEQUENCE) return parseCertificateBytes(bytes);
  const keyType = (bytes[2] ?? 0) | ((bytes[3] ?? 0) << 8);
  if (bytes.byteLength === SNP_REPORT_BYTES && keyType !== ECDSA_P256) {
    return { kind: "snp-report", report: parseSnpReport(bytes) };
  }
  return { kind: "quote", quote: parseQuote(bytes) };
}

const parseCertificateBytes = (der: Uint8Array): EvidenceFile => ({
  kind: "ra-tls",
  raTls: parseRaTlsCertificate(der),
});

/** The bytes that a text of hex or base64 stands for. @throws EvidenceError "malformed-quote" */
function bytesOfText(file: Uint8Array): Uint8Array {
  const text = Buffer.from(file).toString("latin1").replace(/\s/g, "");
  if (text === "") throw new EvidenceError("malformed-quote", "it is empty");
  const bytes = fromHex(text.replace(/^0x/, "").toLowerCase()) ?? fromBase64(text);
  if (bytes !== undefined) return bytes;
  const why = text.startsWith("{")
    ? "it is JSON, and so no evidence; collateral is named with --collateral"
    : "it is a text, but neither hex nor base64 nor PEM";
  throw new EvidenceError("malformed-quote", why);
}
