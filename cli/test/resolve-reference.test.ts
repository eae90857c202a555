import { expect, test } from "vitest";
import { resolveReference } from "../resolve-reference.ts";

const digest = (start: string): string => start.padEnd(64, "0");
const old = { digest: digest("aaaaaa1"), name: "seed", atMs: 1 };
const again = { digest: digest("bbbbbb"), name: "seed", atMs: 2 };
const newest = { digest: digest("aaaaaa2"), atMs: 3 };
const all = [again, newest, old];
const find = (text: string, among = all) => resolveReference(text, among, "model", "import one");

test.each([
  ["latest", newest],
  [digest("aaaaaa1"), old],
  ["aaaaaa1", old],
  ["bbbbbb", again],
  ["seed", again],
])("%s means one of the models", (text, found) => {
  expect(find(text)).toBe(found);
});

test.each([
  [
    "an unknown name",
    "other",
    "not-found",
    'no model "other"; list them with: fedclave model list',
  ],
  ["too short a beginning", "bbbbb", "not-found", "the first 6 characters"],
  ["a beginning of two", "aaaaaa", "ambiguous", "begins 2 hashes: aaaaaa200000, aaaaaa100000"],
  ["a digest nobody has", digest("c"), "not-found", "no model"],
])("%s finds none", (_what, text, code, message) => {
  expect(() => find(text)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(message) }),
  );
});

test("when there is none at all, it says what to do", () => {
  expect(() => find("latest", [])).toThrow("the reducer holds no model yet; import one");
});
