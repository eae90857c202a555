/** Port: the loops over float32 input. Adapters give the same bits, so a session may mix them. */

/** Bytes of the staging slot and most bytes of one call: the slot and its sums stay in a second-level cache. */
export const BLOCK_BYTES = 256 * 1024;

export type Kernel = {
  readonly name: "wasm-simd" | "plain";
  /** Sums of elementCount elements, all 0. Memory is taken here and freed with the last reference. */
  readonly openSegment: (elementCount: number) => KernelSegment;
  /**
   * One pass over float32 elements, in this order for the squares: eight running sums, one per index mod 8,
   * then ((s0+s1)+(s2+s3))+((s4+s5)+(s6+s7)).
   * @param source  whole elements, at most BLOCK_BYTES, at any alignment
   */
  readonly scan: (source: Uint8Array, wantsSquares: boolean) => Scan;
};

export type KernelSegment = {
  readonly sums: Float64Array;
  /**
   * sums[firstElement + i] += (weight · x[i] + magic) − magic for every float32 x of the source. Checks nothing
   * about the numbers: that is the validator's part.
   * @param source  whole elements, at most BLOCK_BYTES, at any alignment
   */
  readonly fold: (source: Uint8Array, firstElement: number, weight: number, magic: number) => void;
};

export type Scan = {
  /** The largest |x|; undefined if any x is not finite. */
  readonly largest: number | undefined;
  /** 0 if not wanted. */
  readonly sumOfSquares: number;
};

/** The value of the largest |x| from its bits, which order like magnitudes; infinity's and NaN's are above. */
export function magnitudeOfBits(bits: number): number | undefined {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits);
  const value = view.getFloat32(0);
  return Number.isFinite(value) ? value : undefined;
}
