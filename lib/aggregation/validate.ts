/** The one validator in front of all arithmetic on updates: what it admits can be summed exactly. */
import { equalBytes } from "../base/bytes.ts";
import { type Refusal, refusal } from "../base/refusal.ts";
import { dtypeSizeBytes, type TrainableDtype } from "../tensors/dtype.ts";
import { readFloats } from "../tensors/floats.ts";
import type { TensorLayout } from "../tensors/layout.ts";
import { type Block, BlockFeed, planBlocks } from "./blocks.ts";
import { BLOCK_BYTES, type Kernel, type Scan } from "./kernel/kernel.ts";
import { selectKernel } from "./kernel/select-kernel.ts";

export type UpdateLimits = {
  /** Largest |Δ| of one element, inclusive. */
  readonly elementBound: number;
  /** Largest L2 norm over all elements, inclusive; absent means the element bound is the only one. */
  readonly normBound?: number;
  /** Largest example count, inclusive. */
  readonly weightCap: number;
  /** q of the session's grid (grid.ts). */
  readonly gridExponent: number;
};

export type UpdateRefusalCode =
  | "wrong-size"
  | "wrong-layout"
  | "non-finite"
  | "element-too-large"
  | "norm-too-large";

/** Takes a body as it arrives. Refusals name tensors and bounds, never values: those are the client's. */
export type UpdateValidator = {
  /** The next bytes, any number of them; not kept. */
  readonly push: (chunk: Uint8Array) => void;
  /** Every reason to refuse the body; empty means it may be folded. Call once, after the last chunk. */
  readonly finish: () => readonly Refusal<UpdateRefusalCode>[];
};

/**
 * Validates a whole update body: exact header of the layout, exact size, every element finite and within its
 * bound, norm within its bound.
 * @param layout  the trainable layout of the session's model
 */
export function validateUpdate(
  body: Uint8Array,
  layout: TensorLayout,
  limits: UpdateLimits,
  kernel: Kernel = selectKernel(),
): readonly Refusal<UpdateRefusalCode>[] {
  const validator = createUpdateValidator(layout, limits, kernel);
  validator.push(body);
  return validator.finish();
}

/** The same for a body in chunks; how it is cut changes neither verdict nor reasons. */
export function createUpdateValidator(
  layout: TensorLayout,
  limits: UpdateLimits,
  kernel: Kernel = selectKernel(),
): UpdateValidator {
  const elements = new ElementCheck(layout, limits, kernel);
  const feed = new BlockFeed(planBlocks(layout), (block, bytes) => elements.check(block, bytes));
  const check = createLayoutCheck(layout, (bytes) => feed.push(bytes));
  return {
    push: check.push,
    finish: () => {
      const found = check.refusals();
      return found.length > 0 ? found : elements.refusals();
    },
  };
}

/** Every reason why an example count cannot weigh an update: it must be an integer from 1 to the cap. */
export function validateWeight(
  exampleCount: number,
  limits: Pick<UpdateLimits, "weightCap">,
): readonly Refusal<"weight-out-of-range">[] {
  const { weightCap } = limits;
  if (Number.isInteger(exampleCount) && exampleCount >= 1 && exampleCount <= weightCap) return [];
  return [refusal("weight-out-of-range", exampleCount, `an integer from 1 to ${weightCap}`)];
}

/** Compares header and size; hands on what lies behind the header as long as both are right. */
export function createLayoutCheck(layout: TensorLayout, onData: (bytes: Uint8Array) => void) {
  const { header, sizeBytes } = layout;
  let seenBytes = 0;
  let isLayout = true;
  return {
    push(chunk: Uint8Array): void {
      const begin = seenBytes;
      seenBytes += chunk.byteLength;
      const headerPart = chunk.subarray(0, Math.max(header.byteLength - begin, 0));
      isLayout &&= equalBytes(headerPart, header.subarray(begin, begin + headerPart.byteLength));
      if (isLayout && seenBytes <= sizeBytes) onData(chunk.subarray(headerPart.byteLength));
    },
    refusals(): readonly Refusal<"wrong-size" | "wrong-layout">[] {
      const found: Refusal<"wrong-size" | "wrong-layout">[] = [];
      if (seenBytes !== sizeBytes) found.push(refusal("wrong-size", seenBytes, sizeBytes));
      if (!isLayout) {
        found.push(refusal("wrong-layout", "another header", "names, dtypes, shapes of the model"));
      }
      return found;
    },
  };
}

