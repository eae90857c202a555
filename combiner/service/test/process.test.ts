/** The role as it ships: one bundle, run by node. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FoundedFederation, foundFederation } from "../testing/founded-federation.ts";
import { until } from "../testing/world.ts";

let directory: string;
let bundle: string;
let federation: FoundedFederation;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-bundle-"));
  bundle = path.join(directory, "combiner.cjs");
  const main = path.resolve(import.meta.dirname, "../main.ts");
  const format = { bundle: true, platform: "node", target: "node20", format: "cjs" } as const;
  await build({ ...format, entryPoints: [main], outfile: bundle, logLevel: "error" });
  federation = await foundFederation();
});
afterAll(async () => {
  await federation.close();
  await rm(directory, { recursive: true });
});

type Run = {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string; exit: number | null | undefined };
};

function run(...args: readonly string[]): Run {
  const child = spawn(process.execPath, [bundle, ...args], { stdio: "pipe" });
  const output: Run["output"] = { stdout: "", stderr: "", exit: undefined };
  child.stdout.on("data", (text: Buffer) => {
    output.stdout += text.toString();
  });
  child.stderr.on("data", (text: Buffer) => {
    output.stderr += text.toString();
  });
  child.on("close", (code) => {
    output.exit = code;
  });
  return { child, output };
}

test("it joins, says that it is ready, attaches, and stops cleanly on SIGTERM", async () => {
  const home = await federation.enrol("combiner-1");
  const { child, output } = run("--home", home, "--listen", "127.0.0.1:0");
  await until(() => output.stdout.includes("\n") || output.exit !== undefined);
  const ready = JSON.parse(output.stdout);
  expect(ready).toEqual({
    ready: true,
    role: "combiner",
    address: expect.stringMatching(/^127\.0\.0\.1:[0-9]+$/),
  });
  await until(() => federation.attached.length > 0);
  expect(federation.attached).toEqual([ready.address]);
  child.kill("SIGTERM");
  await until(() => output.exit !== undefined);
  expect(output.exit).toBe(0);
  expect(output.stdout.trim().split("\n")).toHaveLength(1);
  for (const line of output.stderr.trim().split("\n")) expect(JSON.parse(line).event).toBeDefined();
});

test("wrong arguments end it with the usage and status 2", async () => {
  const { output } = run("--hom", "x");
  await until(() => output.exit !== undefined);
  expect([output.exit, output.stdout]).toEqual([2, ""]);
  expect(output.stderr).toContain("usage: fedclave combiner --home DIR");
});

test("a home that is not there ends it with one readable line and status 1", async () => {
  const { output } = run("--home", path.join(directory, "nowhere"), "--log-level", "silent");
  await until(() => output.exit !== undefined);
  expect([output.exit, output.stdout]).toEqual([1, ""]);
  expect(output.stderr).toMatch(/^fedclave combiner: .*member\.key\.pem.*\n$/);
});

test("it can be stopped while it waits for a reducer that is not there", async () => {
  const elsewhere = await foundFederation();
  const home = await elsewhere.enrol("combiner-1");
  await elsewhere.stopListening();
  const { child, output } = run("--home", home);
  await until(() => output.stderr.includes("reducer.unreachable") || output.exit !== undefined);
  child.kill("SIGTERM");
  await until(() => output.exit !== undefined);
  expect([output.exit, output.stdout]).toEqual([0, ""]);
  await elsewhere.close();
});
