import fc from "fast-check";
import { expect, test } from "vitest";
import { toHex } from "../../../base/bytes.ts";
import { type CborValue, MAX_CBOR_DEPTH, parseCbor } from "../cbor.ts";
import { writeCbor } from "../cbor-writer.ts";

const parseHex = (hex: string) => parseCbor(new Uint8Array(Buffer.from(hex, "hex")));
const refused = expect.objectContaining({ code: "malformed-cbor" });

test.each([
  ["no bytes", ""],
  ["a byte after the value", "0000"],
  ["an integer in a byte that fits its head", "1817"],
  ["an integer in 2 bytes that fits 1", "1900ff"],
  ["an integer in 4 bytes that fits 2", "1a0000ffff"],
  ["an integer in 8 bytes that fits 4", "1b00000000ffffffff"],
  ["a length in a byte that fits its head", "580100"],
  ["a count in a byte that fits its head", "980100"],
  ["a tag in a byte that fits its head", "d80600"],
  ["an indefinite byte string", "5f4100ff"],
  ["an indefinite text", "7f6161ff"],
  ["an indefinite array", "9f00ff"],
  ["an indefinite map", "bf616100ff"],
  ["a break alone", "ff"],
  ["the reserved lengths", "1c"],
  ["a head that is cut", "19"],
  ["a byte string that is cut", "4200"],
  ["a text that is cut", "6261"],
  ["an array that is cut", "820000".slice(0, 4)],
  ["a map without its last value", "a16161"],
  ["a tag of nothing", "c1"],
  ["a byte string of 2^63 bytes", "5b8000000000000000"],
  ["an array of 2^64 − 1 items", "9bffffffffffffffff"],
  ["a map of 2^64 − 1 entries", "bbffffffffffffffff"],
  ["the same key twice", "a2616100616101"],
  ["a key that is a number", "a10000"],
  ["a key that is a byte string", "a1416100"],
  ["text that is not UTF-8", "61ff"],
  ["an overlong UTF-8 sequence", "62c081"],
  ["a surrogate in UTF-8", "63eda080"],
  ["half precision", "f93c00"],
  ["single precision", "fa47c35000"],
  ["double precision", "fb3ff199999999999a"],
  ["undefined", "f7"],
  ["an unassigned simple value", "f0"],
  ["a simple value in a second byte", "f8ff"],
  ["nesting one past the limit", `${"81".repeat(MAX_CBOR_DEPTH + 1)}00`],
  ["very deep nesting", "81".repeat(60_000)],
  ["very many tags", "c1".repeat(60_000)],
])("refuses %s", (_what, hex) => {
  expect(() => parseHex(hex)).toThrow(refused);
});

// RFC 8949 appendix A.
test.each<[string, CborValue]>([
  ["00", { kind: "integer", value: 0n }],
  ["17", { kind: "integer", value: 23n }],
  ["1818", { kind: "integer", value: 24n }],
  ["1903e8", { kind: "integer", value: 1000n }],
  ["1a000f4240", { kind: "integer", value: 1_000_000n }],
  ["1bffffffffffffffff", { kind: "integer", value: 18_446_744_073_709_551_615n }],
  ["3bffffffffffffffff", { kind: "integer", value: -18_446_744_073_709_551_616n }],
  ["3903e7", { kind: "integer", value: -1000n }],
  ["f4", { kind: "simple", value: false }],
  ["f5", { kind: "simple", value: true }],
  ["f6", { kind: "simple", value: null }],
  ["c11a514b67b0", { kind: "tag", tag: 1n, content: { kind: "integer", value: 1_363_896_240n } }],
  ["40", { kind: "bytes", bytes: new Uint8Array() }],
  ["4401020304", { kind: "bytes", bytes: Uint8Array.of(1, 2, 3, 4) }],
  ["62c3bc", { kind: "text", text: "ü" }],
  ["64f0908591", { kind: "text", text: "\u{10151}" }],
  ["80", { kind: "array", items: [] }],
  ["a0", { kind: "map", entries: new Map() }],
  [
    "a26161016162820203",
    {
      kind: "map",
      entries: new Map<string, CborValue>([
        ["a", { kind: "integer", value: 1n }],
        ["b", { kind: "array", items: [2n, 3n].map((value) => ({ kind: "integer", value })) }],
      ]),
    },
  ],
])("reads and writes %s as RFC 8949 does", (hex, value) => {
  expect(parseHex(hex)).toEqual(value);
  expect(toHex(writeCbor(value))).toBe(hex);
});

test("a byte order mark is part of a text, and a key of its own", () => {
  expect(parseHex("63efbbbf")).toEqual({ kind: "text", text: "\u{feff}" });
  expect(parseHex("a264efbbbf6100616101")).toMatchObject({ kind: "map" });
});

test("nesting at the limit is read", () => {
  expect(() => parseHex(`${"81".repeat(MAX_CBOR_DEPTH)}00`)).not.toThrow();
});

const value = fc.letrec<{ value: CborValue; leaf: CborValue }>((tie) => ({
  leaf: fc.oneof(
    fc
      .bigInt(-(2n ** 64n), 2n ** 64n - 1n)
      .map((each): CborValue => ({ kind: "integer", value: each })),
    fc.uint8Array({ maxLength: 300 }).map((bytes): CborValue => ({ kind: "bytes", bytes })),
    fc.string({ unit: "grapheme" }).map((text): CborValue => ({ kind: "text", text })),
    fc.constantFrom(true, false, null).map((each): CborValue => ({ kind: "simple", value: each })),
  ),
  value: fc.oneof(
    { maxDepth: MAX_CBOR_DEPTH - 1 },
    tie("leaf"),
    fc.array(tie("value"), { maxLength: 30 }).map((items): CborValue => ({ kind: "array", items })),
    fc
      .array(fc.tuple(fc.string({ unit: "grapheme" }), tie("value")), { maxLength: 30 })
      .map((entries): CborValue => ({ kind: "map", entries: new Map(entries) })),
    fc
      .tuple(fc.bigInt(0n, 2n ** 64n - 1n), tie("value"))
      .map(([tag, content]): CborValue => ({ kind: "tag", tag, content })),
  ),
})).value;

test("what is written reads back, and no part of it alone does", () => {
  fc.assert(
    fc.property(value, fc.nat(), (given, cut) => {
      const bytes = writeCbor(given);
      expect(parseCbor(bytes)).toEqual(given);
      expect(() => parseCbor(bytes.subarray(0, cut % bytes.byteLength))).toThrow(refused);
    }),
  );
});

test("whatever bytes are read are those that would be written", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (bytes) => {
      let parsed: CborValue;
      try {
        parsed = parseCbor(bytes);
      } catch (error) {
        expect(error).toEqual(refused);
        return;
      }
      expect(toHex(writeCbor(parsed))).toBe(toHex(bytes));
    }),
    { numRuns: 5000 },
  );
});
