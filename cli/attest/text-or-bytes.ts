/** Files that hold either bytes or a text that stands for bytes. */
import { findPemBlocks, type PemBlock } from "../../lib/attestation/encoding/pem.ts";

/** Control characters that no text has; DER, quotes and reports have some within their first bytes. */
const CONTROL_END = 0x20;
const WHITE_SPACE = new Set([0x09, 0x0a, 0x0c, 0x0d]);

/** Whether a file is text. Asked before any PEM is looked for: certificates and quotes carry PEM inside of them. */
export const isText = (file: Uint8Array): boolean =>
  file.every((byte) => byte >= CONTROL_END || WHITE_SPACE.has(byte));

/**
 * The blocks of a text file; none for a file of bytes, whatever PEM it carries.
 * @throws EvidenceError "malformed-pem" | "too-large"
 */
export const pemBlocksOf = (file: Uint8Array): readonly PemBlock[] =>
  isText(file) ? findPemBlocks(file) : [];
