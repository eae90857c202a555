/** An example of commands on one client's data, from its folder to its accuracy. */
import { execFileSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { systemClock } from "../../../lib/base/clock.ts";
import { MIB } from "../../../lib/base/limits.ts";
import { parseNpz } from "../../../lib/tensors/helpers/npz.ts";
import {
  parseModel,
  parseSafetensors,
  tensorBytes,
  writeSafetensors,
} from "../../../lib/tensors/safetensors.ts";
import { packageFor, readPackage, writePackage } from "../../format/archive.ts";
import { MANIFEST_PATH, manifestBytes, validateManifest } from "../../format/manifest.ts";
import { openCommandRunner } from "../runner.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { testDirectory, testLimits, testOptions } from "./command-world.ts";

const MODULES = path.resolve(import.meta.dirname, "../python");

export type ExampleRunner = {
  readonly train: (
    hyperparameters: Readonly<Record<string, number>>,
  ) => Promise<{ readonly update: Uint8Array; readonly exampleCount: number }>;
  /** Of the seed model, with an update added if one is given; 0 to 1. */
  readonly accuracy: (update?: Uint8Array) => Promise<number>;
};

/** @param example  folder with client/ in it, whose build makes the seed model */
export async function exampleRunner(
  sandbox: Sandbox,
  example: string,
  data: string,
): Promise<ExampleRunner> {
  const directory = await testDirectory();
  const client = path.join(example, "client");
  const manifest = validateManifest({
    kind: "fedclave/compute-package",
    version: 1,
    name: path.basename(example),
    runtime: "command",
    ...parse(await readFile(path.join(client, MANIFEST_PATH), "utf8")),
    command: { helper: "numpyhelper" },
  });
  const names = (await readdir(client)).filter((name) => name.endsWith(".py"));
  const files = await Promise.all(
    names.map(async (name) => [name, await readFile(path.join(client, name))] as const),
  );
  const archive = writePackage(new Map([[MANIFEST_PATH, manifestBytes(manifest)], ...files]));
  const seedFile = path.join(directory, "seed.npz");
  // Without bytecode, which would be left in the repository.
  execFileSync("/usr/bin/python3", ["-B", "model.py", seedFile], {
    cwd: client,
    env: { ...process.env, PYTHONPATH: MODULES },
  });
  const model = writeSafetensors(parseNpz(await readFile(seedFile)));
  const runner = await openCommandRunner({
    pkg: packageFor("command", readPackage(archive)),
    data,
    sandbox,
    options: {
      ...testOptions,
      limits: { ...testLimits, seconds: 100, memoryBytes: 8192 * MIB, diskBytes: 64 * MIB },
    },
    directory: path.join(directory, "work"),
    environments: path.join(directory, "python-environments"),
    modules: MODULES,
    clock: systemClock(),
  });
  const task = { isCancelled: () => false, onReport: () => {} };
  const seed = new Uint8Array(32).fill(3);
  return {
    train: (hyperparameters) =>
      runner.train({ ...task, model, seed, hyperparameters, proximalMu: 0 }),
    accuracy: async (update) => {
      const changed = update === undefined ? model : sum(model, update);
      const { metrics } = await runner.validate({ ...task, model: changed });
      return metrics.find(({ name }) => name === "accuracy")?.value ?? Number.NaN;
    },
  };
}

/** Float32 models only. */
function sum(model: Uint8Array, update: Uint8Array): Uint8Array {
  const changed = model.slice();
  const deltas = new Map(parseSafetensors(update).tensors.map(({ name, data }) => [name, data]));
  for (const tensor of parseModel(model).layout.tensors) {
    const values = new Float32Array(tensorBytes(model, tensor).slice().buffer);
    const delta = new Float32Array(deltas.get(tensor.name)!.slice().buffer);
    const result = values.map((value, index) => value + delta[index]!);
    tensorBytes(changed, tensor).set(new Uint8Array(result.buffer));
  }
  return changed;
}
