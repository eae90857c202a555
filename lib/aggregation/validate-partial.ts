/** The validator in front of merging: a partial that passes could have been summed from admitted updates. */
import { type Refusal, refusal } from "../base/refusal.ts";
import { readFloats } from "../tensors/floats.ts";
import { sumLayout, type TensorLayout } from "../tensors/layout.ts";
import { type Block, BlockFeed, planBlocks } from "./blocks.ts";
import { BLOCK_BYTES } from "./kernel/kernel.ts";
import { createLayoutCheck, tensorNameAt, type UpdateLimits } from "./validate.ts";

export type PartialRefusalCode =
  | "wrong-size"
  | "wrong-layout"
  | "non-finite"
  | "off-grid"
  | "sum-too-large"
  | "weight-out-of-range";

/** As UpdateValidator, for the sums of a partial aggregate. */
export type PartialValidator = {
  readonly push: (chunk: Uint8Array) => void;
  readonly finish: () => readonly Refusal<PartialRefusalCode>[];
};

const FLOAT_BYTES = 8;

/**
 * Validates the grid sums of a partial aggregate: exact header and size; every sum finite, on the grid, written
 * without negative zero, and no larger than elementBound times the weights, each of which may have been rounded
 * by half a step.
 * @param sumsBody  canonical safetensors of F64 sums, without the index in front of them
 * @param layout  the trainable layout of the session's model
 * @param weightSum  Σw over the partial's headers
 */
export function validatePartial(
  sumsBody: Uint8Array,
  layout: TensorLayout,
  limits: UpdateLimits,
  weightSum: number,
): readonly Refusal<PartialRefusalCode>[] {
  const validator = createPartialValidator(layout, limits, weightSum);
  validator.push(sumsBody);
  return validator.finish();
}

/** The same for sums in chunks; how they are cut changes neither verdict nor reasons. */
export function createPartialValidator(
  layout: TensorLayout,
  limits: UpdateLimits,
  weightSum: number,
): PartialValidator {
  const sums = sumLayout(layout);
  const check = new SumCheck(sums, limits, weightSum);
  const feed = new BlockFeed(planBlocks(sums), (block, bytes) => check.check(block, bytes));
  const layoutCheck = createLayoutCheck(sums, (bytes) => feed.push(bytes));
  const weightRefusals = refuseWeightSum(limits, weightSum);
  return {
    push: (chunk) => {
      if (weightRefusals.length === 0) layoutCheck.push(chunk);
    },
    finish: () => {
      if (weightRefusals.length > 0) return weightRefusals;
      const found = layoutCheck.refusals();
      return found.length > 0 ? found : check.refusals();
    },
  };
}

/** A larger Σw could leave the range in which sums are exact. */
function refuseWeightSum(
  { elementBound, gridExponent }: UpdateLimits,
  weightSum: number,
): readonly Refusal<"weight-out-of-range">[] {
  const largest = Math.floor(2 ** (51 - gridExponent) / elementBound);
  if (Number.isSafeInteger(weightSum) && weightSum >= 1 && weightSum <= largest) return [];
  return [refusal("weight-out-of-range", weightSum, `an integer from 1 to ${largest}`)];
}

class SumCheck {
  readonly #layout: TensorLayout;
  readonly #largestSum: number;
  readonly #toGrid: number;
  readonly #values = new Float64Array(BLOCK_BYTES / FLOAT_BYTES);
  readonly #foundAt = new Map<"non-finite" | "off-grid" | "sum-too-large", number>();

  constructor(layout: TensorLayout, { elementBound, gridExponent }: UpdateLimits, weight: number) {
    this.#layout = layout;
    this.#largestSum = weight * (elementBound + 2 ** -(gridExponent + 1));
    // From here to twice as much, float64 has steps of 2^-q: adding it rounds a magnitude to the grid.
    this.#toGrid = 2 ** (52 - gridExponent);
  }

  check(block: Block, bytes: Uint8Array): void {
    const values = this.#values.subarray(0, bytes.byteLength / FLOAT_BYTES);
    readFloats("F64", bytes, values);
    const largest = this.#largestSum;
    const toGrid = this.#toGrid;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      const magnitude = Math.abs(value);
      const isOnGrid = magnitude + toGrid - toGrid === magnitude;
      const isNegativeZero = value === 0 && 1 / value < 0;
      if (!(magnitude <= largest) || !isOnGrid || isNegativeZero) {
        this.#note(magnitude, block.offsetBytes + i * FLOAT_BYTES);
      }
    }
  }

  refusals(): readonly Refusal<PartialRefusalCode>[] {
    const wanted = {
      "non-finite": "finite sums",
      "sum-too-large": "at most elementBound times the weights",
      "off-grid": "multiples of the grid's step",
    };
    return [...this.#foundAt].map(([code, at]) =>
      refusal(code, `tensor ${tensorNameAt(this.#layout, at)}`, wanted[code]),
    );
  }

  #note(magnitude: number, at: number): void {
    const isTooLarge = magnitude > this.#largestSum;
    const code = isTooLarge ? "sum-too-large" : "off-grid";
    const reason = magnitude < Infinity ? code : "non-finite";
    if (!this.#foundAt.has(reason)) this.#foundAt.set(reason, at);
  }
}
