import type { MaskSpec } from "../format/manifest.ts";
import { MAX_MASK_BYTES_PER_RUN, MAX_RUN_WORK, MAX_STEPS_PER_RUN } from "./limits.ts";
import { sizeOf } from "./operator.ts";

/** Steps of one epoch: after the shuffle the last examples that fill no batch are left out. */
export type EpochPlan = {
  readonly batchSize: number;
  readonly stepCount: number;
  readonly stepsPerRun: number;
  readonly masks: readonly (readonly [name: string, spec: MaskSpec])[];
};

/**
 * How an epoch is divided. Each step is the same whatever the runs are, so the division changes no bit.
 * @param batchSize  at most exampleCount
 * @param stepWork  multiply-adds of one step
 */
export function planEpoch(given: {
  readonly exampleCount: number;
  readonly masks: { readonly [name: string]: MaskSpec };
  readonly batchSize: number;
  readonly stepWork: number;
}): EpochPlan {
  const { exampleCount, batchSize, stepWork } = given;
  const masks = Object.entries(given.masks).sort(([a], [b]) => (a < b ? -1 : 1));
  const maskBytes = masks.reduce((sum, [, spec]) => sum + batchSize * sizeOf(spec.shape), 1);
  const stepsPerRun = Math.min(
    MAX_STEPS_PER_RUN,
    Math.floor(MAX_MASK_BYTES_PER_RUN / maskBytes),
    Math.floor(MAX_RUN_WORK / stepWork),
  );
  return {
    batchSize,
    stepCount: Math.floor(exampleCount / batchSize),
    stepsPerRun: Math.max(1, stepsPerRun),
    masks,
  };
}
