import path from "node:path";
import { expect, test } from "vitest";
import { MAX_MEMBERS_PER_PROCESS, readConfig } from "../config.ts";

test.each<[string, readonly string[], RegExp]>([
  ["no home", ["--data", "a.npz"], /--home is missing/],
  ["a home without data", ["--home", "a"], /1 --home and 0 --data/],
  [
    "more data than homes",
    ["--home", "a", "--data", "a.npz", "--data", "b.npz"],
    /1 --home and 2 --data/,
  ],
  [
    "too many members",
    Array.from({ length: MAX_MEMBERS_PER_PROCESS + 1 }, () => [
      "--home",
      "a",
      "--data",
      "b",
    ]).flat(),
    /at most 64/,
  ],
  ["an unknown option", ["--home", "a", "--data", "b", "--listen", "c"], /--listen/],
  ["a stray word", ["--home", "a", "--data", "b", "c"], /c/],
])("%s is refused with a word about it", (_, args, message) => {
  expect(() => readConfig(args)).toThrow(message);
  expect(() => readConfig(args)).toThrow(expect.objectContaining({ code: "usage" }));
});

test("homes and data are paired in their order, and made absolute", () => {
  const config = readConfig("--home a --home b --data 1.npz --data 2.npz".split(" "));
  const pair = (home: string, data: string) => ({
    home: path.resolve(home),
    data: path.resolve(data),
  });
  expect(config.members).toEqual([pair("a", "1.npz"), pair("b", "2.npz")]);
  expect(config.logLevel).toBe("info");
  expect(Object.isFrozen(config)).toBe(true);
});
