import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../../lib/base/clock.ts";
import { type RoleProcess, startRole } from "../role-process.ts";

let directory: string;
let role: RoleProcess | undefined;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-role-"));
});
afterEach(async () => {
  role?.killNow();
  role = undefined;
  await rm(directory, { recursive: true, force: true });
});

/** Starts a small program in the place of a combiner. */
async function start(program: string): Promise<RoleProcess> {
  await writeFile(path.join(directory, "combiner.cjs"), program);
  role = startRole({
    name: "combiner-1",
    role: "combiner",
    bundleDirectory: directory,
    args: (address) => ["--listen", address ?? "127.0.0.1:0"],
    logFile: path.join(directory, "combiner-1.log"),
    clock: systemClock(),
  });
  return role;
}

const READY = `console.log(JSON.stringify({ ready: true, address: "127.0.0.1:41" }));`;
const STAYS = "process.stdin.resume();";
const SAYS_ARGUMENTS = "console.error(process.argv.slice(2).join(' '));";

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test("a role is ready when it says so, and what else it prints there is passed over", async () => {
  const started = await start(`console.log("hello"); console.log("{}"); ${READY} ${STAYS}`);
  expect(await started.ready()).toEqual({ ready: true, address: "127.0.0.1:41" });
});

test("a role that ends unasked fails with its last lines", async () => {
  const started = await start(
    `console.error("one"); console.error("no\\u001b[2Jdice"); process.exitCode = 3;`,
  );
  started.ready().catch(() => {});
  await expect(started.failed).rejects.toMatchObject({
    code: "role-stopped",
    message: "combiner-1 stopped unexpectedly (status 3). Its last lines:\n  one\n  no�[2Jdice",
  });
});

test("only the last lines are kept in memory, all of them in the log file", async () => {
  const started = await start(`for (let i = 1; i <= 40; i += 1) console.error("line " + i);`);
  started.ready().catch(() => {});
  await started.failed.catch(() => {});
  expect(started.lastLines()).toHaveLength(12);
  expect(started.lastLines().at(-1)).toBe("line 40");
  await started.stop();
  const log = await readFile(path.join(directory, "combiner-1.log"), "utf8");
  expect(log.split("\n")).toHaveLength(41);
});

test("a role that was crashed comes back at its address and does not count as failed", async () => {
  const started = await start(`${SAYS_ARGUMENTS} ${READY} ${STAYS}`);
  await started.ready();
  const first = started.pid();
  await started.crash();
  expect(isAlive(first ?? 0)).toBe(false);
  await started.restart();
  expect(started.pid()).not.toBe(first);
  expect(started.lastLines()).toEqual([
    "--listen 127.0.0.1:0 --until-stdin-closes",
    "--listen 127.0.0.1:41 --until-stdin-closes",
  ]);
  const failed = await Promise.race([started.failed.catch(() => "failed"), started.stop()]);
  expect(failed).toBeUndefined();
});

test("stopping asks first", async () => {
  const started = await start(
    `process.on("SIGTERM", () => { console.error("asked"); process.exit(0); }); ${READY} ${STAYS}`,
  );
  await started.ready();
  const pid = started.pid() ?? 0;
  await started.stop();
  expect(started.lastLines()).toEqual(["asked"]);
  expect(isAlive(pid)).toBe(false);
});

test("a bundle that is missing is a role that stopped, with the reason", async () => {
  const started = startRole({
    name: "client-1",
    role: "client",
    bundleDirectory: directory,
    args: () => [],
    logFile: path.join(directory, "client-1.log"),
    clock: systemClock(),
  });
  started.ready().catch(() => {});
  await expect(started.failed).rejects.toThrow("Cannot find module");
});
