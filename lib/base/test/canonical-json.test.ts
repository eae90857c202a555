import fc from "fast-check";
import { expect, test } from "vitest";
import {
  CanonicalJsonError,
  canonicalJson,
  type Json,
  parseCanonicalJson,
} from "../canonical-json.ts";

test("the RFC 8785 section 3.2.3 key-order vector sorts by UTF-16 code units", () => {
  const value = {
    "\u20ac": "Euro Sign",
    "\r": "Carriage Return",
    "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face",
    "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis",
  };
  const values = [...canonicalJson(value).matchAll(/:"([^"]*)"/g)].map((match) => match[1]);
  expect(values).toEqual([
    "Carriage Return",
    "One",
    "Control",
    "Latin Small Letter O With Diaeresis",
    "Euro Sign",
    "Emoji: Grinning Face",
    "Hebrew Letter Dalet With Dagesh",
  ]);
});

test("the RFC 8785 appendix B numbers print as listed", () => {
  const listed: [number, string][] = [
    [-0, "0"],
    [5e-324, "5e-324"],
    [9007199254740992, "9007199254740992"],
    [295147905179352830000, "295147905179352830000"],
    [9.999999999999997e22, "9.999999999999997e+22"],
    [1e23, "1e+23"],
    [333333333.3333332, "333333333.3333332"],
    [-0.0000033333333333333333, "-0.0000033333333333333333"],
  ];
  for (const [value, text] of listed) expect(canonicalJson(value)).toBe(text);
});

test("what is written parses back to the same value", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false } as never), (value) => {
      const text = canonicalJson(value as Json);
      expect(canonicalJson(parseCanonicalJson(text))).toBe(text);
    }),
  );
});

test.each([
  ["white space", '{"a": 1}', "not-canonical"],
  ["unsorted keys", '{"b":1,"a":1}', "not-canonical"],
  ["a duplicate key", '{"a":1,"a":1}', "not-canonical"],
  ["another spelling of a number", "1.0", "not-canonical"],
  ["an escape that is not needed", '"\\u0061"', "not-canonical"],
  ["trailing text", "1 2", "not-json"],
  ["nothing", "", "not-json"],
  ["half a surrogate pair", '"\\ud800"', "lone-surrogate"],
  ["65 levels", `${"[".repeat(66)}${"]".repeat(66)}`, "too-deep"],
])("refuses %s", (_what, text, code) => {
  expect(() => parseCanonicalJson(text)).toThrow(expect.objectContaining({ code }));
  expect(() => parseCanonicalJson(text)).toThrow(CanonicalJsonError);
});
