import { X509Certificate } from "node:crypto";
import { equalBytes } from "./bytes.ts";
import { CodedError } from "./refusal.ts";

export class CertificateError extends CodedError<"unreadable-certificate"> {}

/** Largest certificate that is read; RA-TLS certificates carry a quote of up to 64 KiB. */
const MAX_CERTIFICATE_BYTES = 128 * 1024;

/**
 * Reads one DER certificate. The only place that may construct an X509Certificate: given DER, that constructor first
 * searches for PEM text inside it, so that a certificate carrying another one in an extension would be read as the
 * other. Hence the PEM detour, and the comparison that also refuses trailing bytes.
 * @throws CertificateError "unreadable-certificate"
 */
export function readCertificate(der: Uint8Array): X509Certificate {
  if (der.byteLength > MAX_CERTIFICATE_BYTES) throw unreadable();
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(certificatePem(der));
  } catch (cause) {
    throw unreadable(cause);
  }
  if (!equalBytes(certificate.raw, der)) throw unreadable();
  return certificate;
}

/** PEM text of a DER certificate, as Node's TLS wants it. */
export function certificatePem(der: Uint8Array): string {
  const base64 = Buffer.from(der).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const unreadable = (cause?: unknown): CertificateError =>
  new CertificateError("unreadable-certificate", "these bytes are not one DER certificate", {
    cause,
  });
