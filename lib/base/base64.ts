/** Standard base64 (RFC 4648 §4) with padding, in one spelling only. */

/** Base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/**
 * Bytes of base64 text; undefined unless writing them again gives the same text. Refuses what lenient decoders
 * pass over: missing padding, the URL alphabet, white space, stray bits in the last character.
 */
export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Buffer.from(text, "base64"));
  return toBase64(bytes) === text ? bytes : undefined;
}
