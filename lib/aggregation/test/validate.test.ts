import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { layoutOf } from "../../tensors/layout.ts";
import { writeSafetensors } from "../../tensors/safetensors.ts";
import { BLOCK_BYTES } from "../kernel/kernel.ts";
import { bodyOf, bothKernels, unaligned, vector, vectorLayout } from "../testing/bodies.ts";
import {
  createUpdateValidator,
  type UpdateLimits,
  validateUpdate,
  validateWeight,
} from "../validate.ts";

const limits: UpdateLimits = { elementBound: 8, weightCap: 1000, gridExponent: 30 };
const DTYPES = ["F16", "BF16", "F32", "F64"] as const;
const kernels = bothKernels();

const codes = (refusals: readonly { readonly code: string }[]): string[] =>
  refusals.map(({ code }) => code);

describe.each(DTYPES)("%s updates", (dtype) => {
  const layout = vectorLayout(dtype, 20);
  const good = Array.from({ length: 20 }, (_, i) => (i - 10) / 2);

  test.each([
    ["the base of the refusals", [], undefined, []],
    ["the bound itself, both signs", [8, -8], undefined, []],
    ["negative zero", [-0], undefined, []],
    ["NaN", [Number.NaN], undefined, ["non-finite"]],
    ["infinity", [Infinity], undefined, ["non-finite"]],
    ["minus infinity", [-Infinity], undefined, ["non-finite"]],
    ["more than the bound", [8.0625], undefined, ["element-too-large"]],
    ["more than the bound, negative", [-8.0625], undefined, ["element-too-large"]],
    [
      "NaN and more than the bound",
      [Number.NaN, 9],
      undefined,
      ["non-finite", "element-too-large"],
    ],
    ["NaN under a norm bound", [Number.NaN], 100, ["non-finite"]],
    ["infinity under a norm bound", [Infinity], 100, ["non-finite"]],
    ["a norm above the bound", [], 12, ["norm-too-large"]],
    ["both bounds passed", [9], 12, ["element-too-large", "norm-too-large"]],
  ] as const)("%s", (_what, bad, normBound, expected) => {
    const given = normBound === undefined ? limits : { ...limits, normBound };
    for (const at of bad.length === 0 ? [0] : [0, 7, 18]) {
      const body = bodyOf(
        dtype,
        good.with(at, bad[0] ?? good[at]!).with(at + 1, bad[1] ?? good[at + 1]!),
      );
      for (const kernel of kernels) {
        expect(codes(validateUpdate(body, layout, given, kernel))).toEqual(expected);
        expect(codes(validateUpdate(unaligned(body), layout, given, kernel))).toEqual(expected);
      }
    }
  });

  test("the norm bound is inclusive", () => {
    const body = bodyOf(
      dtype,
      good.map((_, i) => (i < 2 ? 3 + i : 0)),
    );
    expect(validateUpdate(body, layout, { ...limits, normBound: 5 })).toEqual([]);
    expect(codes(validateUpdate(body, layout, { ...limits, normBound: 4.999 }))).toEqual([
      "norm-too-large",
    ]);
  });

  test("a body cut at any byte, or with a byte more, has the wrong size", () => {
    const body = bodyOf(dtype, good);
    for (let length = 0; length < body.byteLength; length++) {
      expect(codes(validateUpdate(body.subarray(0, length), layout, limits))).toEqual([
        "wrong-size",
      ]);
    }
    const longer = new Uint8Array(body.byteLength + 1);
    longer.set(body);
    expect(codes(validateUpdate(longer, layout, limits))).toEqual(["wrong-size"]);
  });

  test("any bit flipped in the header is another layout", () => {
    const body = bodyOf(dtype, good);
    for (let bit = 0; bit < layout.header.byteLength * 8; bit++) {
      const flipped = new Uint8Array(body);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(codes(validateUpdate(flipped, layout, limits))).toEqual(["wrong-layout"]);
    }
  });
});

