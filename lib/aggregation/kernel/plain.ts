/** The kernel in TypeScript: what the WebAssembly one must equal bit by bit, and its stand-in. */
import { aligned } from "../../tensors/floats.ts";
import { type Kernel, magnitudeOfBits } from "./kernel.ts";

const FLOAT_BYTES = 4;
const MAGNITUDE_BITS = 0x7fffffff;

/** Needs nothing but typed arrays. Several times slower than WebAssembly, and far slower without a JIT. */
export function plainKernel(): Kernel {
  return {
    name: "plain",
    openSegment: (elementCount) => {
      const sums = new Float64Array(elementCount);
      return {
        sums,
        fold: (source, firstElement, weight, magic) => {
          const x = floatsOf(source);
          foldInto(sums.subarray(firstElement, firstElement + x.length), x, weight, magic);
        },
      };
    },
    scan: (source, wantsSquares) => ({
      largest: magnitudeOfBits(largestBits(source)),
      sumOfSquares: wantsSquares ? sumOfSquares(floatsOf(source)) : 0,
    }),
  };
}

/** Unrolled: the reads, the arithmetic and the writes of eight elements overlap. */
function foldInto(sums: Float64Array, x: Float32Array, w: number, m: number): void {
  const end = x.length - (x.length % 8);
  let i = 0;
  for (; i < end; i += 8) {
    const a = w * (x[i] as number) + m - m;
    const b = w * (x[i + 1] as number) + m - m;
    const c = w * (x[i + 2] as number) + m - m;
    const d = w * (x[i + 3] as number) + m - m;
    const e = w * (x[i + 4] as number) + m - m;
    const f = w * (x[i + 5] as number) + m - m;
    const g = w * (x[i + 6] as number) + m - m;
    const h = w * (x[i + 7] as number) + m - m;
    (sums[i] as number) += a;
    (sums[i + 1] as number) += b;
    (sums[i + 2] as number) += c;
    (sums[i + 3] as number) += d;
    (sums[i + 4] as number) += e;
    (sums[i + 5] as number) += f;
    (sums[i + 6] as number) += g;
    (sums[i + 7] as number) += h;
  }
  for (; i < x.length; i++) (sums[i] as number) += w * (x[i] as number) + m - m;
}

function largestBits(source: Uint8Array): number {
  const { buffer, byteOffset } = aligned(source, FLOAT_BYTES);
  const words = new Int32Array(buffer, byteOffset, source.byteLength / FLOAT_BYTES);
  let largest = 0;
  for (let i = 0; i < words.length; i++) {
    const magnitude = (words[i] as number) & MAGNITUDE_BITS;
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

function sumOfSquares(x: Float32Array): number {
  const s = new Float64Array(8);
  for (let i = 0; i < x.length; i++) {
    const value = x[i] as number;
    (s[i & 7] as number) += value * value;
  }
  const [s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0] = s;
  return s0 + s1 + (s2 + s3) + (s4 + s5 + (s6 + s7));
}

function floatsOf(source: Uint8Array): Float32Array {
  const { buffer, byteOffset } = aligned(source, FLOAT_BYTES);
  return new Float32Array(buffer, byteOffset, source.byteLength / FLOAT_BYTES);
}
