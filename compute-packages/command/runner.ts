/** A FEDn package at work on one owner's data: each task is a process in a sandbox of its own, and leaves nothing. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { toHex, utf8 } from "../../lib/base/bytes.ts";
import type { Clock } from "../../lib/base/clock.ts";
import { refused } from "../../lib/base/refusal.ts";
import type { TensorLayout } from "../../lib/tensors/layout.ts";
import { parseModel } from "../../lib/tensors/safetensors.ts";
import { TensorError } from "../../lib/tensors/tensor-error.ts";
import type { CommandPackage } from "../format/archive.ts";
import { type CommandCode, CommandError } from "./command-error.ts";
import { type Metric, readExampleCount, readValidation } from "./exchange/json-results.ts";
import {
  modelFileSuffix,
  type NumberedTensors,
  numberTensors,
  readModelFile,
  writeModelFile,
} from "./exchange/model-files.ts";
import { writeUpdate } from "./exchange/update.ts";
import { RUN_COMMAND } from "./job-scripts.ts";
import { judgeEnd } from "./judge-end.ts";
import { MAX_JSON_BYTES, MAX_MODEL_FRAMING_BYTES } from "./limits.ts";
import type { CommandOptions } from "./options.ts";
import { baseEnvironment, makePlaces, type Places, unpack } from "./places.ts";
import { pythonEnvironment } from "./python-environment.ts";
import { INSIDE, type Sandbox } from "./sandbox/sandbox.ts";
import { supervise } from "./supervise.ts";

/** What a command wrote for people, and how it ended; for the data owner alone. */
export type CommandReport = {
  readonly entryPoint: string;
  /** Undefined: it did its task. */
  readonly code: CommandCode | undefined;
  readonly output: string;
  readonly outputBytes: number;
  readonly durationMs: number;
};

type Task = {
  /** Canonical safetensors. */
  readonly model: Uint8Array;
  readonly isCancelled: () => boolean;
  readonly onReport: (report: CommandReport) => void;
};

export type CommandTrainTask = Task & {
  /** 32 bytes, for packages that want to be repeatable: FEDCLAVE_SEED, in hexadecimal. */
  readonly seed: Uint8Array;
  /** Given to the package as FEDn's client_settings. */
  readonly hyperparameters: Readonly<Record<string, number>>;
  /** FedProx's mu: commands do not know it. */
  readonly proximalMu: number;
};

export type CommandRunner = {
  /**
   * @returns the update, canonical safetensors of the model's trainable layout
   * @throws CommandError | TensorError
   * @throws RefusedError "proximal-not-supported"
   */
  readonly train: (
    task: CommandTrainTask,
  ) => Promise<{ readonly update: Uint8Array; readonly exampleCount: number }>;
  /** @throws CommandError | TensorError */
  readonly validate: (
    task: Task,
  ) => Promise<{ readonly exampleCount: number; readonly metrics: readonly Metric[] }>;
  /** Removes the package's files. */
  readonly close: () => Promise<void>;
};

export type CommandRunnerParts = {
  readonly pkg: CommandPackage;
  /** The owner's file or folder, absolute. */
  readonly data: string;
  readonly sandbox: Sandbox;
  readonly options: CommandOptions;
  /** Of this client, absolute; the runner makes folders in it. */
  readonly directory: string;
  /** Where Python environments are kept. */
  readonly environments: string;
  /** Folder with Python modules that packages expect. */
  readonly modules: string;
  readonly clock: Clock;
};

/** Unpacks the package. */
export async function openCommandRunner(parts: CommandRunnerParts): Promise<CommandRunner> {
  await mkdir(parts.directory, { recursive: true, mode: 0o700 });
  const home = await mkdtemp(path.join(parts.directory, `${parts.pkg.digest.slice(0, 12)}-`));
  const source = path.join(home, "source");
  await mkdir(source);
  await unpack(parts.pkg.files, source);
  const run = new Run(parts, home, source);
  return {
    train: (task) => run.train(task),
    validate: (task) => run.validate(task),
    close: () => rm(home, { recursive: true, force: true }),
  };
}

/** Files of a task on the host, for the sandbox to show. */
type Inputs = { readonly modelFile: string; readonly environment: string | undefined };

class Run {
  readonly #parts: CommandRunnerParts;
  readonly #home: string;
  readonly #source: string;

  constructor(parts: CommandRunnerParts, home: string, source: string) {
    this.#parts = parts;
    this.#home = home;
    this.#source = source;
  }

