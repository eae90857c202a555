import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommand } from "../testing/captured-output.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-usage-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const enrol = ["member", "enrol", "--federation", "f.json", "--name", "a"];

test.each<[string, string[], string]>([
  ["an unknown command", ["train"], "unknown command 'train'"],
  ["an unknown option", ["init", "DIR", "--fast"], "unknown option '--fast'"],
  ["init without a directory", ["init"], "missing required argument 'dir'"],
  ["a federation name in capitals", ["init", "DIR", "--name", "Fed"], '--name "Fed" is not'],
  [
    "two organizations of one name",
    ["init", "DIR", "--organization", "a", "a"],
    "names must differ",
  ],
  [
    "an organization named like the admin key",
    ["init", "DIR", "--organization", "admin"],
    "names must differ",
  ],
  [
    "a reducer without a port",
    ["init", "DIR", "--reducer", "here"],
    "--reducer here is not HOST:PORT",
  ],
  [
    "a role nobody can be enrolled in",
    [...enrol, "--role", "reducer", "--home", "h"],
    "combiner or client or admin",
  ],
  [
    "a client signed with an admin's key",
    [...enrol, "--role", "client", "--admin-key", "k", "--home", "h"],
    "signed with --organization-key",
  ],
  [
    "an admin signed by an organization",
    [...enrol, "--role", "admin", "--organization-key", "k", "--home", "h"],
    "signed with --admin-key",
  ],
  [
    "enrolment that goes nowhere",
    [...enrol, "--role", "client", "--organization-key", "k"],
    "give either --home",
  ],
  [
    "enrolment that goes to two places",
    [...enrol, "--role", "client", "--organization-key", "k", "--home", "h", "--out", "o"],
    "give either --home",
  ],
  ["a package without a place", ["package", "build", "DIR"], "required option '--out <file>'"],
  [
    "an unknown model format",
    ["model", "export", "latest", "--out", "m.bin"],
    "does not end in .npz, .safetensors or .onnx",
  ],
  [
    "a model in two formats",
    ["model", "export", "latest", "--out", "m.onnx", "--onnx", "--format", "npz"],
    "--onnx and --format npz",
  ],
  [
    "a package for a model that needs none",
    ["model", "export", "latest", "--out", "m.npz", "--package", "mnist"],
    "is no matter of a package",
  ],
  [
    "rounds that are no number",
    ["session", "start", "--rounds", "many"],
    '--rounds: "many" is not a number',
  ],
  ["half a round", ["session", "start", "--rounds", "1.5"], "--rounds: 1.5 is not a whole number"],
  [
    "an unknown aggregator",
    ["session", "start", "--aggregator", "median"],
    "not one of fedavg, fedadam",
  ],
  [
    "a hyperparameter without a value",
    ["session", "start", "--set", "localEpochs"],
    "is not NAME=NUMBER",
  ],
  [
    "a settings file that is not there",
    ["session", "start", "--config", "none.yaml"],
    "--config none.yaml cannot be read",
  ],
  ["waiting backwards", ["session", "list", "--wait", "-1"], "It must be a number from 0"],
])("%s is a usage error with status 2", async (_what, args, message) => {
  const run = await runCommand(
    args.map((each) => (each === "DIR" ? path.join(directory, "x") : each)),
  );
  expect([run.status, run.stdout]).toEqual([2, ""]);
  expect(run.stderr).toContain(message);
});

test.each([["--help"], ["session", "start", "--help"], ["--version"]])(
  "%s %s %s is answered on standard output with status 0",
  async (...args) => {
    const run = await runCommand(args);
    expect([run.status, run.stderr]).toEqual([0, ""]);
    expect(run.stdout).not.toBe("");
  },
);

test("help for a command of a group is that command's", async () => {
  const run = await runCommand(["help", "session", "start"]);
  expect(run).toEqual(await runCommand(["session", "start", "--help"]));
  expect([run.status, run.stderr]).toEqual([0, ""]);
});

test.each<[string, string, string]>([
  ["of FEDn without a train command", "entry_points: {}", "has no train"],
  ["without what must be there", "name: a", "fedn.yaml cannot be used: "],
])("a package %s is refused with its file", async (_what, yaml, message) => {
  const folder = await mkdtemp(path.join(directory, "package-"));
  await writeFile(path.join(folder, "fedn.yaml"), yaml);
  const run = await runCommand(["package", "build", folder, "--out", path.join(folder, "p.tgz")]);
  expect([run.status, run.stdout]).toEqual([1, ""]);
  expect(run.stderr).toContain(message);
  expect(run.stderr).toContain(folder);
});

test.each<[string, string[]]>([
  ["a package", ["package", "inspect"]],
  ["a package to upload", ["package", "upload"]],
  ["a model", ["model", "import"]],
])("%s that cannot be read is named", async (_what, args) => {
  const file = path.join(directory, "damaged.npz");
  await writeFile(file, "no");
  const run = await runCommand([...args, file]);
  expect(run.status).toBe(1);
  expect(run.stderr).toContain(`fedclave: ${file} cannot be used: `);
});

test("a command without an enrolled admin says where it looked and how to enrol", async () => {
  const home = path.join(directory, "nobody");
  const run = await runCommand(["session", "list"], { environment: { FEDCLAVE_HOME: home } });
  expect(run.status).toBe(1);
  expect(run.stderr).toContain(`fedclave member enrol --home ${home}`);
  expect(run.stderr).toContain("--home, $FEDCLAVE_HOME or fedclave/admin");
});

test("a role whose bundle is missing says how to make it", async () => {
  const run = await runCommand(["combiner", "--home", "x"], { bundleDirectory: directory });
  expect(run.status).toBe(1);
  expect(run.stderr).toContain("combiner.cjs is missing; make it with: npm run build");
});

test("a role's bundle gets the arguments as they were typed", async () => {
  const bundle = path.join(directory, "client.cjs");
  await writeFile(bundle, "globalThis.bundleArguments = process.argv.slice(1);");
  const before = process.argv;
  try {
    const args = ["--data", "a", "--home", "--help", "--", "x"];
    const run = await runCommand(["client", ...args], { bundleDirectory: directory });
    expect(run).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(Reflect.get(globalThis, "bundleArguments")).toEqual([bundle, ...args]);
  } finally {
    process.argv = before;
  }
});