/** Name of the tensor that a byte of the body belongs to. */
export function tensorNameAt(layout: TensorLayout, offsetBytes: number): string {
  return (
    layout.tensors.findLast((t) => t.offsetBytes <= offsetBytes && t.sizeBytes > 0)?.name ?? ""
  );
}

class ElementCheck {
  readonly #layout: TensorLayout;
  readonly #limits: UpdateLimits;
  readonly #kernel: Kernel;
  #values: Float64Array | undefined;
  #nonFiniteAt: number | undefined;
  #tooLargeAt: number | undefined;
  #sumOfSquares = 0;

  constructor(layout: TensorLayout, limits: UpdateLimits, kernel: Kernel) {
    this.#layout = layout;
    this.#limits = limits;
    this.#kernel = kernel;
  }

  check(block: Block, bytes: Uint8Array): void {
    const { largest, sumOfSquares } = this.#scan(block.dtype, bytes);
    const allFinite = largest !== undefined;
    if (!allFinite || (largest > this.#limits.elementBound && this.#tooLargeAt === undefined)) {
      this.#locate(block, bytes);
    }
    this.#sumOfSquares += sumOfSquares;
  }

  refusals(): readonly Refusal<UpdateRefusalCode>[] {
    const { elementBound, normBound } = this.#limits;
    const found: Refusal<UpdateRefusalCode>[] = [];
    if (this.#nonFiniteAt !== undefined) {
      const name = tensorNameAt(this.#layout, this.#nonFiniteAt);
      found.push(refusal("non-finite", `tensor ${name}`, "finite elements"));
    }
    if (this.#tooLargeAt !== undefined) {
      const name = tensorNameAt(this.#layout, this.#tooLargeAt);
      found.push(refusal("element-too-large", `tensor ${name}`, `at most ${elementBound}`));
    }
    const hasNorm = this.#nonFiniteAt === undefined && normBound !== undefined;
    if (hasNorm && this.#sumOfSquares > normBound * normBound) {
      found.push(refusal("norm-too-large", "a larger L2 norm", normBound));
    }
    return found;
  }

  #scan(dtype: TrainableDtype, bytes: Uint8Array): Scan {
    const wantsSquares = this.#limits.normBound !== undefined;
    if (dtype === "F32") return this.#kernel.scan(bytes, wantsSquares);
    const values = this.#read(dtype, bytes);
    let largest = 0;
    let sumOfSquares = 0;
    for (const value of values) {
      const magnitude = Math.abs(value);
      if (!(magnitude <= largest)) largest = magnitude;
      if (wantsSquares) sumOfSquares += value * value;
      if (!Number.isFinite(magnitude)) return { largest: undefined, sumOfSquares: Number.NaN };
    }
    return { largest, sumOfSquares };
  }

  /** Finds the first offender of each kind; off the fast path. */
  #locate(block: Block, bytes: Uint8Array): void {
    const size = dtypeSizeBytes(block.dtype);
    const values = this.#read(block.dtype, bytes);
    for (let i = 0; i < values.length; i++) {
      const magnitude = Math.abs(values[i] ?? 0);
      if (!(magnitude < Infinity)) this.#nonFiniteAt ??= block.offsetBytes + i * size;
      else if (magnitude > this.#limits.elementBound) {
        this.#tooLargeAt ??= block.offsetBytes + i * size;
      }
    }
  }

  #read(dtype: TrainableDtype, bytes: Uint8Array): Float64Array {
    this.#values ??= new Float64Array(BLOCK_BYTES / 2);
    const values = this.#values.subarray(0, bytes.byteLength / dtypeSizeBytes(dtype));
    readFloats(dtype, bytes, values);
    return values;
  }
}
