import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes, fromHex, lengthPrefixed, toBase32, toHex, utf8 } from "../bytes.ts";
import {
  digestBytes,
  digestOf,
  newSessionId,
  parseDigest,
  parseName,
  parseSessionId,
} from "../ids.ts";

test.each([
  ["", ""],
  ["f", "my"],
  ["fo", "mzxq"],
  ["foo", "mzxw6"],
  ["foob", "mzxw6yq"],
  ["fooba", "mzxw6ytb"],
  ["foobar", "mzxw6ytboi"],
])("base32 of %j is the RFC 4648 vector", (text, expected) => {
  expect(toBase32(utf8(text))).toBe(expected);
});

test("hex round-trips and refuses upper case, odd lengths and other characters", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(fromHex(toHex(bytes))).toEqual(bytes);
    }),
  );
  for (const bad of ["A0", "0", "0g", " 00"]) expect(fromHex(bad)).toBeUndefined();
});

test("a digest is SHA-256 of the parts in order and survives the wire form", () => {
  const digest = digestOf(utf8("a"), utf8("bc"));
  expect(digest).toBe(createHash("sha256").update("abc").digest("hex"));
  expect(parseDigest(toHex(digestBytes(digest)))).toBe(digest);
});

test("length prefixes keep differently split parts apart", () => {
  const one = concatBytes(lengthPrefixed(utf8("ab")), lengthPrefixed(utf8("c")));
  const other = concatBytes(lengthPrefixed(utf8("a")), lengthPrefixed(utf8("bc")));
  expect(toHex(one)).not.toBe(toHex(other));
});

test.each([
  ["a", true],
  ["a".repeat(63), true],
  ["hospital-a", true],
  ["", false],
  ["a".repeat(64), false],
  ["Alice", false],
  ["a/b", false],
  ["a\n", false],
  ["é", false],
])("name %j is accepted: %s", (text, accepted) => {
  expect(parseName(text) !== undefined).toBe(accepted);
});

test("a new session id parses; one with stray bits in its last character does not", () => {
  const id = newSessionId({ bytes: (size) => new Uint8Array(size).fill(255) });
  expect(id).toBe("777777777777777777777777774".slice(1));
  expect(parseSessionId(id)).toBe(id);
  expect(parseSessionId(`${id.slice(0, 25)}7`)).toBeUndefined();
});
