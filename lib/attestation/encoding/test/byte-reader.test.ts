import { expect, test } from "vitest";
import { EvidenceError } from "../../evidence-error.ts";
import { cuts } from "../../testing/damage.ts";
import { hex } from "../../testing/raw-der.ts";
import { ByteReader } from "../byte-reader.ts";

const read = (text: string): ByteReader => new ByteReader(hex(text), "malformed-quote", "quote");

test.each<[string, string, (reader: ByteReader) => unknown, string]>([
  ["a byte past the end", "", (r) => r.uint8("f"), "f at byte 0: 1 bytes wanted, 0 left"],
  ["half a number", "01", (r) => r.uint16("f"), "f at byte 0: 2 bytes wanted, 1 left"],
  ["three quarters", "010203", (r) => r.uint32("f"), "f at byte 0: 4 bytes wanted, 3 left"],
  ["seven eighths", "01020304050607", (r) => r.uint64("f"), "8 bytes wanted, 7 left"],
  ["a declared length", "0102", (r) => r.bytes(0xffffffff, "f"), "4294967295 bytes wanted, 2 left"],
  ["a reserved byte", "000001", (r) => r.zeros(3, "f"), "quote, f at byte 0: not zero"],
  ["a constant", "0102", (r) => r.constant(hex("0103"), "f"), "0102 where 0103 belongs"],
  ["a short constant", "01", (r) => r.constant(hex("0103"), "f"), "2 bytes wanted, 1 left"],
  ["what follows", "0102", (r) => [r.uint8("f"), r.end()], "end at byte 1: 1 bytes that do not"],
  ["a part past the end", "0102", (r) => r.within(3, "part"), "part at byte 0: 3 bytes wanted"],
  ["past a part", "010203", (r) => r.within(1, "part").uint16("f"), "quote, part, f at byte 0"],
])("%s is refused by field and offset", (_, input, act, message) => {
  const reader = read(input);
  expect(() => act(reader)).toThrow(
    expect.objectContaining({ code: "malformed-quote", message: expect.stringContaining(message) }),
  );
});

test("numbers are little-endian and fields follow each other", () => {
  const reader = read("01 0203 04050607 08090a0b0c0d0e0f 1011 0000 12");
  expect(reader.uint8("f")).toBe(0x01);
  expect(reader.uint16("f")).toBe(0x0302);
  expect(reader.uint32("f")).toBe(0x07060504);
  expect(reader.uint64("f")).toBe(0x0f0e0d0c0b0a0908n);
  reader.constant(hex("1011"), "f");
  reader.zeros(2, "f");
  expect([reader.offset, reader.remaining]).toEqual([19, 1]);
  expect(reader.bytes(1, "f")).toEqual(hex("12"));
  reader.end();
});

test("numbers with their highest bit set are not negative", () => {
  const reader = read("ff ffff ffffffff ffffffffffffffff");
  expect([reader.uint8("f"), reader.uint16("f"), reader.uint32("f")]).toEqual([
    255, 65_535, 4_294_967_295,
  ]);
  expect(reader.uint64("f")).toBe(2n ** 64n - 1n);
});

test("a view into a larger buffer is read from its own beginning", () => {
  const bytes = hex("ffff0102ffff").subarray(2, 4);
  expect(new ByteReader(bytes, "malformed-quote", "quote").uint16("f")).toBe(0x0201);
});

test("every cut of a structure is refused", () => {
  const whole = hex("01 0203 04050607 08090a0b0c0d0e0f 0000 aabb");
  const readAll = (bytes: Uint8Array): void => {
    const reader = new ByteReader(bytes, "malformed-quote", "quote");
    reader.uint8("a");
    reader.uint16("b");
    reader.uint32("c");
    reader.uint64("d");
    reader.zeros(2, "e");
    reader.bytes(2, "f");
    reader.end();
  };
  readAll(whole);
  for (const { bytes } of cuts(whole)) expect(() => readAll(bytes)).toThrow(EvidenceError);
});
