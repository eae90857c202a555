/** The server's step of a round: global model and mean update to the next global model. */
import { assertInvariant, printable } from "../base/refusal.ts";
import { dtypeSizeBytes, isTrainable } from "../tensors/dtype.ts";
import { readFloats, writeFloats } from "../tensors/floats.ts";
import { type TensorLayout, trainableLayout } from "../tensors/layout.ts";
import { tensorBytes } from "../tensors/safetensors.ts";
import { AggregationError } from "./aggregation-error.ts";
import { closeState, initialState, type OptimizerState, openState } from "./optimizer-state.ts";
import { type AggregatorSettings, adaptiveStep, assertAdaptiveSettings } from "./optimizers.ts";

export type { AggregatorSettings } from "./optimizers.ts";

/** Exact sums of a round; a GridSum is one. */
export type RoundSum = {
  /** Σw ≥ 1. */
  readonly weightSum: number;
  /** Σ w·Δ of all trainable elements in layout order, in pieces of any length. */
  readonly segments: () => readonly Float64Array[];
};

export type MergeInput = {
  /** Canonical safetensors of the global model the round started from. */
  readonly base: Uint8Array;
  /** Of the base: all its tensors. */
  readonly layout: TensorLayout;
  readonly sum: RoundSum;
  readonly aggregator: AggregatorSettings;
  /** The state that the previous round returned; absent in the first round and for FedAvg. */
  readonly state?: Uint8Array;
  /** Where to write the model, as long as the base. May be the base itself, which is then overwritten. */
  readonly output?: Uint8Array;
};

export type MergedRound = { readonly model: Uint8Array; readonly state?: Uint8Array };

const STEP_ELEMENTS = 32_768;

/**
 * FedAvg (McMahan et al. 2017): base + Σw·Δ / Σw; FedAdam, FedYogi, FedAdagrad (Reddi et al. 2021): their step
 * with that mean. FedProx is FedAvg here: its term is the clients'. All arithmetic is float64 in layout order,
 * then rounded to the tensor's dtype, to nearest with ties to even. Other tensors are those of the base.
 * @returns the next model, in the base's layout, and the state for the next round unless the aggregator is FedAvg
 * @throws AggregationError "non-finite-result" if an element overflows its dtype or the base holds such an
 *   element, "wrong-state" if the state is of another model; an output that is the base is then half-written
 */
export function mergeRound(input: MergeInput): MergedRound {
  const { base, layout, sum, aggregator } = input;
  assertInvariant(base.byteLength === layout.sizeBytes, "the base has the layout's size");
  assertInvariant(Number.isSafeInteger(sum.weightSum) && sum.weightSum >= 1, "updates were summed");
  const model = input.output ?? new Uint8Array(layout.sizeBytes);
  assertInvariant(model.byteLength === layout.sizeBytes, "the output is as long as the base");
  if (aggregator.kind === "fedavg") {
    stepThrough(input, model, addInto);
    return { model };
  }
  assertAdaptiveSettings(aggregator);
  const trainable = trainableLayout(layout);
  const state: OptimizerState =
    input.state === undefined
      ? initialState(trainable, aggregator.initialSecondMoment)
      : openState(trainable, input.state);
  const step = state.step + 1;
  stepThrough(input, model, (x, mean, first) => {
    const m = state.m.subarray(first, first + x.length);
    const v = state.v.subarray(first, first + x.length);
    adaptiveStep(aggregator, step, x, mean, { m, v });
  });
  closeState(trainable, state, step);
  return { model, state: state.file };
}

/** Changes x in place; `first` is the index of its first element among all trainable ones. */
type Step = (x: Float64Array, mean: Float64Array, first: number) => void;

function stepThrough({ base, layout, sum }: MergeInput, model: Uint8Array, step: Step): void {
  const means = new MeanReader(sum);
  const scratch = new Float64Array(STEP_ELEMENTS);
  model.set(layout.header);
  for (const tensor of layout.tensors) {
    const from = tensorBytes(base, tensor);
    const to = tensorBytes(model, tensor);
    if (!isTrainable(tensor.dtype)) {
      to.set(from);
      continue;
    }
    const stepBytes = STEP_ELEMENTS * dtypeSizeBytes(tensor.dtype);
    for (let at = 0; at < tensor.sizeBytes; at += stepBytes) {
      const bytes = from.subarray(at, at + stepBytes);
      const x = scratch.subarray(0, bytes.byteLength / dtypeSizeBytes(tensor.dtype));
      readFloats(tensor.dtype, bytes, x);
      const first = means.position;
      step(x, means.read(x.length), first);
      if (!writeFloats(tensor.dtype, x, to.subarray(at, at + stepBytes))) {
        const name = printable(tensor.name);
        throw new AggregationError("non-finite-result", `${name} left the range of its dtype`);
      }
    }
  }
  means.end();
}

/** Walks the sums in order and divides: one correctly rounded division per element. */
class MeanReader {
  readonly #segments: readonly Float64Array[];
  readonly #weightSum: number;
  readonly #means = new Float64Array(STEP_ELEMENTS);
  #segmentIndex = 0;
  #at = 0;
  position = 0;

  constructor(sum: RoundSum) {
    this.#segments = sum.segments();
    this.#weightSum = sum.weightSum;
  }

  /** The next `count` means, at most STEP_ELEMENTS; valid until the next call. */
  read(count: number): Float64Array {
    const means = this.#means.subarray(0, count);
    for (let filled = 0; filled < count; ) {
      const segment = this.#segments[this.#segmentIndex];
      assertInvariant(segment !== undefined, "as many sums as trainable elements");
      const piece = segment.subarray(this.#at, this.#at + count - filled);
      divideInto(means.subarray(filled), piece, this.#weightSum);
      filled += piece.length;
      this.#at += piece.length;
      if (this.#at === segment.length) {
        this.#segmentIndex++;
        this.#at = 0;
      }
    }
    this.position += count;
    return means;
  }

  end(): void {
    assertInvariant(this.#segmentIndex === this.#segments.length, "every sum was used");
  }
}

function addInto(x: Float64Array, mean: Float64Array): void {
  for (let i = 0; i < x.length; i++) (x[i] as number) += mean[i] as number;
}

function divideInto(means: Float64Array, sums: Float64Array, weightSum: number): void {
  for (let i = 0; i < sums.length; i++) means[i] = (sums[i] as number) / weightSum;
}
