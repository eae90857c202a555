import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes } from "../../base/bytes.ts";
import { chooseGrid } from "../grid.ts";
import { createGridSum } from "../grid-sum.ts";
import { bodyOf, unaligned, vectorLayout } from "../testing/bodies.ts";
import type { UpdateLimits } from "../validate.ts";
import { createPartialValidator, validatePartial } from "../validate-partial.ts";

const bounds = { elementBound: 8, weightCap: 1000, maxCohort: 100 };
const { gridExponent } = chooseGrid(bounds);
const limits: UpdateLimits = { ...bounds, gridExponent };
const step = 2 ** -gridExponent;
const layout = vectorLayout("F32", 3);
const codes = (refusals: readonly { readonly code: string }[]): string[] =>
  refusals.map(({ code }) => code);

test.each([
  ["the base", [1, -2, 3], 10, []],
  ["the bound itself", [80, -80, 0], 10, []],
  ["one step of the grid", [step, -step, 0], 10, []],
  ["NaN", [1, Number.NaN, 3], 10, ["non-finite"]],
  ["infinity", [1, 2, -Infinity], 10, ["non-finite"]],
  ["half a step", [step / 2, 0, 0], 10, ["off-grid"]],
  ["a tiny number", [5e-324, 0, 0], 10, ["off-grid"]],
  ["a large sum off the grid by its last bit", [0, 79 + 2 ** -46, 0], 10, ["off-grid"]],
  ["negative zero", [-0, 0, 0], 10, ["off-grid"]],
  ["more than the weights allow", [80.5, 0, 0], 10, ["sum-too-large"]],
  ["a finite number past everything", [0, -1e300, 0], 10, ["sum-too-large"]],
  ["all at once", [Number.NaN, 81, step / 2], 10, ["non-finite", "sum-too-large", "off-grid"]],
  ["no weight", [0, 0, 0], 0, ["weight-out-of-range"]],
  ["a fractional weight", [0, 0, 0], 1.5, ["weight-out-of-range"]],
  [
    "more weight than the grid holds",
    [0, 0, 0],
    2 ** (51 - gridExponent - 3) + 1,
    ["weight-out-of-range"],
  ],
  ["as much weight as the grid holds", [0, 0, 0], 2 ** (51 - gridExponent - 3), []],
])("%s", (_what, sums, weightSum, expected) => {
  const body = bodyOf("F64", sums);
  expect(codes(validatePartial(body, layout, limits, weightSum))).toEqual(expected);
  expect(codes(validatePartial(unaligned(body), layout, limits, weightSum))).toEqual(expected);
});

test("cut at any byte, with a byte more, or with any header bit flipped, sums are refused", () => {
  const body = bodyOf("F64", [1, 2, 3]);
  for (let length = 0; length < body.byteLength; length++) {
    expect(codes(validatePartial(body.subarray(0, length), layout, limits, 1))).toEqual([
      "wrong-size",
    ]);
  }
  expect(codes(validatePartial(concatBytes(body, Uint8Array.of(0)), layout, limits, 1))).toEqual([
    "wrong-size",
  ]);
  for (let bit = 0; bit < (body.byteLength - 24) * 8; bit++) {
    const flipped = new Uint8Array(body);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    expect(codes(validatePartial(flipped, layout, limits, 1))).toEqual(["wrong-layout"]);
  }
});

test("an update is no partial, even of float64", () => {
  expect(codes(validatePartial(bodyOf("F32", [1, 2, 3]), layout, limits, 1))).toEqual([
    "wrong-size",
    "wrong-layout",
  ]);
});

test("whatever admitted updates sum to is admitted, in any chunks", () => {
  const odd = { elementBound: 0.1, weightCap: 3, maxCohort: 7 };
  const grid = chooseGrid(odd);
  const update = fc.record({
    values: fc.array(
      fc.oneof(fc.double({ min: -0.1, max: 0.1, noNaN: true }), fc.constantFrom(0.1, -0.1)),
      {
        minLength: 3,
        maxLength: 3,
      },
    ),
    weight: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(update, { minLength: 1, maxLength: 7 }), fc.nat(200), (updates, cut) => {
      const doubles = vectorLayout("F64", 3);
      const sum = createGridSum(doubles, grid.gridExponent);
      for (const { values, weight } of updates) sum.fold(bodyOf("F64", values), weight);
      const validator = createPartialValidator(doubles, { ...odd, ...grid }, sum.weightSum);
      const body = sum.toSums();
      validator.push(body.subarray(0, cut));
      validator.push(body.subarray(cut));
      expect(validator.finish()).toEqual([]);
    }),
  );
});
