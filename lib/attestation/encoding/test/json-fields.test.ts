import { describe, expect, test } from "vitest";
import { hex } from "../../testing/raw-der.ts";
import { type JsonValue, parseJson } from "../json-fields.ts";

const parse = (text: string): JsonValue => parseJson(text, "malformed-tcb-info", 5000);

test.each<[string, string, (value: JsonValue) => unknown, string]>([
  ["an array for an object", "[]", (v) => v.strictObject([]), "$: no object"],
  ["null for an object", "null", (v) => v.openObject([]), "$: no object"],
  ["a missing key", "{}", (v) => v.strictObject(["a"]), '$: no key "a"'],
  ["a missing key of an open one", "{}", (v) => v.openObject(["a"]), '$: no key "a"'],
  ["an inherited key", "{}", (v) => v.openObject(["toString"]), '$: no key "toString"'],
  ["an unknown key", '{"b":1}', (v) => v.strictObject([], ["a"]), '$: unknown key "b"'],
  ["a prototype as a key", '{"__proto__":1}', (v) => v.strictObject([]), 'key "__proto__"'],
  ["a wrong field", '{"a":1}', (v) => v.strictObject(["a"]).get("a").string(), "$.a: no text"],
  ["a null field", '{"a":null}', (v) => v.strictObject([], ["a"]).find("a")?.string(), "$.a: no"],
  ["a wrong element", "[1,[]]", (v) => v.array(0, 9).map((e) => e.integer(0, 9)), "$[1]: no whole"],
  ["a long text", JSON.stringify("a".repeat(4097)), (v) => v.string(), "$: no text"],
  ["another text", '"abc"', (v) => v.string(/^b$/), "$: not ^b$"],
  ["none of the texts", '"c"', (v) => v.oneOf(["a", "b"]), "$: none of a, b"],
  ["a text for a number", '"1"', (v) => v.integer(0, 9), "$: no whole number from 0 to 9"],
  ["a fraction", "1.5", (v) => v.integer(0, 9), "$: no whole number from 0 to 9"],
  ["one below", "-1", (v) => v.integer(0, 9), "$: no whole number from 0 to 9"],
  ["one above", "10", (v) => v.integer(0, 9), "$: no whole number from 0 to 9"],
  ["past 2^53", "9007199254740993", (v) => v.integer(0, 2 ** 60), "$: no whole number"],
  ["a number for a boolean", "1", (v) => v.boolean(), "$: neither true nor false"],
  ["hex of another length", '"abcd"', (v) => v.hex(1), "$: not 1 bytes in hex"],
  ["half a byte", '"abc"', (v) => v.hex(1), "$: not 1 bytes in hex"],
  ["no hex", '"zz"', (v) => v.hex(1), "$: not 1 bytes in hex"],
  ["an object for an array", '{"length":1}', (v) => v.array(0, 9), "$: no array of 0 to 9"],
  ["too few elements", "[1]", (v) => v.array(2, 9), "$: no array of 2 to 9"],
  ["too many", "[1,2]", (v) => v.array(0, 1), "$: no array of 0 to 1"],
  ["a day that is not", '"2025-02-30T00:00:00Z"', (v) => v.time(), "$: no time"],
  ["an hour that is not", '"2025-02-03T24:00:00Z"', (v) => v.time(), "$: no time"],
  ["a zone", '"2025-02-03T00:00:00+00:00"', (v) => v.time(), "$: not ^"],
  ["a date alone", '"2025-02-03"', (v) => v.time(), "$: not ^"],
])("%s is refused with its place", (_, text, act, message) => {
  const value = parse(text);
  expect(() => act(value)).toThrow(
    expect.objectContaining({
      code: "malformed-tcb-info",
      message: expect.stringContaining(message),
    }),
  );
});

test.each([
  ["", "malformed-tcb-info"],
  ["{", "malformed-tcb-info"],
  ["{} {}", "malformed-tcb-info"],
  ["[".repeat(5000), "malformed-tcb-info"],
  [" ".repeat(5001), "too-large"],
])("text that is not JSON, or too much of it, is refused", (text, code) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ code }));
});

describe("shapes that are read", () => {
  test("an open object passes over what its author added, a strict one has optional keys", () => {
    const text = '{"id":"SGX","version":3,"new":{}}';
    const open = parse(text).openObject(["id"], ["version", "gone"]);
    expect(open.get("id").oneOf(["QE", "SGX"])).toBe("SGX");
    expect(open.find("version")?.integer(2, 3)).toBe(3);
    expect(open.find("gone")).toBeUndefined();
    expect(parse('{"id":"QE"}').strictObject(["id"], ["version"]).find("version")).toBeUndefined();
  });

  test("hex of either case, times to the second, booleans, limits of arrays", () => {
    expect(parse('"aBcD"').hex(2)).toEqual(hex("abcd"));
    expect(parse('"2024-02-29T23:59:59Z"').time()).toBe(Date.UTC(2024, 1, 29, 23, 59, 59));
    expect(parse("true").boolean()).toBe(true);
    expect(
      parse("[0,9]")
        .array(2, 2)
        .map((each) => each.integer(0, 9)),
    ).toEqual([0, 9]);
    expect(parse('"INTEL-SA-00615"').string(/^INTEL-SA-\d{5}$/)).toBe("INTEL-SA-00615");
  });
});
