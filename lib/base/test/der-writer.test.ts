import { expect, test } from "vitest";
import { toHex } from "../bytes.ts";
import {
  bitString,
  boolean,
  type DerValue,
  encoded,
  enumerated,
  implicit,
  integer,
  nullValue,
  objectIdentifier,
  printableString,
  sequence,
  time,
  toDer,
  unsignedInteger,
} from "../der-writer.ts";
import type { UnixMs } from "../ids.ts";

const at = (...date: [number, number, number, number, number, number]) =>
  time((Date.UTC(...date) + 999) as UnixMs);

test.each<[string, DerValue, string]>([
  ["an OID with an arc over 127 (X.690 §8.19.5)", objectIdentifier("2.100.3"), "0603813403"],
  ["the OID of RSA Data Security", objectIdentifier("1.2.840.113549"), "06062a864886f70d"],
  ["an integer with its top bit set", unsignedInteger(Uint8Array.of(0x80)), "02020080"],
  ["an integer with leading zeros", unsignedInteger(Uint8Array.of(0, 0, 5)), "020105"],
  ["zero", unsignedInteger(Uint8Array.of(0)), "020100"],
  ["a number over a byte", integer(300), "0202012c"],
  ["a number beyond 2^53", integer(2n ** 64n), "0209010000000000000000"],
  ["an enumeration", enumerated(2), "0a0102"],
  ["nothing", nullValue(), "0500"],
  ["a text of few characters", printableString("US"), "13025553"],
  ["a context tag numbered as INTEGER is", implicit(2, Uint8Array.of(0, 1)), "82020001"],
  ["a value that is DER already", encoded(Uint8Array.of(0x30, 2, 5, 0)), "30020500"],
  ["true", boolean(true), "0101ff"],
  ["a key usage of two bits", bitString(Uint8Array.of(6), 1), "03020106"],
  ["an empty sequence", sequence(), "3000"],
  ["the last UTCTime", at(2049, 11, 31, 23, 59, 59), `170d${hexOf("491231235959Z")}`],
  ["the first GeneralizedTime", at(2050, 0, 1, 0, 0, 0), `180f${hexOf("20500101000000Z")}`],
])("%s is encoded as the standard says", (_what, value, expected) => {
  expect(toHex(toDer(value))).toBe(expected);
});

test("a UUID arc keeps all of its 128 bits", () => {
  const [, , ...content] = toDer(objectIdentifier("2.25.114316201324952294274730669790339631515"));
  expect(content[0]).toBe(2 * 40 + 25);
  const uuid = content.slice(1).reduce((sum, byte) => (sum << 7n) | BigInt(byte & 0x7f), 0n);
  expect(uuid.toString(16)).toBe("56007fe0f02545cd8f595cfd0215899b");
});

test.each<[string, () => DerValue]>([
  ["a negative number", () => integer(-1)],
  ["an enumeration of more than a byte", () => enumerated(128)],
  ["a text that is not printable", () => printableString("a@b")],
  ["bytes after a value", () => encoded(Uint8Array.of(5, 0, 0))],
  ["half a value", () => encoded(Uint8Array.of(4, 2, 0))],
  ["no bytes", () => encoded(new Uint8Array())],
])("%s is a broken invariant", (_what, write) => {
  expect(write).toThrow(/invariant/);
});

test("a year that DER times cannot hold is a broken invariant", () => {
  expect(() => time(Date.UTC(1949, 0) as UnixMs)).toThrow(/invariant/);
  expect(() => time((Date.UTC(9999, 11, 31) + 86_400_000) as UnixMs)).toThrow(/invariant/);
});

function hexOf(text: string): string {
  return Buffer.from(text, "latin1").toString("hex");
}
