/** `fedclave attest verify` as scripts run it: the bundle in a process of its own. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const CLI = path.resolve(import.meta.dirname, "../../dist/cli.cjs");

let directory: string;
const at = (name: string): string => path.join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-attest-e2e-"));
  for (const knob of ["honest", "debug"]) {
    expect(await attest("simulate", "--out", at(knob), "--knob", knob)).toMatchObject({
      status: 0,
    });
  }
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function attest(...args: readonly string[]) {
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [CLI, "attest", ...args], (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const verify = (name: string) =>
  attest(
    ...["verify", at(`${name}/quote.bin`), "--json", "--collateral", at(`${name}/collateral.json`)],
    ...["--root", at(`${name}/root.der`)],
  );

test("statuses 0, 2 and 1, each with one object on standard output and nothing beside it", async () => {
  const accepted = await verify("honest");
  expect([accepted.status, accepted.stderr]).toEqual([0, ""]);
  expect(JSON.parse(accepted.stdout)).toMatchObject({ genuine: true, debug: false, reasons: [] });

  const refused = await verify("debug");
  expect([refused.status, refused.stderr]).toEqual([2, ""]);
  const reasons = [{ code: "debug-enclave" }];
  expect(JSON.parse(refused.stdout)).toMatchObject({ genuine: true, debug: true, reasons });

  await truncate(at("honest/quote.bin"), 1000);
  const unreadable = await verify("honest");
  expect([unreadable.status, unreadable.stderr]).toEqual([1, ""]);
  expect(JSON.parse(unreadable.stdout)).toMatchObject({
    genuine: false,
    reasons: [{ code: "unreadable" }],
  });
});
