import fc from "fast-check";
import { expect, test } from "vitest";
import { toHex } from "../../base/bytes.ts";
import { readFloats, writeFloats } from "../floats.ts";
import { BFLOAT16, BINARY16, decodeSmallFloat, encodeSmallFloat } from "../small-float.ts";

test.each([
  ["one", 0x3c00, 1],
  ["the largest", 0x7bff, 65504],
  ["the smallest normal", 0x0400, 2 ** -14],
  ["the largest subnormal", 0x03ff, 2 ** -14 - 2 ** -24],
  ["the smallest", 0x0001, 2 ** -24],
  ["a third, rounded", 0x3555, 0.333251953125],
  ["minus two", 0xc000, -2],
  ["minus zero", 0x8000, -0],
  ["infinity", 0x7c00, Infinity],
])("binary16 of %s", (_what, bits, value) => {
  expect(decodeSmallFloat(bits, BINARY16)).toBe(value);
  expect(encodeSmallFloat(value, BINARY16)).toBe(bits);
});

test.each([
  ["a tie goes down to even", 1 + 2 ** -11, 0x3c00],
  ["a tie goes up to even", 1 + 3 * 2 ** -11, 0x3c02],
  ["just above a tie goes up, in one rounding", 1 + 2 ** -11 + 2 ** -40, 0x3c01],
  ["the tie past the largest is infinite", 65520, 0x7c00],
  ["just below that tie is the largest", 65519.99999999999, 0x7bff],
  ["a carry reaches the next power of two", 2 - 2 ** -12, 0x4000],
  ["a carry makes a subnormal normal", 2 ** -14 - 2 ** -26, 0x0400],
  ["half the smallest is zero", 2 ** -25, 0],
  ["more than half the smallest is not", 2 ** -25 + 2 ** -60, 1],
  ["the smallest float64 is zero", 5e-324, 0],
  ["minus a tiny number is minus zero", -1e-30, 0x8000],
  ["1e300 is infinite", 1e300, 0x7c00],
  ["NaN is the quiet one", Number.NaN, 0x7e00],
])("binary16: %s", (_what, value, bits) => {
  expect(encodeSmallFloat(value, BINARY16)).toBe(bits);
});

test("all values of both 16-bit types survive, and midpoints go to the even neighbour", () => {
  for (const format of [BINARY16, BFLOAT16]) {
    const infinity = encodeSmallFloat(Infinity, format);
    const wrong: number[] = [];
    for (let bits = 0; bits < infinity; bits++) {
      const value = decodeSmallFloat(bits, format);
      const next = decodeSmallFloat(bits + 1, format);
      const isSame = encodeSmallFloat(value, format) === bits;
      const isMirrored = encodeSmallFloat(-value, format) === (bits | 0x8000);
      const middle = value + (next - value) / 2;
      const isEven = next === Infinity || encodeSmallFloat(middle, format) === bits + (bits & 1);
      if (!isSame || !isMirrored || !isEven) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  }
});

test("bfloat16 is the upper half of a float32 for all float32 that fit", () => {
  const word = new DataView(new ArrayBuffer(4));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff }), (bits) => {
      word.setUint16(0, bits);
      word.setUint16(2, 0);
      const value = word.getFloat32(0);
      expect(decodeSmallFloat(bits, BFLOAT16)).toBe(value);
      if (!Number.isNaN(value)) expect(encodeSmallFloat(value, BFLOAT16)).toBe(bits);
    }),
  );
});

test.each(["F16", "BF16", "F32", "F64"] as const)(
  "%s elements are read and written at any address",
  (dtype) => {
    const values = Float64Array.of(1, -0.5, 0, 96, -0);
    const size = { F16: 2, BF16: 2, F32: 4, F64: 8 }[dtype];
    for (let shift = 0; shift < 8; shift++) {
      const bytes = new Uint8Array(shift + values.length * size).subarray(shift);
      expect(writeFloats(dtype, values, bytes)).toBe(true);
      const read = new Float64Array(values.length);
      readFloats(dtype, bytes, read);
      expect([...read]).toEqual([...values]);
    }
  },
);

test.each([
  ["F16", 65520],
  ["BF16", 3.4e38],
  ["F32", 3.5e38],
  ["F64", Infinity],
  ["F32", Number.NaN],
  ["BF16", -Infinity],
] as const)("writing %s tells that %d is not finite there", (dtype, value) => {
  const size = { F16: 2, BF16: 2, F32: 4, F64: 8 }[dtype];
  expect(writeFloats(dtype, Float64Array.of(0, value, 1), new Uint8Array(3 * size))).toBe(false);
});

test("float32 is rounded to nearest, ties to even, and little-endian", () => {
  const bytes = new Uint8Array(8);
  writeFloats("F32", Float64Array.of(1 + 2 ** -24, 1 + 3 * 2 ** -24), bytes);
  expect(toHex(bytes)).toBe("0000803f0200803f");
});
