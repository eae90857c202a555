import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../base/bytes.ts";
import { InvariantError } from "../../base/refusal.ts";
import { layoutOf, sumLayout, type TensorLayout } from "../../tensors/layout.ts";
import { parseModel, type TensorData, writeSafetensors } from "../../tensors/safetensors.ts";
import { chooseGrid } from "../grid.ts";
import { createGridSum, type GridSum } from "../grid-sum.ts";
import { BLOCK_BYTES } from "../kernel/kernel.ts";
import {
  bodyOf,
  bothKernels,
  elements,
  unaligned,
  valuesOf,
  vectorLayout,
} from "../testing/bodies.ts";

const kernels = bothKernels().map((kernel) => [kernel.name, kernel] as const);
const hexOf = (sum: GridSum): string => toHex(sum.toSums());

/** Mixed types at odd offsets; 3-element F16 makes what follows unaligned. */
const mixed = layoutOf([
  { name: "a", dtype: "F16", shape: [3] },
  { name: "b", dtype: "F32", shape: [5, 2] },
  { name: "c", dtype: "BF16", shape: [] },
  { name: "d", dtype: "F32", shape: [7] },
  { name: "e", dtype: "F64", shape: [4] },
  { name: "f", dtype: "F32", shape: [0] },
]);

const delta = fc.oneof(
  fc.double({ min: -8, max: 8, noNaN: true }),
  fc.constantFrom(0, -0, 8, -8, 2 ** -149, -(2 ** -149), 2 ** -31, 3 * 2 ** -32, 2 ** -126),
);
const update = fc.record({
  values: fc.array(delta, { minLength: mixed.elementCount, maxLength: mixed.elementCount }),
  exampleCount: fc.integer({ min: 1, max: 1000 }),
});
const cohort = fc.array(update, { minLength: 1, maxLength: 8 });
const { gridExponent } = chooseGrid({ elementBound: 8, weightCap: 1000, maxCohort: 8 });

function mixedBody(values: readonly number[]): Uint8Array {
  let at = 0;
  const tensors = mixed.tensors.map(({ name, dtype, shape, elementCount }): TensorData => {
    at += elementCount;
    const part = values.slice(at - elementCount, at);
    return { name, dtype, shape, data: elements(dtype as "F32", part) };
  });
  return writeSafetensors(tensors);
}

type Update = { readonly values: readonly number[]; readonly exampleCount: number };

function sumOf(updates: readonly Update[], kernel = kernels[0]![1]): GridSum {
  const sum = createGridSum(mixed, gridExponent, kernel);
  for (const { values, exampleCount } of updates) sum.fold(mixedBody(values), exampleCount);
  return sum;
}

describe.each(kernels)("with the %s kernel", (_name, kernel) => {
  test("each term is rounded to the grid once and the sum of the terms is exact", () => {
    const sum = createGridSum(vectorLayout("F32", 4), 30, kernel);
    sum.fold(bodyOf("F32", [0.5, 2 ** -30, 2 ** -31, 3 * 2 ** -32]), 3);
    sum.fold(bodyOf("F32", [-0.25, 2 ** -31, 2 ** -31, -(2 ** -31)]), 1);
    const step = 2 ** -30;
    // 2^-31·3 is a tie at 1.5 steps and goes to 2; 2^-31 is a tie at 0.5 and goes to 0.
    const sums = [1.5 - 0.25, 3 * step, 2 * step, 2 * step];
    expect(sum.weightSum).toBe(4);
    expect([...sum.segments()[0]!]).toEqual(sums);
  });

  test("sums are canonical safetensors of the same names and shapes, all F64", () => {
    const sum = createGridSum(mixed, 30, kernel);
    const { layout } = parseModel(sum.toSums());
    expect(toHex(layout.header)).toBe(toHex(sumLayout(mixed).header));
    expect(sum.parts().reduce((bytes, part) => bytes + part.byteLength, 0)).toBe(layout.sizeBytes);
  });

  test("no sum is negative zero", () => {
    const sum = createGridSum(vectorLayout("F32", 4), 30, kernel);
    for (let i = 0; i < 2; i++)
      sum.fold(bodyOf("F32", [-0, -(2 ** -149), 1 - 2 * i, -(2 ** -40)]), 1);
    expect(toHex(new Uint8Array(sum.segments()[0]!.slice().buffer))).toBe("00".repeat(32));
  });

  test("sizes around the kernel's unrolling and its blocks leave no element out", () => {
    const block = BLOCK_BYTES / 4;
    for (const length of [1, 7, 8, 9, 15, 16, 17, block - 1, block, block + 1, 2 * block + 3]) {
      const sum = createGridSum(vectorLayout("F32", length), 20, kernel);
      const values = Array.from({ length }, (_, i) => (i % 1000) + 1);
      sum.fold(unaligned(bodyOf("F32", values)), 2);
      expect(sum.segments()[0]!.every((value, i) => value === 2 * values[i]!)).toBe(true);
    }
  });

  test("ten thousand float32 clients of ones average to exactly 1", () => {
    const grid = chooseGrid({ elementBound: 8, weightCap: 1, maxCohort: 10_000 });
    const sum = createGridSum(vectorLayout("F32", 33), grid.gridExponent, kernel);
    const body = bodyOf("F32", new Array(33).fill(1));
    for (let i = 0; i < 10_000; i++) sum.fold(body, 1);
    expect([...sum.segments()[0]!].every((value) => value / sum.weightSum === 1)).toBe(true);
  });

  test("a hundred float16 clients of weight 1000 do not overflow", () => {
    const grid = chooseGrid({ elementBound: 8, weightCap: 1000, maxCohort: 100 });
    const sum = createGridSum(vectorLayout("F16", 5), grid.gridExponent, kernel);
    for (let i = 0; i < 100; i++) sum.fold(bodyOf("F16", [8, -8, 1, 0.5, 2 ** -10]), 1000);
    expect([...sum.segments()[0]!]).toEqual([8e5, -8e5, 1e5, 5e4, 1e5 / 1024]);
  });
});

