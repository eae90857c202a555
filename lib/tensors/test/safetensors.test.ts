import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes, toHex, utf8 } from "../../base/bytes.ts";
import type { Dtype } from "../dtype.ts";
import { layoutOf } from "../layout.ts";
import { MAX_HEADER_BYTES, MAX_TENSORS } from "../limits.ts";
import {
  parseModel,
  parseSafetensors,
  type TensorData,
  tensorBytes,
  writeSafetensors,
} from "../safetensors.ts";
import { TensorError } from "../tensor-error.ts";

/** A file with any header, its length written as it is unless another is given. */
function fileOf(json: string | Uint8Array, dataBytes = 0, length?: bigint): Uint8Array {
  const header = typeof json === "string" ? utf8(json) : json;
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, length ?? BigInt(header.byteLength), true);
  return concatBytes(prefix, header, new Uint8Array(dataBytes));
}

/** One F32 tensor "a" of two elements, with parts replaced. */
const entry = (part: object = {}): string =>
  JSON.stringify({ a: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...part } });

const pair = (first: string, second: string): string =>
  `{"a":{"dtype":"U8","shape":[4],"data_offsets":${first}},` +
  `"b":{"dtype":"U8","shape":[4],"data_offsets":${second}}}`;

const good: readonly TensorData[] = [
  { name: "w", dtype: "F32", shape: [2, 3], data: new Uint8Array(24).fill(1) },
  { name: "n", dtype: "I64", shape: [], data: new Uint8Array(8).fill(2) },
  { name: "b", dtype: "BF16", shape: [3], data: new Uint8Array(6).fill(3) },
];

test("the base of every refusal below is accepted", () => {
  const { tensors } = parseSafetensors(fileOf(entry(), 8));
  expect(tensors).toEqual([{ name: "a", dtype: "F32", shape: [2], data: new Uint8Array(8) }]);
});

