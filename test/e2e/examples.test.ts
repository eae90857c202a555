/** The examples as an author sees them: folders that `fedclave package build` makes archives of. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXAMPLE_NAMES } from "../../cli/example-names.ts";
import { readPackage } from "../../compute-packages/format/archive.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-examples-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const fedclave = async (...args: string[]) => {
  const run = await promisify(execFile)(process.execPath, [
    path.join(ROOT, "dist", "cli.cjs"),
    ...args,
    "--json",
  ]);
  return JSON.parse(run.stdout);
};

test.each(EXAMPLE_NAMES)("%s is built from its folder, and clients would run it", async (name) => {
  const folder = path.join(ROOT, "compute-packages", "examples", name);
  const out = path.join(directory, `${name}.tgz`);
  const built = await fedclave("package", "build", folder, "--out", out);
  const pkg = readPackage(new Uint8Array(await readFile(out)));
  expect([built.packageDigest, pkg.manifest.name]).toEqual([pkg.digest, name]);
  expect(await fedclave("package", "inspect", out)).toMatchObject({ refusals: [] });
});