test("both kernels give the same bits, at any address", () => {
  fc.assert(
    fc.property(cohort, (updates) => {
      const [wasm, plain] = kernels.map(([, kernel]) => {
        const sum = createGridSum(mixed, gridExponent, kernel);
        for (const { values, exampleCount } of updates) {
          sum.fold(unaligned(mixedBody(values)), exampleCount);
        }
        return hexOf(sum);
      });
      expect(wasm).toBe(plain);
      expect(hexOf(sumOf(updates))).toBe(plain);
    }),
  );
});

test("order of arrival and splitting over combiners change no bit", () => {
  const cases = fc.tuple(cohort, fc.integer({ min: 1, max: 4 }), fc.infiniteStream(fc.nat(3)));
  fc.assert(
    fc.property(cases, ([updates, combiners, choices]) => {
      const whole = hexOf(sumOf(updates));
      expect(hexOf(sumOf(updates.toReversed()))).toBe(whole);
      const parts = new Map<number, Update[]>();
      for (const each of updates) {
        const combiner = (choices.next().value as number) % combiners;
        parts.set(combiner, [...(parts.get(combiner) ?? []), each]);
      }
      const merged = createGridSum(mixed, gridExponent);
      for (const [index, part] of parts) {
        const partial = sumOf(part, kernels[index % 2]![1]);
        merged.addPartial(unaligned(partial.toSums()), partial.weightSum);
      }
      expect(hexOf(merged)).toBe(whole);
      expect(merged.weightSum).toBe(updates.reduce((sum, each) => sum + each.exampleCount, 0));
    }),
  );
});

test("the sum equals rational arithmetic on the rounded terms", () => {
  const updates = fc.array(
    fc.record({
      value: fc.float({ min: -8, max: 8, noNaN: true }),
      weight: fc.integer({ min: 1, max: 1000 }),
    }),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(updates, (terms) => {
      const sum = createGridSum(vectorLayout("F32", 1), gridExponent);
      let exact = 0n;
      for (const { value, weight } of terms) {
        sum.fold(bodyOf("F32", [value]), weight);
        // In units of 2^-149, which every float32 is a multiple of.
        const term = BigInt(weight) * floatUnits(value);
        exact += roundToEven(term, BigInt(149 - gridExponent));
      }
      expect(BigInt(sum.segments()[0]![0]! * 2 ** gridExponent)).toBe(exact);
    }),
  );
});

test("folding several at once, or from storage in pieces, gives the same sums", async () => {
  await fc.assert(
    fc.asyncProperty(cohort, async (updates) => {
      const whole = hexOf(sumOf(updates));
      const bodies = updates.map(({ values, exampleCount }) => ({
        body: mixedBody(values),
        exampleCount,
      }));
      const together = createGridSum(mixed, gridExponent);
      together.foldAll(bodies);
      expect(hexOf(together)).toBe(whole);
      const staged = createGridSum(mixed, gridExponent);
      await staged.foldStaged(
        bodies.map(({ body, exampleCount }) => ({
          exampleCount,
          read: async (offset, size) => body.subarray(offset, offset + size),
        })),
      );
      expect(hexOf(staged)).toBe(whole);
      expect(staged.weightSum).toBe(together.weightSum);
    }),
  );
});

