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
  [
    "an unknown runtime",
    [..."--home a --data b --runtime java".split(" ")],
    /not one of onnx, command/,
  ],
  [
    "an option of commands without them",
    "--home a --data b --dangerously-unsandboxed".split(" "),
    /--dangerously-unsandboxed is for --runtime command/,
  ],
  [
    "an unknown way with Python environments",
    "--home a --data b --runtime command --python-env yes".split(" "),
    /not one of refuse, system, make/,
  ],
  [
    "half a second",
    "--home a --data b --runtime command --command-seconds 0.5".split(" "),
    /not a whole number/,
  ],
  [
    "a variable without a value",
    "--home a --data b --runtime command --command-env NAME".split(" "),
    /not NAME=VALUE/,
  ],
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

test("without --runtime command there is nothing about commands; with it the safe choices are the defaults", () => {
  expect("commands" in readConfig("--home a --data b".split(" "))).toBe(false);
  expect("commands" in readConfig("--home a --data b --runtime onnx".split(" "))).toBe(false);
  expect(readConfig("--home a --data b --runtime command".split(" ")).commands).toEqual({
    dangerouslyUnsandboxed: false,
    pythonEnvironments: "refuse",
    tools: [],
    environment: {},
    limits: {},
  });
});

test("what the owner says about commands is read with its units", () => {
  const words = "--runtime command --dangerously-unsandboxed --python-env make --tools conda";
  const more = "--command-env A=1=2 --command-env B= --command-seconds 60 --command-memory-mib 2";
  const args = `--home a --data b ${words} ${more} --command-disk-mib 3`.split(" ");
  expect(readConfig(args).commands).toEqual({
    dangerouslyUnsandboxed: true,
    pythonEnvironments: "make",
    tools: [path.resolve("conda")],
    environment: { A: "1=2", B: "" },
    limits: { seconds: 60, memoryBytes: 2 * 1024 * 1024, diskBytes: 3 * 1024 * 1024 },
  });
});
