/** Packages that do harm on purpose, and what must have become of them. */
import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { MIB } from "../../../lib/base/limits.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { commandPackage, testLimits, testRunner } from "./command-world.ts";

/** What the package does in words, its script, and the codes it may end with. */
export type HostileCase = readonly [string, string, readonly string[]];

export const training = (script: string) =>
  commandPackage({ entries: { train: "bash hostile.sh" }, files: { "hostile.sh": script } });

/** A duration that no other process sleeps for. */
export const MARK = "98765.4321";
export const stillRunning = () =>
  readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "latin1").includes(MARK);
      } catch {
        return false;
      }
    });

/** The script is stopped with one of the codes and leaves nothing behind; its owner is told why. */
export async function expectStopped(
  sandbox: Sandbox,
  script: string,
  codes: readonly string[],
): Promise<void> {
  const mustTimeOut = codes.includes("command-timed-out");
  const seconds = mustTimeOut ? 1 : 20;
  const limits = { ...testLimits, seconds, memoryBytes: 384 * MIB };
  const runner = await testRunner(sandbox, training(script), { limits });
  const error = await runner.train().then(
    () => ({ code: "nothing", message: "" }),
    (each: { code: string; message: string }) => each,
  );
  expect(codes, error.message).toContain(error.code);
  expect(runner.reports.at(-1)).toMatchObject({ entryPoint: "train", code: error.code });
  expect(runner.reports.at(-1)!.output.length).toBeLessThan(256 * 1024);
  expect(stillRunning()).toEqual([]);
  expect(await runner.validate()).toMatchObject({ exampleCount: 1 });
}