test("cutting the sums into segments of any size changes no bit", () => {
  fc.assert(
    fc.property(cohort, fc.integer({ min: 1, max: 30 }), (updates, segmentElements) => {
      const [wasm, plain] = kernels.map(([, kernel]) => {
        const sum = createGridSum(mixed, gridExponent, kernel, segmentElements);
        for (const { values, exampleCount } of updates) sum.fold(mixedBody(values), exampleCount);
        sum.addPartial(sum.toSums(), sum.weightSum);
        return hexOf(sum);
      });
      const whole = sumOf([...updates, ...updates]);
      expect([wasm, plain]).toEqual([hexOf(whole), hexOf(whole)]);
    }),
    { numRuns: 50 },
  );
});

test("a read that fails half-way makes the sums unusable until they are reset", async () => {
  const sum = createGridSum(mixed, gridExponent);
  const body = mixedBody(new Array(mixed.elementCount).fill(1));
  let reads = 0;
  const read = (offset: number, size: number): Uint8Array => {
    if (++reads === 3) throw new Error("gone");
    return body.subarray(offset, offset + size);
  };
  await expect(sum.foldStaged([{ exampleCount: 1, read }])).rejects.toThrow("gone");
  for (const use of [
    () => sum.toSums(),
    () => sum.segments(),
    () => sum.fold(body, 1),
    () => sum.addPartial(new Uint8Array(sumLayout(mixed).sizeBytes), 1),
  ]) {
    expect(use).toThrow(InvariantError);
  }
  sum.reset();
  sum.fold(body, 1);
  expect(hexOf(sum)).toBe(
    hexOf(sumOf([{ values: new Array(mixed.elementCount).fill(1), exampleCount: 1 }])),
  );
});

test("a reset sum is as good as a new one", () => {
  const sum = sumOf([{ values: new Array(mixed.elementCount).fill(3), exampleCount: 5 }]);
  sum.reset();
  expect(sum.weightSum).toBe(0);
  expect(hexOf(sum)).toBe(hexOf(createGridSum(mixed, gridExponent)));
});

test.each([
  ["a weight of 0", bodyOf("F32", [1]), 0],
  ["a fractional weight", bodyOf("F32", [1]), 1.5],
  ["a weight past 2^29", bodyOf("F32", [1]), 2 ** 29 + 1],
  ["a body of another size", bodyOf("F32", [1, 2]), 1],
])("%s is a broken invariant, and changes nothing", (_what, body, weight) => {
  const sum = createGridSum(vectorLayout("F32", 1), 30);
  expect(() =>
    sum.foldAll([
      { body: bodyOf("F32", [1]), exampleCount: 1 },
      { body, exampleCount: weight },
    ]),
  ).toThrow(InvariantError);
  expect([sum.weightSum, ...sum.segments()[0]!]).toEqual([0, 0]);
});

test("a layout with tensors that are not trained is a broken invariant", () => {
  const layout: TensorLayout = layoutOf([
    { name: "n", dtype: "I64", shape: [] },
    { name: "x", dtype: "F32", shape: [] },
  ]);
  expect(() => createGridSum(layout, 30)).toThrow(InvariantError);
});

test("float64 deltas are summed on the same grid", () => {
  const layout = vectorLayout("F64", 3);
  const sum = createGridSum(layout, 30);
  sum.fold(bodyOf("F64", [0.1, 1 / 3, -8]), 7);
  const expected = [0.7, 7 / 3, -56].map((x) => Math.round(x * 2 ** 30) / 2 ** 30);
  expect(valuesOf("F64", sum.toSums(), layout)).toEqual(expected);
});

function floatUnits(value: number): bigint {
  const word = new DataView(new ArrayBuffer(4));
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  const field = (bits >>> 23) & 255;
  const mantissa = BigInt((bits & 0x7fffff) | (field === 0 ? 0 : 0x800000));
  const magnitude = mantissa << BigInt(Math.max(field, 1) - 1);
  return bits >>> 31 ? -magnitude : magnitude;
}

/** value / 2^shift to the nearest integer, ties to even. */
function roundToEven(value: bigint, shift: bigint): bigint {
  const floor = value >> shift;
  const twice = (value - (floor << shift)) * 2n;
  const unit = 1n << shift;
  return twice > unit || (twice === unit && (floor & 1n) === 1n) ? floor + 1n : floor;
}