test.each([
  ["nothing", new Uint8Array(0), "truncated"],
  ["seven bytes", new Uint8Array(7), "truncated"],
  ["a header longer than the file", fileOf("{}", 0, 3n), "truncated"],
  [
    "a header one past the limit",
    fileOf("{}", 0, BigInt(MAX_HEADER_BYTES + 1)),
    "header-too-large",
  ],
  ["a header of 2^32 bytes", fileOf("{}", 0, 2n ** 32n), "header-too-large"],
  ["a header of 2^32 + 2 bytes", fileOf("{}", 0, 2n ** 32n + 2n), "header-too-large"],
  ["a header of 2^64 - 1 bytes", fileOf("{}", 0, 2n ** 64n - 1n), "header-too-large"],
  ["no header", fileOf(""), "header-malformed"],
  ["bytes that are not UTF-8", fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), "header-not-utf8"],
  ["an overlong encoding", fileOf(Uint8Array.of(0xc1, 0xbb, 0x7d)), "header-not-utf8"],
  ["a byte order mark", fileOf("\ufeff{}"), "header-malformed"],
  ["white space first", fileOf(" {}"), "header-malformed"],
  ["a list", fileOf("[]"), "header-malformed"],
  ["null", fileOf("null"), "header-malformed"],
  ["a cut object", fileOf("{"), "header-malformed"],
  ["a trailing comma", fileOf('{"__metadata__":{},}'), "header-malformed"],
  ["text behind the object", fileOf("{}{}"), "header-malformed"],
  ["NUL padding", fileOf("{}\0\0"), "header-malformed"],
  ["a tensor that is a number", fileOf('{"a":1}'), "header-malformed"],
  ["a million open lists", fileOf("[".repeat(1_000_000)), "header-malformed"],
  ["a million nested objects", fileOf('{"a":'.repeat(1_000_000)), "header-malformed"],
  ["deep nesting in a shape", fileOf(`{"a":{"shape":${"[".repeat(100_000)}`), "bad-number"],
  ["a key too many", fileOf(entry({ extra: [] })), "header-malformed"],
  ["no dtype", fileOf('{"a":{"shape":[],"data_offsets":[0,1]}}', 1), "header-malformed"],
  ["no shape", fileOf('{"a":{"dtype":"U8","data_offsets":[0,1]}}', 1), "header-malformed"],
  ["no offsets", fileOf('{"a":{"dtype":"U8","shape":[]}}', 1), "header-malformed"],
  ["one offset", fileOf(entry({ data_offsets: [0] }), 8), "header-malformed"],
  ["three offsets", fileOf(entry({ data_offsets: [0, 8, 8] }), 8), "shape-out-of-range"],
  ["an unknown dtype", fileOf(entry({ dtype: "F8_E5M2" }), 2), "unknown-dtype"],
  ["a dtype in lower case", fileOf(entry({ dtype: "f32" }), 8), "unknown-dtype"],
  ["a dtype of every object", fileOf(entry({ dtype: "constructor" }), 8), "unknown-dtype"],
  ["a negative offset", fileOf(entry({ data_offsets: [-8, 0] }), 8), "bad-number"],
  ["a negative axis", fileOf(entry({ shape: [-2] }), 8), "bad-number"],
  [
    "a fraction",
    fileOf('{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', 1),
    "bad-number",
  ],
  [
    "an exponent",
    fileOf('{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', 1),
    "bad-number",
  ],
  [
    "a leading zero",
    fileOf('{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}', 1),
    "bad-number",
  ],
  ["an axis of 2^53", fileOf('{"a":{"dtype":"U8","shape":[9007199254740992]}}'), "bad-number"],
  ["an offset of 2^53 + 1", fileOf('{"a":{"data_offsets":[0,9007199254740993]}}'), "bad-number"],
  ["a number of 400 digits", fileOf(`{"a":{"shape":[${"9".repeat(400)}]}}`), "bad-number"],
  ["nine axes", fileOf(entry({ shape: [1, 1, 1, 1, 1, 1, 1, 1, 2] }), 8), "shape-out-of-range"],
  ["an axis past 2^31", fileOf(entry({ shape: [2 ** 31 + 1] }), 8), "shape-out-of-range"],
  ["a product past 2^31", fileOf(entry({ shape: [2 ** 16, 2 ** 16] }), 8), "shape-out-of-range"],
  [
    "a product that wraps 2^64 to 0",
    fileOf(entry({ shape: [2 ** 31, 2 ** 31, 4] }), 8),
    "shape-out-of-range",
  ],
  [
    "the same tensor twice",
    fileOf('{"a":1,"a":1}'.replaceAll("1", entry().slice(5, -1)), 8),
    "duplicate-name",
  ],
  ["the same key twice", fileOf('{"a":{"dtype":"U8","dtype":"U8"}}'), "duplicate-name"],
  [
    "a name twice, once escaped",
    fileOf('{"__metadata__":{"a":"","\\u0061":""}}'),
    "duplicate-name",
  ],
  ["metadata that is no object", fileOf('{"__metadata__":[]}'), "header-malformed"],
  ["metadata with a number", fileOf('{"__metadata__":{"a":1}}'), "header-malformed"],
  ["an empty name", fileOf(entry().replace('"a"', '""'), 8), "bad-name"],
  ["a name with an escaped NUL", fileOf(entry().replace('"a"', '"a\\u0000"'), 8), "bad-name"],
  ["a name with a raw NUL", fileOf(entry().replace('"a"', '"a\0"'), 8), "header-malformed"],
  ["a name with half a surrogate pair", fileOf(entry().replace('"a"', '"\\ud800"'), 8), "bad-name"],
  ["a name of 257 bytes", fileOf(entry().replace('"a"', `"${"é".repeat(128)}a"`), 8), "bad-name"],
  ["a name with a wrong escape", fileOf(entry().replace('"a"', '"\\x61"'), 8), "header-malformed"],
  [
    "an end before the begin",
    fileOf(entry({ shape: [0], data_offsets: [8, 0] }), 8),
    "bad-offsets",
  ],
  ["a gap in front", fileOf(entry({ data_offsets: [1, 9] }), 9), "bad-offsets"],
  ["a gap between", fileOf(pair("[0,4]", "[5,9]"), 9), "bad-offsets"],
  ["an overlap", fileOf(pair("[0,4]", "[3,7]"), 7), "bad-offsets"],
  ["two tensors at one place", fileOf(pair("[0,4]", "[0,4]"), 4), "bad-offsets"],
  ["data behind the file", fileOf(entry(), 7), "truncated"],
  ["a byte behind the data", fileOf(entry(), 9), "trailing-bytes"],
  ["data without tensors", fileOf("{}", 1), "trailing-bytes"],
  ["a size that is not the shape's", fileOf(entry({ shape: [3] }), 8), "size-mismatch"],
])("refuses %s", (_what, bytes, code) => {
  expect(() => parseSafetensors(bytes)).toThrow(expect.objectContaining({ code }));
  expect(() => parseModel(bytes)).toThrow(TensorError);
});