  async train(task: CommandTrainTask): ReturnType<CommandRunner["train"]> {
    if (task.proximalMu !== 0) {
      throw refused("proximal-not-supported", task.proximalMu, "0: commands do not know of it");
    }
    const { helper } = this.#parts.pkg.manifest.command;
    const { layout, numbered } = this.#readModel(task.model);
    const out = `model-out${modelFileSuffix(helper)}`;
    const settings = utf8(JSON.stringify(task.hyperparameters));
    const seed = toHex(task.seed);
    const results = [out, `${out}-metadata`];
    const outcome = await this.#command("train", task, {
      layout,
      numbered,
      settings,
      seed,
      results,
    });
    const [file = new Uint8Array(), metadata = new Uint8Array()] = outcome.files;
    return outcome.judge(() => {
      const trained = readModelFile(helper, file, numbered);
      const update = writeUpdate(task.model, layout, numbered, trained);
      return { update, exampleCount: readExampleCount(metadata) };
    });
  }

  async validate(task: Task): ReturnType<CommandRunner["validate"]> {
    const { layout, numbered } = this.#readModel(task.model);
    const given = { layout, numbered, settings: utf8("{}"), seed: "", results: ["validation"] };
    const outcome = await this.#command("validate", task, given);
    const [json = new Uint8Array()] = outcome.files;
    return outcome.judge(() => readValidation(json));
  }

  #readModel(model: Uint8Array): {
    readonly layout: TensorLayout;
    readonly numbered: NumberedTensors;
  } {
    const { layout } = parseModel(model);
    return { layout, numbered: numberTensors(layout, this.#parts.pkg.manifest.command) };
  }

  /** Runs an entry point; the first result is its second argument. */
  async #command(
    entryPoint: "train" | "validate",
    task: Task,
    given: {
      readonly layout: TensorLayout;
      readonly numbered: NumberedTensors;
      readonly settings: Uint8Array;
      readonly seed: string;
      readonly results: readonly string[];
    },
  ): Promise<{ readonly files: readonly Uint8Array[]; readonly judge: <T>(read: () => T) => T }> {
    const { pkg, sandbox, clock } = this.#parts;
    const line = pkg.manifest.entry_points[entryPoint]?.command;
    if (line === undefined) {
      throw new CommandError("entry-point-missing", `the package has no ${entryPoint}`);
    }
    const startMs = clock.untrustedNowMs();
    const report = (code: CommandCode | undefined, output: string, outputBytes: number): void => {
      const durationMs = clock.untrustedNowMs() - startMs;
      task.onReport({ entryPoint, code, output, outputBytes, durationMs });
    };
    const scratch = await mkdtemp(path.join(this.#home, "task-"));
    try {
      const environment = await this.#environment(task.isCancelled, report);
      const inputs = await this.#writeInputs(scratch, environment, task.model, given);
      const job = await this.#job(line, scratch, inputs, given);
      const end = await supervise(sandbox, job, {
        maxResultBytes: resultBound(given.layout),
        isCancelled: task.isCancelled,
        clock,
      });
      const judge = <T>(read: () => T): T => {
        try {
          const value = read();
          report(undefined, end.output, end.outputBytes);
          return value;
        } catch (error) {
          report(codeOf(error), end.output, end.outputBytes);
          throw error;
        }
      };
      const failure = judgeEnd(end, entryPoint, given.results);
      if (failure.kind === "failed") return judge(() => failure.raise());
      return { files: failure.files, judge };
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  async #environment(
    isCancelled: () => boolean,
    report: (code: CommandCode | undefined, output: string, outputBytes: number) => void,
  ): Promise<string | undefined> {
    const { pkg, sandbox, options, environments: kept, clock } = this.#parts;
    const scratch = await mkdtemp(path.join(this.#home, "env-"));
    let output = "";
    try {
      return await pythonEnvironment({
        pkg,
        sandbox,
        options,
        source: this.#source,
        kept,
        scratch,
        isCancelled,
        clock,
        onOutput: (text) => {
          output = text;
        },
      });
    } catch (error) {
      report(codeOf(error), output, Buffer.byteLength(output));
      throw error;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  async #writeInputs(
    scratch: string,
    environment: string | undefined,
    model: Uint8Array,
    { numbered, settings }: { readonly numbered: NumberedTensors; readonly settings: Uint8Array },
  ): Promise<Inputs> {
    const { helper } = this.#parts.pkg.manifest.command;
    const inputs = path.join(scratch, "task");
    await mkdir(inputs);
    await mkdir(path.join(scratch, "root"));
    const modelFile = `model-in${modelFileSuffix(helper)}`;
    await writeFile(path.join(inputs, modelFile), writeModelFile(helper, model, numbered));
    await writeFile(path.join(inputs, `${modelFile}-metadata`), settings);
    return { modelFile, environment };
  }

  async #job(
    line: string,
    scratch: string,
    { modelFile, environment }: Inputs,
    {
      layout,
      seed,
      results,
    }: {
      readonly layout: TensorLayout;
      readonly seed: string;
      readonly results: readonly string[];
    },
  ) {
    const { pkg, sandbox, options, data, modules } = this.#parts;
    const places = await makePlaces(sandbox, scratch);
    const [first = ""] = results;
    const inputs = places.show(path.join(scratch, "task"), INSIDE.task);
    const source = places.show(this.#source, INSIDE.source);
    const outputs = results.map((name) => path.join(places.temporary, name));
    const whole = `${line} ${path.join(inputs, modelFile)} ${path.join(places.temporary, first)}`;
    const startup = pkg.manifest.entry_points.startup?.command ?? "";
    const activate = environment === undefined ? "" : activation(places, environment);
    const modulesSeen = places.show(modules, INSIDE.modules);
    const variables = {
      ...baseEnvironment(places, modulesSeen, options),
      PYTHONPATH: modulesSeen,
      FEDN_DATA_PATH: places.show(data, path.join(INSIDE.data, path.basename(data))),
      FEDCLAVE_SEED: seed,
    };
    const { limits } = options;
    return {
      script: RUN_COMMAND,
      args: [source, places.package, startup && activate + startup, activate + whole, ...outputs],
      environment: variables,
      readOnly: places.mounts,
      writable: [],
      hasNetwork: false,
      limits: { ...limits, diskBytes: limits.diskBytes + resultBound(layout) },
      scratch: path.join(scratch, "root"),
    };
  }
}

const activation = (places: Places, environment: string): string =>
  `. ${path.join(places.show(environment, INSIDE.environment), "bin", "activate")} && `;

const resultBound = (layout: TensorLayout): number =>
  layout.elementCount * 8 + layout.tensors.length * 1024 + MAX_MODEL_FRAMING_BYTES + MAX_JSON_BYTES;

const codeOf = (error: unknown): CommandCode =>
  error instanceof CommandError
    ? error.code
    : error instanceof TensorError
      ? "result-malformed"
      : "command-failed";