test("another layout of the same size is refused before any element is looked at", () => {
  const other = writeSafetensors([vector("y", "F32", [Number.NaN, 1])]);
  expect(codes(validateUpdate(other, vectorLayout("F32", 2), limits))).toEqual(["wrong-layout"]);
  const shorter = other.subarray(0, other.byteLength - 4);
  expect(codes(validateUpdate(shorter, vectorLayout("F32", 2), limits))).toEqual([
    "wrong-size",
    "wrong-layout",
  ]);
});

test("a refusal names the tensor and the bound, and no value", () => {
  const tensors = [
    vector("first", "F32", [1, 2]),
    vector("second", "F32", [3, 123.5]),
    vector("third", "F64", [Number.NaN]),
  ];
  const refusals = validateUpdate(writeSafetensors(tensors), layoutOf(tensors), {
    ...limits,
    normBound: 1,
  });
  expect(refusals).toEqual([
    { code: "non-finite", seen: "tensor third", wanted: "finite elements" },
    { code: "element-too-large", seen: "tensor second", wanted: "at most 8" },
  ]);
  expect(JSON.stringify(refusals)).not.toContain("123");
});

test("an element after whole blocks of good ones is found", () => {
  const length = (2 * BLOCK_BYTES) / 4 + 5;
  const layout = vectorLayout("F32", length);
  for (const at of [0, BLOCK_BYTES / 4 - 1, BLOCK_BYTES / 4, length - 1]) {
    const body = bodyOf("F32", new Array<number>(length).fill(1).with(at, 9));
    for (const kernel of kernels) {
      expect(codes(validateUpdate(body, layout, limits, kernel))).toEqual(["element-too-large"]);
    }
  }
});

test("both kernels find the same squares to the last bit", () => {
  const [wasm, plain] = kernels;
  fc.assert(
    fc.property(fc.array(fc.float(), { maxLength: 100 }), (values) => {
      const bytes = unaligned(new Uint8Array(Float32Array.from(values).buffer));
      expect(wasm!.scan(bytes, true)).toEqual(plain!.scan(bytes, true));
      const finite = values.every((value) => Number.isFinite(value));
      const largest = Math.max(0, ...values.map((value) => Math.abs(value)));
      expect(wasm!.scan(bytes, false)).toEqual({
        largest: finite ? largest : undefined,
        sumOfSquares: 0,
      });
    }),
  );
});

test("how a body is cut into chunks changes no verdict", () => {
  const layout = layoutOf([
    { name: "a", dtype: "F16", shape: [3] },
    { name: "b", dtype: "F32", shape: [9] },
    { name: "c", dtype: "F64", shape: [2] },
  ]);
  const value = fc.oneof(fc.float({ min: -9, max: 9 }), fc.constantFrom(Number.NaN, Infinity));
  const values = fc.array(value, { minLength: 14, maxLength: 14 });
  const cuts = fc.array(fc.nat(layout.sizeBytes), { maxLength: 8 });
  fc.assert(
    fc.property(values, cuts, fc.option(fc.nat(layout.sizeBytes)), (numbers, places, badByte) => {
      const body = writeSafetensors([
        vector("a", "F16", numbers.slice(0, 3)),
        vector("b", "F32", numbers.slice(3, 12)),
        vector("c", "F64", numbers.slice(12)),
      ]);
      if (badByte !== null && badByte < body.byteLength) body[badByte]! ^= 64;
      const given = { ...limits, normBound: 20 };
      const validator = createUpdateValidator(layout, given);
      let at = 0;
      for (const cut of [...places.toSorted((a, b) => a - b), body.byteLength]) {
        validator.push(body.subarray(at, cut));
        at = cut;
      }
      expect(validator.finish()).toEqual(validateUpdate(body, layout, given));
    }),
  );
});

test.each([
  ["one", 1, []],
  ["the cap", 1000, []],
  ["zero", 0, ["weight-out-of-range"]],
  ["a negative weight", -1, ["weight-out-of-range"]],
  ["a fraction", 1.5, ["weight-out-of-range"]],
  ["one past the cap", 1001, ["weight-out-of-range"]],
  ["NaN", Number.NaN, ["weight-out-of-range"]],
  ["infinity", Infinity, ["weight-out-of-range"]],
])("a weight of %s", (_what, weight, expected) => {
  expect(codes(validateWeight(weight, limits))).toEqual(expected);
});
