/** Seeded random numbers: AES-256-CTR over zeros, keyed anew for each purpose and epoch. */
import { createCipheriv } from "node:crypto";
import { lengthPrefixed, sha256, uint64Bytes, utf8 } from "../../lib/base/bytes.ts";

/** Domain separation; registered in docs/wire-formats.md. */
const DOMAIN = utf8("fedclave/keystream/1\0");
const ZERO_IV = new Uint8Array(16);
/** Bytes made at a time for single numbers. */
const BUFFER_BYTES = 16 * 1024;
const ZEROS = new Uint8Array(BUFFER_BYTES);

/** A stream of uniform bits. Calls of different kinds may be mixed; each goes on where the last one ended. */
export type Keystream = {
  /** The next `sizeBytes` bytes, at most 16 KiB. */
  readonly bytes: (sizeBytes: number) => Uint8Array;
  /** Uniform integer of 0 to bound − 1, without bias. @param bound  1 to 2^32 */
  readonly below: (bound: number) => number;
  /** Uniform multiple of 2^-53 of 0 to 1 − 2^-53. */
  readonly unit: () => number;
};

/** Most bytes that one call of Keystream.bytes gives. */
export const MAX_KEYSTREAM_READ_BYTES = BUFFER_BYTES;

/**
 * @param seed  32 bytes; who knows them knows all numbers
 * @param purpose  what the numbers are for, so that no two uses share any
 * @param epoch  integer ≥ 0
 */
export function createKeystream(seed: Uint8Array, purpose: string, epoch: number): Keystream {
  const key = sha256(
    DOMAIN,
    lengthPrefixed(seed),
    lengthPrefixed(utf8(purpose)),
    uint64Bytes(epoch),
  );
  const cipher = createCipheriv("aes-256-ctr", key, ZERO_IV);
  const bytes = (sizeBytes: number): Uint8Array => cipher.update(ZEROS.subarray(0, sizeBytes));

  let words: DataView = new DataView(new ArrayBuffer(0));
  let at = 0;
  const word = (): number => {
    if (at === words.byteLength) {
      const fresh = bytes(BUFFER_BYTES);
      words = new DataView(fresh.buffer, fresh.byteOffset, fresh.byteLength);
      at = 0;
    }
    at += 4;
    return words.getUint32(at - 4, true);
  };

  return {
    bytes,
    // Lemire 2019, "Fast random integer generation in an interval", algorithm 5, on 32-bit words.
    below: (bound) => {
      let product = multiply(word(), bound);
      if (product.low < bound) {
        const threshold = (2 ** 32 - bound) % bound;
        while (product.low < threshold) product = multiply(word(), bound);
      }
      return product.high;
    },
    unit: () => {
      const high = word() >>> 5;
      return (high * 2 ** 26 + (word() >>> 6)) * 2 ** -53;
    },
  };
}

/** The 64-bit product of two integers below 2^32 (b may be 2^32), in halves; every step is exact in float64. */
function multiply(a: number, b: number): { readonly high: number; readonly low: number } {
  const lowPart = (a & 0xffff) * b;
  const highPart = (a >>> 16) * b + Math.floor(lowPart / 65_536);
  return {
    high: Math.floor(highPart / 65_536),
    low: (highPart % 65_536) * 65_536 + (lowPart % 65_536),
  };
}
