/** Packages of shell and Python around one small model, and a runner on them in a folder of its own. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach } from "vitest";
import { utf8 } from "../../../lib/base/bytes.ts";
import { systemClock } from "../../../lib/base/clock.ts";
import { MIB } from "../../../lib/base/limits.ts";
import { parseSafetensors, writeSafetensors } from "../../../lib/tensors/safetensors.ts";
import {
  type CommandPackage,
  packageFor,
  readPackage,
  writePackage,
} from "../../format/archive.ts";
import { manifestBytes, validateManifest } from "../../format/manifest.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import type { CommandOptions } from "../options.ts";
import { type CommandReport, type CommandTrainTask, openCommandRunner } from "../runner.ts";
import { probeSandbox, SANDBOXES } from "../sandbox/detect.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { dangerouslyUnsandboxed } from "../sandbox/unsandboxed.ts";

const floats = (values: readonly number[]) => new Uint8Array(new Float32Array(values).buffer);

/** Two tensors of float32 and a counter. */
export const model = writeSafetensors([
  { name: "0", dtype: "F32", shape: [2, 2], data: floats([1, 2, 3, 4]) },
  { name: "1", dtype: "F32", shape: [1], data: floats([8]) },
]);

/** Sandboxes that hold on this machine; tests run in each. */
export const sandboxesHere: readonly Sandbox[] = (
  await Promise.all(SANDBOXES.map((each) => probeSandbox(each, tmpdir(), systemClock())))
)
  .filter(({ problem }) => problem === undefined)
  .map(({ sandbox }) => sandbox);

/** Those, and none at all. */
export const allWaysHere = [...sandboxesHere, dangerouslyUnsandboxed];

export type PackageChanges = {
  readonly entries?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly command?: Readonly<Record<string, unknown>>;
};

/** A package whose train gives the model back as it came, on 5 examples. */
export const commandPackage = (changes: PackageChanges = {}): CommandPackage =>
  packageFor("command", readPackage(commandArchive(changes)));

/** The same as its archive. */
export function commandArchive(changes: PackageChanges = {}): Uint8Array {
  const entries = { train: "sh train.sh", validate: "sh validate.sh", ...changes.entries };
  const manifest = validateManifest({
    kind: "fedclave/compute-package",
    version: 1,
    name: "test",
    runtime: "command",
    entry_points: Object.fromEntries(
      Object.entries(entries).map(([name, command]) => [name, { command }]),
    ),
    command: { helper: "numpyhelper", ...changes.command },
    ...changes.manifest,
  });
  const files = {
    "train.sh": `cp "$1" "$2" && echo '{"num_examples": 5}' > "$2-metadata"`,
    "validate.sh": `echo '{"loss": 0.5}' > "$2"`,
    ...changes.files,
  };
  const contents = Object.entries(files).map(([name, text]) => [name, utf8(text)] as const);
  return writePackage(new Map([["fedn.yaml", manifestBytes(manifest)], ...contents]));
}

export const testLimits = {
  ...DEFAULT_LIMITS,
  seconds: 20,
  memoryBytes: 2048 * MIB,
  diskBytes: 8 * MIB,
  processCount: 32,
  outputBytes: MIB,
};

export const testOptions: CommandOptions = {
  dangerouslyUnsandboxed: false,
  pythonEnvironments: "refuse",
  tools: [],
  environment: {},
  limits: testLimits,
};

let directories: string[] = [];
afterEach(async () => {
  const over = directories;
  directories = [];
  for (const each of over) await rm(each, { recursive: true, force: true });
});

/** A new folder, gone after the test. */
export async function testDirectory(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "fedclave-command-"));
  directories.push(directory);
  return directory;
}

export type TestRunner = {
  readonly directory: string;
  readonly reports: readonly CommandReport[];
  readonly train: (task?: Partial<CommandTrainTask>) => Promise<{
    readonly exampleCount: number;
    readonly deltas: readonly (readonly number[])[];
  }>;
  readonly validate: () => Promise<unknown>;
  readonly close: () => Promise<void>;
};

/** A runner over a data file that says "examples". */
export async function testRunner(
  sandbox: Sandbox,
  pkg: CommandPackage,
  options: Partial<CommandOptions> = {},
  given: { readonly directory?: string } = {},
): Promise<TestRunner> {
  const directory = given.directory ?? (await testDirectory());
  const data = path.join(directory, "my data", "patients.csv");
  await mkdir(path.dirname(data), { recursive: true });
  await writeFile(data, "examples");
  const runner = await openCommandRunner({
    pkg,
    data,
    sandbox,
    options: { ...testOptions, ...options },
    directory: path.join(directory, "work"),
    environments: path.join(directory, "python-environments"),
    modules: path.resolve(import.meta.dirname, "../python"),
    clock: systemClock(),
  });
  const reports: CommandReport[] = [];
  const shared = {
    model,
    isCancelled: () => false,
    onReport: (each: CommandReport) => void reports.push(each),
  };
  return {
    directory,
    reports,
    train: async (task = {}) => {
      const { update, exampleCount } = await runner.train({
        ...shared,
        seed: new Uint8Array(32).fill(7),
        hyperparameters: {},
        proximalMu: 0,
        ...task,
      });
      const deltas = parseSafetensors(update).tensors.map(({ data }) => [
        ...new Float32Array(data.slice().buffer),
      ]);
      return { exampleCount, deltas };
    },
    validate: () => runner.validate(shared),
    close: () => runner.close(),
  };
}
