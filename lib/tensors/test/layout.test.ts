import { expect, test } from "vitest";
import {
  elementCountOf,
  layoutOf,
  sumLayout,
  type TensorSpec,
  trainableLayout,
} from "../layout.ts";

const scalar = (name: string, dtype: TensorSpec["dtype"] = "F32"): TensorSpec => ({
  name,
  dtype,
  shape: [],
});

test("names are sorted by their UTF-8 bytes, not by UTF-16 code units", () => {
  const names = ["\u{1f600}", "\uff5e", "é", "a", "Z", "a.b", "__proto__"];
  const sorted = layoutOf(names.map((name) => scalar(name))).tensors.map(({ name }) => name);
  expect(sorted).toEqual(["Z", "__proto__", "a", "a.b", "é", "\uff5e", "\u{1f600}"]);
});

test("offsets follow the header without gaps, whatever the alignment of the types", () => {
  const layout = layoutOf([
    { name: "b", dtype: "F64", shape: [2] },
    { name: "a", dtype: "U8", shape: [3] },
    { name: "c", dtype: "F16", shape: [2, 0] },
  ]);
  const start = layout.header.byteLength;
  expect(
    layout.tensors.map(({ offsetBytes, sizeBytes }) => [offsetBytes - start, sizeBytes]),
  ).toEqual([
    [0, 3],
    [3, 16],
    [19, 0],
  ]);
  expect(layout.sizeBytes).toBe(start + 19);
  expect(layout.elementCount).toBe(5);
});

test("updates hold the trainable tensors, sums the same as F64", () => {
  const dtypes = ["BOOL", "F16", "I64", "BF16", "U8", "F32", "F64"] as const;
  const layout = layoutOf(dtypes.map((dtype) => scalar(dtype, dtype)));
  expect(trainableLayout(layout).tensors.map(({ name }) => name)).toEqual([
    "BF16",
    "F16",
    "F32",
    "F64",
  ]);
  expect(sumLayout(layout).tensors.map(({ dtype }) => dtype)).toEqual(["F64", "F64", "F64", "F64"]);
  expect(() => trainableLayout(layoutOf([scalar("n", "I64")]))).toThrow(
    expect.objectContaining({ code: "nothing-trainable" }),
  );
});

test.each([
  ["two tensors of one name", [scalar("a"), scalar("a")], "duplicate-name"],
  ["the reserved name", [scalar("__metadata__")], "bad-name"],
  ["a line break in a name", [scalar("a\nb")], "bad-name"],
  ["a line separator in a name", [scalar("a\u2028")], "bad-name"],
  ["a fraction as axis", [{ ...scalar("a"), shape: [1.5] }], "shape-out-of-range"],
  ["NaN as axis", [{ ...scalar("a"), shape: [Number.NaN] }], "shape-out-of-range"],
  ["a negative axis", [{ ...scalar("a"), shape: [-1] }], "shape-out-of-range"],
  [
    "files past 4 GiB",
    [
      { ...scalar("a", "F64"), shape: [2 ** 29] },
      { ...scalar("b", "U8"), shape: [1] },
    ],
    "too-large",
  ],
] as const)("refuses %s", (_what, specs, code) => {
  expect(() => layoutOf(specs)).toThrow(expect.objectContaining({ code }));
});

test("the limits of a shape are inclusive", () => {
  expect(elementCountOf([2 ** 31])).toBe(2 ** 31);
  expect(elementCountOf([1, 1, 1, 1, 1, 1, 1, 2])).toBe(2);
  expect(elementCountOf([])).toBe(1);
  expect(elementCountOf([5, 0])).toBe(0);
});
