/** The sums of open rounds. Which updates they hold is the core's to know. */
import { createGridSum, type GridSum } from "../../lib/aggregation/grid-sum.ts";
import { equalBytes } from "../../lib/base/bytes.ts";
import { assertInvariant } from "../../lib/base/refusal.ts";
import { type RoundKey, roundText } from "../../lib/base/round-key.ts";
import type { TensorLayout } from "../../lib/tensors/layout.ts";

type HeldSum = {
  readonly sum: GridSum;
  readonly layout: TensorLayout;
  readonly gridExponent: number;
};

export type RoundSums = {
  /** Adds w·Δ of a validated body. @param layout  the trainable layout of the round's base model */
  readonly fold: (
    key: RoundKey,
    terms: { readonly layout: TensorLayout; readonly gridExponent: number },
    update: { readonly body: Uint8Array; readonly exampleCount: number },
  ) => void;
  readonly drop: (key: RoundKey) => void;
  /** Of a round that has folds; its parts are views that later folds change. */
  readonly of: (key: RoundKey) => GridSum;
  readonly count: () => number;
};

/** Holds one grid sum for each open attempt, until it is dropped. */
export function roundSums(): RoundSums {
  const held = new Map<string, HeldSum>();
  // One dropped sum is kept to be used again: round follows round with the same layout, and memory of this size
  // is slow to come and slower to be freed.
  let spare: HeldSum | undefined;

  function open(layout: TensorLayout, gridExponent: number): HeldSum {
    const before = spare;
    spare = undefined;
    const fits =
      before?.gridExponent === gridExponent && equalBytes(before.layout.header, layout.header);
    if (before === undefined || !fits) {
      return { sum: createGridSum(layout, gridExponent), layout, gridExponent };
    }
    before.sum.reset();
    return before;
  }

  return {
    fold: (key, { layout, gridExponent }, { body, exampleCount }) => {
      const id = roundText(key);
      const entry = held.get(id) ?? open(layout, gridExponent);
      held.set(id, entry);
      entry.sum.fold(body, exampleCount);
    },
    drop: (key) => {
      const id = roundText(key);
      spare = held.get(id) ?? spare;
      held.delete(id);
    },
    of: (key) => {
      const entry = held.get(roundText(key));
      assertInvariant(entry !== undefined, "a partial is asked of a round with folds");
      return entry.sum;
    },
    count: () => held.size,
  };
}
