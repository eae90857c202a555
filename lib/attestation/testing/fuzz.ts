/** Inputs that nobody would write, the same for the same seed. */
import { concatBytes } from "../../base/bytes.ts";

/** A whole number from 0 up to, but without, the bound. */
export type Dice = (bound: number) => number;

/** xorshift32. @param seed  not 0 */
export function diceFrom(seed: number): Dice {
  let state = seed >>> 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** Bytes of which any may have any value. */
export const randomBytes = (length: number, dice: Dice): Uint8Array =>
  Uint8Array.from({ length }, () => dice(256));

/** Longest span that is changed at once; often much shorter. */
const MAX_SPAN = 64;
/** Values that lengths and counters break at. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff];

type Change = (bytes: Uint8Array, at: number, span: number, dice: Dice) => Uint8Array;

const replaced = (bytes: Uint8Array, at: number, span: number, by: Uint8Array): Uint8Array =>
  concatBytes(bytes.subarray(0, at), by, bytes.subarray(at + span));

const CHANGES: readonly Change[] = [
  (bytes, at, _, dice) => bytes.with(at, (bytes[at] ?? 0) ^ (1 << dice(8))),
  (bytes, at, _, dice) => bytes.with(at, EDGES[dice(EDGES.length)] ?? 0),
  (bytes, at, span) => replaced(bytes, at, span, new Uint8Array(span)),
  (bytes, at, span) => replaced(bytes, at, span, new Uint8Array(span).fill(0xff)),
  (bytes, at, span, dice) => replaced(bytes, at, span, randomBytes(span, dice)),
  (bytes, at, span) => replaced(bytes, at, span, new Uint8Array()),
  (bytes, at, span, dice) => replaced(bytes, at, 0, randomBytes(span, dice)),
  (bytes, at, span) => replaced(bytes, at, 0, bytes.subarray(at, at + span)),
  (bytes, at, span, dice) => {
    const from = dice(bytes.byteLength);
    return replaced(bytes, at, span, bytes.subarray(from, from + span));
  },
  (bytes, at) => bytes.subarray(0, at),
  (bytes, _, span, dice) => replaced(bytes, bytes.byteLength, 0, randomBytes(dice(span) + 1, dice)),
];

/** A copy with one to four changes: bits, edges, zeros, spans cut out, repeated, moved or added, or an end cut off. */
export function mangled(bytes: Uint8Array, dice: Dice): Uint8Array {
  let copy = bytes;
  for (let left = 1 + dice(4); left > 0; left -= 1) {
    if (copy.byteLength === 0) return copy;
    const at = dice(copy.byteLength);
    const span = 1 + dice(dice(MAX_SPAN) + 1);
    copy = CHANGES[dice(CHANGES.length)]?.(copy, at, span, dice) ?? copy;
  }
  return copy;
}
