/** What chance decides in training: the order of the examples and the dropout masks. */
import { createKeystream, type Keystream, MAX_KEYSTREAM_READ_BYTES } from "./keystream.ts";

/** Fills `order` with a uniform permutation of 0 … length − 1 (Fisher–Yates). */
export function shuffle(order: Int32Array, stream: Keystream): void {
  for (let index = 0; index < order.length; index++) order[index] = index;
  for (let last = order.length - 1; last > 0; last--) {
    const chosen = stream.below(last + 1);
    const moved = order[chosen] ?? 0;
    order[chosen] = order[last] ?? 0;
    order[last] = moved;
  }
}

/** Fills `mask` with 1 where the stream's byte is below `keepPer256`, else 0. */
export function fillMask(mask: Uint8Array, keepPer256: number, stream: Keystream): void {
  for (let start = 0; start < mask.length; start += MAX_KEYSTREAM_READ_BYTES) {
    const part = mask.subarray(start, start + MAX_KEYSTREAM_READ_BYTES);
    const bytes = stream.bytes(part.length);
    for (let index = 0; index < part.length; index++) {
      // The difference of two bytes is negative, and so has its top bit set, exactly when the first is less.
      part[index] = ((bytes[index] ?? 0) - keepPer256) >>> 31;
    }
  }
}

/** The stream that orders the examples of an epoch. */
export const shuffleStream = (seed: Uint8Array, epoch: number): Keystream =>
  createKeystream(seed, "shuffle", epoch);

/** The stream of one mask in an epoch. */
export const maskStream = (seed: Uint8Array, epoch: number, mask: string): Keystream =>
  createKeystream(seed, `mask/${mask}`, epoch);
