import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_COHORT } from "../../base/limits.ts";
import { chooseGrid, MAX_GRID_EXPONENT, MAX_WEIGHT_CAP, roundingTerm } from "../grid.ts";

const good = { elementBound: 8, weightCap: 1024, maxCohort: 64 };

test.each([
  ["a product of 2^19", good, 32],
  ["one more in the cohort halves the grid", { ...good, maxCohort: 65 }, 31],
  ["the largest product", { elementBound: 8, weightCap: 2 ** 19, maxCohort: 1 }, 29],
  ["a bound that is no power of two", { elementBound: 0.1, weightCap: 10, maxCohort: 1 }, 50],
  [
    "a tiny bound stops at the cap",
    { elementBound: 1e-30, weightCap: 1, maxCohort: 1 },
    MAX_GRID_EXPONENT,
  ],
  ["the smallest number", { elementBound: 5e-324, weightCap: 1, maxCohort: 1 }, MAX_GRID_EXPONENT],
  ["ten thousand clients of one example", { elementBound: 8, weightCap: 1, maxCohort: 10_000 }, 34],
])("%s", (_what, bounds, gridExponent) => {
  expect(chooseGrid(bounds)).toEqual({
    gridExponent,
    worstRoundingError: 2 ** -(gridExponent + 1),
  });
});

test.each([
  ["no element bound", { ...good, elementBound: 0 }, "element-bound-out-of-range"],
  ["a negative element bound", { ...good, elementBound: -8 }, "element-bound-out-of-range"],
  ["an infinite element bound", { ...good, elementBound: Infinity }, "element-bound-out-of-range"],
  ["NaN as element bound", { ...good, elementBound: Number.NaN }, "element-bound-out-of-range"],
  ["a weight cap of 0", { ...good, weightCap: 0 }, "weight-cap-out-of-range"],
  ["a fractional weight cap", { ...good, weightCap: 1.5 }, "weight-cap-out-of-range"],
  ["a weight cap past 2^29", { ...good, weightCap: MAX_WEIGHT_CAP + 1 }, "weight-cap-out-of-range"],
  ["a cohort of 0", { ...good, maxCohort: 0 }, "cohort-out-of-range"],
  ["a cohort past the limit", { ...good, maxCohort: MAX_COHORT + 1 }, "cohort-out-of-range"],
  [
    "one past the largest product",
    { elementBound: 8, weightCap: 2 ** 19 + 1, maxCohort: 1 },
    "rounding-error-too-large",
  ],
  [
    "an element bound just past a power of two",
    { elementBound: 2 ** 22 * (1 + Number.EPSILON), weightCap: 1, maxCohort: 1 },
    "rounding-error-too-large",
  ],
  ["the largest float64", { ...good, elementBound: Number.MAX_VALUE }, "rounding-error-too-large"],
])("refuses %s", (_what, bounds, code) => {
  expect(() => chooseGrid(bounds)).toThrow(
    expect.objectContaining({ refusals: [expect.objectContaining({ code })] }),
  );
});

test("every reason is told at once", () => {
  const bad = { elementBound: 0, weightCap: 0, maxCohort: 0 };
  expect(() => chooseGrid(bad)).toThrow(
    expect.objectContaining({ refusals: [{}, {}, {}].map(() => expect.anything()) }),
  );
});

test("the chosen grid holds every sum and the next finer one would not", () => {
  const bounds = fc.record({
    elementBound: fc.double({ min: 2 ** -8, max: 8, noNaN: true }),
    weightCap: fc.integer({ min: 1, max: 512 }),
    maxCohort: fc.integer({ min: 1, max: 1000 }),
  });
  fc.assert(
    fc.property(bounds, (given) => {
      const { gridExponent } = chooseGrid(given);
      // Scaled by 2^60 the bound is an integer, so this is exact.
      const product =
        BigInt(given.elementBound * 2 ** 60) * BigInt(given.weightCap * given.maxCohort);
      const scaled = product << BigInt(gridExponent);
      expect(scaled <= 1n << 111n).toBe(true);
      expect(scaled << 1n > 1n << 111n).toBe(true);
    }),
  );
});

test("adding and subtracting M rounds to the grid, ties to even, over its whole range", () => {
  const M = roundingTerm(30);
  const step = 2 ** -30;
  const round = (x: number): number => x + M - M;
  expect([0.4, 0.5, 0.6, 1.5, -0.5, -1.5].map((x) => round(x * step) / step)).toEqual([
    0, 0, 1, 2, 0, -2,
  ]);
  for (const edge of [2 ** 21, -(2 ** 21)]) expect(round(edge)).toBe(edge);
  expect(round(2 ** 21 - 0.75 * step)).toBe(2 ** 21 - step);
  expect(round(-(2 ** 21) + 0.75 * step)).toBe(-(2 ** 21) + step);
  expect(Object.is(round(-0), 0)).toBe(true);
});
