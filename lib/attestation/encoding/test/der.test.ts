import { describe, expect, test } from "vitest";
import { EvidenceError } from "../../evidence-error.ts";
import { cuts } from "../../testing/damage.ts";
import { hex, tlv } from "../../testing/raw-der.ts";
import { DerReader, TAG } from "../der.ts";

const read = (bytes: Uint8Array): DerReader => new DerReader(bytes, "malformed-der", "test");

const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof EvidenceError) return error.message;
    throw error;
  }
  return "nothing was thrown";
};

type Row = [what: string, input: string, read: (reader: DerReader) => unknown, message: string];

test.each<Row>([
  ["no value", "", (r) => r.any("x"), "test: x: cut off"],
  ["no length", "02", (r) => r.any("x"), "test: x: cut off"],
  ["a length past the end", "020201", (r) => r.any("x"), "test: x: cut off"],
  ["a length that is cut off", "0282 01", (r) => r.any("x"), "test: x: cut off"],
  ["an indefinite length", "3080 0000", (r) => r.any("x"), "test: x: an indefinite length"],
  ["a reserved length", "30ff", (r) => r.any("x"), "test: x: a length past the end"],
  ["five bytes of length", "3085 0000000001 00", (r) => r.any("x"), "a length past the end"],
  ["four bytes of length", "3084 ffffffff 00", (r) => r.any("x"), "test: x: cut off"],
  ["81 for a short length", `0481 7f ${"00".repeat(127)}`, (r) => r.any("x"), "not minimal"],
  ["82 for one byte", `0482 00ff ${"00".repeat(255)}`, (r) => r.any("x"), "not minimal"],
  ["83 for two bytes", `0483 000100 ${"00".repeat(256)}`, (r) => r.any("x"), "not minimal"],
  ["a long tag", "1f8101 00", (r) => r.any("x"), "a tag of several bytes"],
  ["another tag", "0401 00", (r) => r.integer("x"), "test: x: tag 04 where tag 02 belongs"],
  ["nothing where a value belongs", "", (r) => r.integer("x"), "nothing where tag 02 belongs"],
  ["an empty integer", "0200", (r) => r.integer("x"), "test: x: not minimal"],
  ["a padded integer", "0202 0001", (r) => r.integer("x"), "test: x: not minimal"],
  ["a negative one", "0201 ff", (r) => r.unsigned("x", 9n), "test: x: negative"],
  ["one too many", "0201 0a", (r) => r.unsigned("x", 9n), "test: x: above 9"],
  ["a huge one", `0281c8 7f${"00".repeat(199)}`, (r) => r.unsigned("x", 9n), "above 9"],
  ["a wide boolean", "0102 ffff", (r) => r.boolean("x"), "test: x: neither 00 nor FF"],
  ["an empty boolean", "0100", (r) => r.boolean("x"), "test: x: neither 00 nor FF"],
  ["a boolean of 01", "0101 01", (r) => r.boolean("x"), "test: x: neither 00 nor FF"],
  ["unused bits", "0302 01fe", (r) => r.bitString("x"), "test: x: not of whole bytes"],
  ["a bit string of nothing", "0300", (r) => r.bitString("x"), "test: x: not of whole bytes"],
  ["named bits", "0302 0880", (r) => r.namedBits("x"), "test: x: not a list of named bits"],
  ["an identifier", "0602 2a80", (r) => r.oid("x"), "test: x: not an object identifier"],
  ["a time", "1702 3235", (r) => r.time("x"), "test: x: not a time"],
  ["a time of another type", "0402 3235", (r) => r.time("x"), "tag 04 where tag 18 belongs"],
  ["what is left over", "0500 00", (r) => [r.any("x"), r.end()], "test: something follows"],
  ["what is left inside", "3002 0500", (r) => r.sequence("x").end(), "test, x: something"],
  ["a child past its parent", "3003 0202 01 01", (r) => r.sequence("x").any("y"), "y: cut off"],
])("%s is refused by name and place", (_, input, act, message) => {
  expect(refusal(() => act(read(hex(input))))).toContain(message);
});

test("the error has the code that the reader was given", () => {
  const reader = new DerReader(new Uint8Array(), "malformed-crl", "list");
  expect(() => reader.any("x")).toThrow(expect.objectContaining({ code: "malformed-crl" }));
});

describe("values that are read", () => {
  test("booleans", () => {
    const reader = read(hex("010100 0101ff"));
    expect([reader.boolean("a"), reader.boolean("b"), reader.isAtEnd]).toEqual([false, true, true]);
  });

  test("integers keep their sign byte, and are bounded as numbers", () => {
    expect(read(hex("0203 008001")).integer("x")).toEqual(hex("008001"));
    expect(read(hex("0203 008001")).unsigned("x", 0x8001n)).toBe(0x8001n);
    expect(read(hex("0a0102")).smallUnsigned("x", 2, TAG.enumerated)).toBe(2);
  });

  test("bit strings, octet strings, identifiers, times", () => {
    const reader = read(hex("030300abcd 0402ef01 06032a0304 170d3235303630313030303030305a"));
    expect(reader.bitString("x")).toEqual(hex("abcd"));
    expect(reader.octetString("x")).toEqual(hex("ef01"));
    expect(reader.oid("x")).toBe("1.2.3.4");
    expect(reader.time("x")).toBe(Date.UTC(2025, 5, 1));
    reader.end();
  });

  test("lengths of one, two and three bytes, and the bytes of the whole value", () => {
    for (const size of [0, 0x7f, 0x80, 0xff, 0x100, 0xffff]) {
      const value = tlv(0x04, new Uint8Array(size).fill(7));
      const { content, encoded, tag } = read(value).any("x");
      expect([tag, content.byteLength]).toEqual([4, size]);
      expect(encoded).toEqual(value);
    }
  });

  test("a value that is optional shows by its tag", () => {
    const reader = read(hex("0500"));
    expect(reader.nextTag).toBe(TAG.null);
    reader.any("x");
    expect(reader.nextTag).toBeUndefined();
  });
});

test("sixteen values may enclose another, seventeen may not", () => {
  const descend = (depth: number): string =>
    refusal(() => {
      let bytes = new Uint8Array();
      for (let index = 0; index < depth; index += 1) bytes = Uint8Array.from(tlv(0x30, bytes));
      let reader = read(bytes);
      for (let index = 0; index < depth; index += 1) reader = reader.sequence("x");
    });
  expect(descend(16)).toBe("nothing was thrown");
  expect(descend(17)).toContain("nested too deeply");
});

test("every cut of a value is refused", () => {
  const value = tlv(0x30, hex("0201 05"), tlv(0x30, hex("0500"), tlv(0x04, new Uint8Array(200))));
  const readAll = (bytes: Uint8Array): void => {
    const reader = read(bytes);
    const outer = reader.sequence("outer");
    outer.integer("x");
    const inner = outer.sequence("inner");
    inner.any("y");
    inner.octetString("z");
    for (const each of [inner, outer, reader]) each.end();
  };
  readAll(value);
  for (const { bytes, offset } of cuts(value)) {
    expect([offset, refusal(() => readAll(bytes))]).toEqual([
      offset,
      expect.stringMatching(/cut off|nothing where/),
    ]);
  }
});
