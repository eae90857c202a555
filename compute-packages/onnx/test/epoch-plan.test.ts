import { expect, test } from "vitest";
import { planEpoch } from "../epoch-plan.ts";

const given = { exampleCount: 10_000, masks: {}, batchSize: 10, stepWork: 1 };
const masks = { mask: { shape: [1024, 1024], keepPer256: 128 } };

test.each([
  ["all steps in one run", given, 8192],
  ["as many steps as the work allows", { ...given, stepWork: 2 ** 31 }, 8],
  ["one step when it is more than a run should be", { ...given, stepWork: 2 ** 36 }, 1],
  ["as many steps as masks may have bytes", { ...given, masks }, 6],
  ["one step when its masks alone are past the limit", { ...given, batchSize: 1000, masks }, 1],
])("a run has %s", (_what, options, stepsPerRun) => {
  const plan = planEpoch(options);
  expect(plan.stepsPerRun).toBe(stepsPerRun);
  expect(plan.stepCount).toBe(10_000 / options.batchSize);
});

test("examples that fill no batch are no step, and masks come in the order of their names", () => {
  const both = { b: { shape: [1], keepPer256: 1 }, a: { shape: [2], keepPer256: 2 } };
  const plan = planEpoch({ ...given, exampleCount: 19, masks: both });
  expect(plan.stepCount).toBe(1);
  expect(plan.masks.map(([name]) => name)).toEqual(["a", "b"]);
});
