/** A partial aggregate as combiners upload it: an index, then the sums (docs/wire-formats.md, "partial aggregate"). */
import { concatBytes, equalBytes, utf8 } from "../base/bytes.ts";
import { FederationError } from "./federation-error.ts";

const MAGIC = utf8("FCPART1\0");
const LENGTH_BYTES = 4;
const ALIGNMENT = 8;
/** About 300 bytes a signed header, for the largest cohort. */
export const MAX_PARTIAL_INDEX_BYTES = 8 * 1024 * 1024;

/** Where the parts of a partial lie. */
export type PartialFile = {
  /** PartialIndex, encoded. */
  readonly index: Uint8Array;
  /** Canonical safetensors of float64 grid sums. */
  readonly sums: Uint8Array;
};

/** The bytes to send: magic, index length (big-endian), index, zeros up to a multiple of 8. The sums follow. */
export function writePartialHead(index: Uint8Array): Uint8Array {
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setUint32(0, index.byteLength);
  const used = MAGIC.byteLength + LENGTH_BYTES + index.byteLength;
  return concatBytes(MAGIC, length, index, new Uint8Array(paddingAfter(used)));
}

/**
 * Finds the parts; both are views of the file, neither has been looked at.
 * @throws FederationError "bad-partial"
 */
export function parsePartialFile(file: Uint8Array): PartialFile {
  const start = MAGIC.byteLength + LENGTH_BYTES;
  if (file.byteLength < start || !equalBytes(file.subarray(0, MAGIC.byteLength), MAGIC)) {
    throw new FederationError("bad-partial", "a partial aggregate does not start with its magic");
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const indexBytes = view.getUint32(MAGIC.byteLength);
  const end = start + indexBytes;
  const sumsStart = end + paddingAfter(end);
  if (indexBytes > MAX_PARTIAL_INDEX_BYTES || sumsStart > file.byteLength) {
    throw new FederationError(
      "bad-partial",
      "a partial aggregate's index is longer than it may be",
    );
  }
  if (file.subarray(end, sumsStart).some((byte) => byte !== 0)) {
    throw new FederationError("bad-partial", "a partial aggregate's padding is not zero");
  }
  return { index: file.subarray(start, end), sums: file.subarray(sumsStart) };
}

const paddingAfter = (length: number): number => (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