test("as many tensors as the limit are read, one more is refused", () => {
  const tensors = (count: number): TensorData[] =>
    Array.from({ length: count }, (_, i) => ({
      name: `t${i}`,
      dtype: "U8",
      shape: [0],
      data: new Uint8Array(0),
    }));
  const file = writeSafetensors(tensors(MAX_TENSORS));
  expect(parseModel(file).layout.tensors).toHaveLength(MAX_TENSORS);
  expect(() => writeSafetensors(tensors(MAX_TENSORS + 1))).toThrow(
    expect.objectContaining({ code: "too-many-tensors" }),
  );
  const json = Buffer.from(file.subarray(8)).toString().trimEnd().slice(0, -1);
  const one = '"zz":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
  expect(() => parseSafetensors(fileOf(`${json},${one}}`))).toThrow(
    expect.objectContaining({ code: "too-many-tensors" }),
  );
});

test("other tools' spellings are read for import and refused as a model", () => {
  const json = `{ "__metadata__" : {"format":"pt"},\n"b": {"shape":[1],"data_offsets":[0,1],"dtype":"U8"},
    "a":{"data_offsets":[1,3],"dtype":"F16","shape":[]} }   `;
  const bytes = fileOf(json, 3);
  const { tensors, metadata } = parseSafetensors(bytes);
  expect(tensors.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
    ["b", "U8", [1]],
    ["a", "F16", []],
  ]);
  expect([...metadata]).toEqual([["format", "pt"]]);
  expect(() => parseModel(bytes)).toThrow(expect.objectContaining({ code: "not-canonical" }));
  const canonical = writeSafetensors(tensors);
  expect(parseModel(canonical).layout.tensors.map(({ name }) => name)).toEqual(["a", "b"]);
});

test("the canonical bytes of a small model are the documented ones", () => {
  const json =
    '{"b":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]},' +
    '"n":{"dtype":"I64","shape":[],"data_offsets":[6,14]},' +
    '"w":{"dtype":"F32","shape":[2,3],"data_offsets":[14,38]}}';
  const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
  const header = fileOf(padded);
  const data = concatBytes(...[2, 1, 0].map((i) => good[i]!.data));
  const file = writeSafetensors(good);
  expect(toHex(file)).toBe(toHex(concatBytes(header, data)));
  expect(toHex(writeSafetensors(good.toReversed()))).toBe(toHex(file));
});

