/** PEM (RFC 7468): one canonical spelling inside evidence and collateral, any spelling in files that people hand us. */
import { fromBase64 } from "../../base/base64.ts";
import { certificatePem } from "../../base/certificate.ts";
import { EvidenceError } from "../evidence-error.ts";

/** Largest chain that is read. */
export const MAX_PEM_CHAIN_BYTES = 64 * 1024;
/** Largest PEM file that is read. */
export const MAX_PEM_FILE_BYTES = 1024 * 1024;

const END_LINE = "-----END CERTIFICATE-----";

/**
 * Certificates of a chain in canonical PEM: nothing but CERTIFICATE blocks, base64 in lines of 64 characters without
 * stray bits, LF throughout or CRLF throughout; the last line end may be missing and one NUL may follow. Nobody signs
 * this text, so it may not vary further: what is read must be exactly what would be written.
 *
 * @returns DER, in order, at least one
 * @throws EvidenceError "malformed-pem" | "too-large"
 */
export function parsePemChain(pem: Uint8Array | string): readonly Uint8Array[] {
  if (pem.length > MAX_PEM_CHAIN_BYTES) throw new EvidenceError("too-large", "PEM chain");
  const text = typeof pem === "string" ? pem : Buffer.from(pem).toString("latin1");
  const lineEnd = text.includes("\r") ? "\r\n" : "\n";
  let rest = text.endsWith("\0") ? text.slice(0, -1) : text;
  if (!rest.endsWith(lineEnd)) rest += lineEnd;
  const certificates: Uint8Array[] = [];
  do {
    const end = rest.indexOf(END_LINE);
    const begin = rest.indexOf("\n") + 1;
    const der = new Uint8Array(Buffer.from(rest.slice(begin, Math.max(end, 0)), "base64"));
    const canonical = certificatePem(der).replaceAll("\n", lineEnd);
    if (der.byteLength === 0 || !rest.startsWith(canonical)) {
      const place = `certificate ${certificates.length + 1}`;
      throw new EvidenceError("malformed-pem", `${place} of the chain is not canonical PEM`);
    }
    certificates.push(der);
    rest = rest.slice(canonical.length);
  } while (rest !== "");
  return certificates;
}

/** A block of a PEM file. */
export type PemBlock = {
  /** "CERTIFICATE", "X509 CRL". */
  readonly label: string;
  readonly der: Uint8Array;
};

/**
 * All blocks of a PEM file in order, whatever text surrounds them and however lines are broken. Text dumps of
 * certificates may hold PEM of their own (a quote's chain), so a reader that wants one certificate must refuse several.
 *
 * @returns none if the file holds no line that begins a block
 * @throws EvidenceError "malformed-pem" for a block that is begun but not ended, or is not base64; "too-large"
 */
export function findPemBlocks(file: Uint8Array | string): readonly PemBlock[] {
  if (file.length > MAX_PEM_FILE_BYTES) throw new EvidenceError("too-large", "PEM file");
  const text = typeof file === "string" ? file : Buffer.from(file).toString("utf8");
  const blocks: PemBlock[] = [];
  const beginLine = /^\uFEFF?-----BEGIN ([A-Z0-9 ]{1,32})-----[ \t]*\r?$/gm;
  for (let begin = beginLine.exec(text); begin !== null; begin = beginLine.exec(text)) {
    const label = begin[1] ?? "";
    const end = text.indexOf(`\n-----END ${label}-----`, begin.index);
    const body = text.slice(beginLine.lastIndex, Math.max(end, 0));
    const der = fromBase64(body.replace(/\s/g, ""));
    if (end < 0 || der === undefined || der.byteLength === 0) {
      throw new EvidenceError("malformed-pem", `block ${blocks.length + 1} of the PEM file`);
    }
    blocks.push({ label, der });
    beginLine.lastIndex = end + 1;
  }
  return blocks;
}
