/** `fedclave demo` as a person runs it: a process of its own, from the bundle. Wants a build. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { DemoResult } from "../../cli/demo/result.ts";

const TIMEOUT_MS = 120_000;
const ENDLESS = ["--rounds", "10000", "--clients", "2", "--local-epochs", "1", "--json"];
const SMALL = ["--rounds", "2", "--clients", "2", "--local-epochs", "1", "--json"];

let directory: string;
let children: ChildProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-e2e-"));
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
});
afterAll(() => rm(directory, { recursive: true, force: true }));

type Run = {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<number | null>;
};

function startDemo(args: readonly string[]): Run {
  const child = spawn(process.execPath, [path.resolve("dist/demo.cjs"), ...args], {
    // Where it makes its temporary directory, so that what is left can be seen.
    env: { ...process.env, TMPDIR: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (part: Buffer) => {
    stdout += part;
  });
  child.stderr.on("data", (part: Buffer) => {
    stderr += part;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

async function runDemo(args: readonly string[]): Promise<DemoResult> {
  const run = startDemo(args);
  const status = await run.ended;
  expect([status, status === 0 ? "" : run.stderr()]).toEqual([0, ""]);
  expect(run.stdout().trimEnd().split("\n")).toHaveLength(1);
  return JSON.parse(run.stdout());
}

/** Resolves when standard error shows the text. */
const shown = ({ child, stderr }: Run, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const look = (): void => {
      if (stderr().includes(text)) resolve();
    };
    child.stderr?.on("data", look);
    child.on("close", () => reject(new Error(`it ended before it showed "${text}": ${stderr()}`)));
    look();
  });

type Found = { readonly pid: number; readonly command: string };

/** Roles of demos in our directory: they have their homes in it. */
async function findRoles(): Promise<Found[]> {
  const found: Found[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const text = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    if (!text.includes(`${directory}/fedclave-demo-`)) continue;
    found.push({ pid: Number(entry), command: text.replaceAll("\0", " ") });
  }
  return found;
}

const rolesAlive = async (): Promise<string[]> => (await findRoles()).map((each) => each.command);

test(
  "a small demo prints one line of JSON, and leaves nothing running and nothing on disk",
  async () => {
    const result = await runDemo(SMALL);
    expect(result).toMatchObject({ rounds: 2, testExamples: 10_000 });
    expect(result.modelHash).toMatch(/^[0-9a-f]{64}$/);
    expect(result.testAccuracy).toBeGreaterThan(0.3);
    expect(result.testAccuracy).toBeLessThanOrEqual(1);
    expect(result.seconds).toBeGreaterThan(0);
    expect(await rolesAlive()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "the model is the same with one and two combiners, and with all clients in one process",
  async () => {
    const one = await runDemo([...SMALL, "--combiners", "1"]);
    const two = await runDemo([...SMALL, "--combiners", "2", "--clients-per-process", "2"]);
    const other = await runDemo([...SMALL, "--seed", "2"]);
    expect(two.modelHash).toBe(one.modelHash);
    expect(other.modelHash).not.toBe(one.modelHash);
  },
  TIMEOUT_MS,
);

test(
  "interrupted, it says what was done, stops every process and removes its files",
  async () => {
    const run = startDemo(ENDLESS);
    await shown(run, "committed");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toMatch(/rounds: +\d+ of 10000 committed/);
    expect(run.stderr()).toContain("Interrupted; all processes are stopped.");
    expect(await rolesAlive()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "killed outright, it takes its processes with it",
  async () => {
    const run = startDemo(ENDLESS);
    await shown(run, "committed");
    expect((await rolesAlive()).length).toBe(5);
    run.child.kill("SIGKILL");
    await run.ended;
    await expect.poll(rolesAlive, { timeout: 20_000, interval: 100 }).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "when a role dies, it says which, shows its last lines, and stops the rest",
  async () => {
    const run = startDemo(ENDLESS);
    await shown(run, "committed");
    const victim = (await findRoles()).find((each) => each.command.includes("/combiner-2 "));
    process.kill(victim!.pid, "SIGKILL");
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toContain("combiner-2 stopped unexpectedly (SIGKILL). Its last lines:");
    expect(run.stdout()).toBe("");
    expect(await rolesAlive()).toEqual([]);
  },
  TIMEOUT_MS,
);
