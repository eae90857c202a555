import { expect, test } from "vitest";
import { UsageError } from "../../../lib/base/role-process.ts";
import { readConfig } from "../config.ts";

test("a combiner needs a home only", () => {
  expect(readConfig(["--home", "DIR"])).toMatchObject({
    home: "DIR",
    host: "127.0.0.1",
    port: 0,
    advertise: undefined,
    maxClients: 10_000,
    stagingBudgetBytes: 2 ** 30,
  });
});

test("what is given is taken", () => {
  const args = ["--listen", "[::1]:9", "--advertise", "a.example:9", "--max-clients", "7"];
  expect(readConfig(["--home", "D", ...args, "--staging-mib", "2"])).toMatchObject({
    host: "::1",
    port: 9,
    advertise: "a.example:9",
    maxClients: 7,
    stagingBudgetBytes: 2 ** 21,
  });
});

test.each<[string, string[]]>([
  ["no home", []],
  ["an unknown option", ["--home", "D", "--colour", "red"]],
  ["no clients", ["--home", "D", "--max-clients", "0"]],
  ["one client past the limit", ["--home", "D", "--max-clients", "10001"]],
  ["a number that is none", ["--home", "D", "--staging-mib", "1e3"]],
  ["an address without a port", ["--home", "D", "--listen", "localhost"]],
])("%s is a usage error", (_, args) => {
  expect(() => readConfig(args)).toThrow(UsageError);
});
