import { expect, test } from "vitest";
import { hex } from "../../testing/raw-der.ts";
import { isMinimalInteger, namedBits, oidText, timeMs } from "../der-values.ts";

const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

test.each([
  ["nothing", ""],
  ["an arc that is cut off", "2a86"],
  ["an arc with a leading zero", "2a8001"],
  ["a first arc with a leading zero", "802a"],
  ["65 bytes", "2a".repeat(65)],
])("an object identifier of %s is refused", (_, content) => {
  expect(oidText(hex(content))).toBeUndefined();
});

test.each([
  ["00", "0.0"],
  ["27", "0.39"],
  ["28", "1.0"],
  ["4f", "1.39"],
  ["50", "2.0"],
  // X.690 §8.19.5
  ["883703", "2.999.3"],
  ["2a8648ce3d040302", "1.2.840.10045.4.3.2"],
  ["6781050504 09", "2.23.133.5.4.9"],
  // The bytes that Gramine writes for its older evidence.
  ["06092a864886f84d8a3906", "0.6.9.42.840.113741.1337.6"],
])("object identifier %s is %s", (content, text) => {
  expect(oidText(hex(content))).toBe(text);
});

test("arcs past 2^53 keep every digit", () => {
  // 2.25 and 2^128 − 1 in groups of seven bits
  expect(oidText(hex(`6983${"ff".repeat(17)}7f`))).toBe(`2.25.${2n ** 128n - 1n}`);
});

test.each([
  ["", false],
  ["0001", false],
  ["007f", false],
  ["ffff", false],
  ["ff80", false],
  ["00", true],
  ["7f", true],
  ["80", true],
  ["ff", true],
  ["0080", true],
  ["ff7f", true],
])("the integer %s is minimal: %s", (content, minimal) => {
  expect(isMinimalInteger(hex(content))).toBe(minimal);
});

test.each<["utc" | "generalized", string]>([
  ["utc", ""],
  ["utc", "2501010000Z"],
  ["utc", "250101000000"],
  ["utc", "250101000000z"],
  ["utc", "250101000000+0000"],
  ["utc", "20250101000000Z"],
  ["utc", "250101000000Z "],
  ["utc", "250101000000Z\n"],
  ["utc", "25010100000 Z"],
  ["utc", "250001000000Z"],
  ["utc", "251301000000Z"],
  ["utc", "250100000000Z"],
  ["utc", "250132000000Z"],
  ["utc", "250229000000Z"],
  ["utc", "250431000000Z"],
  ["utc", "250101240000Z"],
  ["utc", "250101006000Z"],
  ["utc", "250101000060Z"],
  ["generalized", "250101000000Z"],
  ["generalized", "20250101000000.0Z"],
  ["generalized", "20250101000000"],
  ["generalized", "2025010100Z"],
  ["generalized", "19000229000000Z"],
])("%s time %j is refused", (kind, text) => {
  expect(timeMs(ascii(text), kind)).toBeUndefined();
});

test.each<["utc" | "generalized", string, string]>([
  ["utc", "500101000000Z", "1950-01-01T00:00:00Z"],
  ["utc", "991231235959Z", "1999-12-31T23:59:59Z"],
  ["utc", "000229120000Z", "2000-02-29T12:00:00Z"],
  ["utc", "491231235959Z", "2049-12-31T23:59:59Z"],
  ["generalized", "20210401000000Z", "2021-04-01T00:00:00Z"],
  ["generalized", "20500101000000Z", "2050-01-01T00:00:00Z"],
  ["generalized", "99991231235959Z", "9999-12-31T23:59:59Z"],
])("%s time %s is %s", (kind, text, iso) => {
  expect(timeMs(ascii(text), kind)).toBe(Date.parse(iso));
});

test.each([
  ["nothing at all", ""],
  ["unused bits of no byte", "01"],
  ["eight unused bits", "08ff"],
  ["an unused bit that is set", "0107"],
  ["all unused bits set", "07ff"],
  ["more bytes than any key has uses", "00".repeat(17)],
])("named bits of %s are refused", (_, content) => {
  expect(namedBits(hex(content))).toBeUndefined();
});

test.each([
  ["00", []],
  ["0780", [0]],
  ["06c0", [0, 1]],
  ["0106", [5, 6]],
  ["0204", [5]],
  // As AMD writes it.
  ["0104", [5]],
  ["070080", [8]],
])("named bits %s are %j", (content, bits) => {
  expect(namedBits(hex(content))).toEqual(bits);
});