test.each([
  [
    "unsorted tensors",
    (json: string) => json.replace(/"(a|b)"/g, (_, c) => (c === "a" ? '"b"' : '"a"')),
  ],
  ["a space more than needed", (json: string) => `${json}        `],
  ["padding within", (json: string) => json.replace(":", ": ").replace(/ $/, "")],
  ["other white space", (json: string) => json.replace(/ $/, "\n")],
  [
    "an escape that is not needed",
    (json: string) => json.replace('"b"', '"\\u0062"').replace(/ {5}$/, ""),
  ],
  ["empty metadata", (json: string) => json.replace("{", '{"__metadata__":{},')],
])("%s is valid safetensors but no model", (_what, change) => {
  const u8 = (name: string): TensorData => ({
    name,
    dtype: "U8",
    shape: [1],
    data: Uint8Array.of(7),
  });
  const file = writeSafetensors([u8("a"), u8("b")]);
  const json = Buffer.from(file.subarray(8, -2)).toString();
  const changed = fileOf(change(json), 2);
  expect(toHex(changed)).not.toBe(toHex(file));
  expect(parseSafetensors(changed).tensors).toHaveLength(2);
  expect(() => parseModel(changed)).toThrow(expect.objectContaining({ code: "not-canonical" }));
});

test("a file without tensors is valid but no model", () => {
  const empty = writeSafetensors([]);
  expect(parseSafetensors(empty).tensors).toEqual([]);
  expect(() => parseModel(empty)).toThrow(expect.objectContaining({ code: "not-canonical" }));
});

test("a canonical file cut at any byte, or with a byte more, is refused", () => {
  const file = writeSafetensors(good);
  for (let length = 0; length < file.byteLength; length++) {
    expect(() => parseModel(file.subarray(0, length))).toThrow(TensorError);
  }
  expect(() => parseModel(concatBytes(file, Uint8Array.of(0)))).toThrow(TensorError);
});

test("a canonical header with any bit flipped is refused or is another canonical file", () => {
  const file = writeSafetensors(good);
  const { header } = parseModel(file).layout;
  for (let bit = 0; bit < header.byteLength * 8; bit++) {
    const flipped = new Uint8Array(file);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    let tensors: readonly TensorData[];
    try {
      parseModel(flipped);
      tensors = parseSafetensors(flipped).tensors;
    } catch (error) {
      expect(error).toBeInstanceOf(TensorError);
      continue;
    }
    expect(toHex(writeSafetensors(tensors))).toBe(toHex(flipped));
  }
});

test("whatever is written reads back as the same tensors, at any address", () => {
  const sizes: Record<string, number> = { U8: 1, I16: 2, BF16: 2, F32: 4, I64: 8 };
  const tensor = fc.record({
    name: fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
      .filter((s) => !/[\p{C}\u2028\u2029]/u.test(s)),
    dtype: fc.constantFrom("U8", "I16", "BF16", "F32", "I64") as fc.Arbitrary<Dtype>,
    shape: fc.array(fc.nat(3), { maxLength: 4 }),
    fill: fc.nat(255),
  });
  const set = fc.uniqueArray(tensor, { selector: ({ name }) => name, minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(set, fc.nat(7), (specs, shift) => {
      const tensors = specs.map(({ fill, ...spec }) => {
        const count = spec.shape.reduce((a, b) => a * b, 1);
        return { ...spec, data: new Uint8Array(count * sizes[spec.dtype]!).fill(fill) };
      });
      const file = writeSafetensors(tensors);
      const moved = new Uint8Array(file.byteLength + shift).subarray(shift);
      moved.set(file);
      const { layout } = parseModel(moved);
      const read = layout.tensors.map((placed) => [placed.name, toHex(tensorBytes(moved, placed))]);
      expect(new Map(read as [string, string][])).toEqual(
        new Map(tensors.map(({ name, data }) => [name, toHex(data)])),
      );
      expect(layout.header.byteLength % 8).toBe(0);
      expect(toHex(layoutOf(tensors).header)).toBe(toHex(layout.header));
    }),
  );
});

test("random bytes never become anything but a TensorError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(64), (bytes, length) => {
      const file = fileOf(bytes, 0, BigInt(length));
      try {
        parseSafetensors(file);
      } catch (error) {
        expect(error).toBeInstanceOf(TensorError);
      }
    }),
  );
});
