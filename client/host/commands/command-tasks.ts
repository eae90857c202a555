/** Tasks of members whose packages are commands: what the trainer is for onnx packages, outside of every enclave. */
import { rm, stat } from "node:fs/promises";
import path from "node:path";
import { CommandError } from "../../../compute-packages/command/command-error.ts";
import { DEFAULT_LIMITS } from "../../../compute-packages/command/limits.ts";
import {
  type CommandReport,
  type CommandRunner,
  openCommandRunner,
} from "../../../compute-packages/command/runner.ts";
import { chooseSandbox } from "../../../compute-packages/command/sandbox/detect.ts";
import type { Sandbox } from "../../../compute-packages/command/sandbox/sandbox.ts";
import { packageFor, readPackage } from "../../../compute-packages/format/archive.ts";
import { PackageError } from "../../../compute-packages/format/package-error.ts";
import { validateUpdate, validateWeight } from "../../../lib/aggregation/validate.ts";
import type { Clock } from "../../../lib/base/clock.ts";
import { type Digest, digestOf } from "../../../lib/base/ids.ts";
import { describeError, type LogFields } from "../../../lib/base/log.ts";
import {
  CodedError,
  type Refusal,
  RefusedError,
  refusal,
  refused,
} from "../../../lib/base/refusal.ts";
import { trainableLayout } from "../../../lib/tensors/layout.ts";
import { parseModel } from "../../../lib/tensors/safetensors.ts";
import type { CommandsWorkerData } from "../../service/start-clients.ts";
import type {
  DataId,
  HeldKind,
  TrainerRequest,
  TrainerResult,
  TrainRequest,
} from "../../service/trainer-messages.ts";
import { makeFolder, writeReport } from "./command-output.ts";

/** Unpacked packages, ready for the next round. */
const MAX_OPEN_RUNNERS = 16;

export type DataProblem = {
  readonly code: "data-unreadable" | "sandbox-unavailable";
  readonly message: string;
};

export type CommandTasksParts = CommandsWorkerData & {
  readonly clock: Clock;
  readonly log: (level: "info" | "warn", event: string, fields: LogFields) => void;
};

export class CommandTasks {
  readonly #parts: CommandTasksParts;
  readonly #data = new Map<DataId, string>();
  readonly #held = { package: new Map<Digest, Uint8Array>(), model: new Map<Digest, Uint8Array>() };
  /** By package and data; the latest used last. */
  readonly #runners = new Map<string, CommandRunner>();
  #sandbox: Promise<Sandbox> | undefined;

  constructor(parts: CommandTasksParts) {
    this.#parts = parts;
  }

  /** Notes where a member's data lies. @returns why it cannot be used, for a person */
  async loadData(data: DataId, file: string): Promise<DataProblem | undefined> {
    try {
      await stat(file);
      this.#data.set(data, file);
      this.#sandbox ??= this.#start();
      await this.#sandbox;
      return undefined;
    } catch (error) {
      const message = error instanceof Error ? error.message : "it cannot be read";
      const isSandbox = error instanceof CommandError;
      return isSandbox
        ? { code: "sandbox-unavailable", message }
        : { code: "data-unreadable", message: `${message}; --data names a file or folder` };
    }
  }

  hold(what: HeldKind, digest: Digest, bytes: Uint8Array): void {
    this.#held[what].set(digest, bytes);
  }

  async drop(what: HeldKind, digest: Digest): Promise<void> {
    this.#held[what].delete(digest);
    if (what === "package") await this.#closeRunners((key) => key.startsWith(digest));
  }

  /**
   * Does a task whose package and model are held.
   * @throws what is no refusal of package, data, settings or result: a bug, on which the thread stops
   */
  async run(request: TrainerRequest, isCancelled: () => boolean): Promise<TrainerResult> {
    try {
      const runner = await this.#runner(request);
      const model = this.#held.model.get(request.modelHash);
      if (model === undefined) throw refused("model-not-held", request.modelHash, "model");
      const reports: CommandReport[] = [];
      const onReport = (report: CommandReport): void => void reports.push(report);
      try {
        if (request.kind === "train") {
          return await train(runner, request, { model, isCancelled, onReport });
        }
        return {
          kind: "validated",
          ...(await runner.validate({ model, isCancelled, onReport })),
        };
      } finally {
        for (const report of reports) await this.#tell(report, request.home);
      }
    } catch (error) {
      if (error instanceof CodedError && error.code === "cancelled") return { kind: "cancelled" };
      const refusals = reasonsOf(error);
      this.#parts.log("warn", "command.failed", {
        task: request.kind,
        error: describeError(error),
      });
      return { kind: "failed", refusals };
    }
  }

  /** Removes what was unpacked. */
  async close(): Promise<void> {
    await this.#closeRunners(() => true);
  }

  async #start(): Promise<Sandbox> {
    const { config, directory, clock, log } = this.#parts;
    const work = path.join(directory, "work");
    // Left by a crash.
    await rm(work, { recursive: true, force: true });
    await makeFolder(work);
    const { dangerouslyUnsandboxed } = config;
    const sandbox = await chooseSandbox({ dangerouslyUnsandboxed, directory: work, clock });
    if (sandbox.kind === "none") {
      log("warn", "commands.DANGEROUSLY-UNSANDBOXED", {
        warning: "packages run as this user, with its files and its network",
      });
    } else log("info", "commands.sandboxed", { sandbox: sandbox.kind });
    return sandbox;
  }

  async #tell(report: CommandReport, home: string): Promise<void> {
    const { entryPoint, code, durationMs, outputBytes } = report;
    const { log } = this.#parts;
    const file = await writeReport(home, report).catch((error: unknown) => {
      log("warn", "command.output-not-written", { error: describeError(error) });
      return undefined;
    });
    log("info", "command.ended", { entryPoint, code, durationMs, outputBytes, output: file });
  }

  async #runner({ packageDigest, data }: TrainerRequest): Promise<CommandRunner> {
    const key = `${packageDigest} ${data}`;
    const found = this.#runners.get(key) ?? (await this.#open(packageDigest, data));
    this.#runners.delete(key);
    this.#runners.set(key, found);
    const [oldest] = this.#runners.keys();
    if (this.#runners.size > MAX_OPEN_RUNNERS) await this.#closeRunners((each) => each === oldest);
    return found;
  }

  async #open(packageDigest: Digest, data: DataId): Promise<CommandRunner> {
    const { config, directory, modules, clock } = this.#parts;
    const archive = this.#held.package.get(packageDigest);
    const file = this.#data.get(data);
    const sandbox = await this.#sandbox;
    if (archive === undefined) throw refused("package-not-held", packageDigest, "package");
    if (file === undefined || sandbox === undefined) {
      throw refused("data-unreadable", "not loaded", "data");
    }
    return openCommandRunner({
      pkg: packageFor("command", readPackage(archive)),
      data: file,
      sandbox,
      options: { ...config, limits: { ...DEFAULT_LIMITS, ...config.limits } },
      directory: path.join(directory, "work"),
      environments: path.join(directory, "python-environments"),
      modules,
      clock,
    });
  }

  async #closeRunners(isOver: (key: string) => boolean): Promise<void> {
    for (const [key, runner] of [...this.#runners]) {
      if (!isOver(key)) continue;
      this.#runners.delete(key);
      await runner.close();
    }
  }
}

async function train(
  runner: CommandRunner,
  { seed, proximalMu, hyperparameters, limits }: TrainRequest,
  task: {
    readonly model: Uint8Array;
    readonly isCancelled: () => boolean;
    readonly onReport: (report: CommandReport) => void;
  },
): Promise<TrainerResult> {
  const trained = await runner.train({ ...task, seed, proximalMu, hyperparameters });
  const { update: body, exampleCount } = trained;
  // What the combiner would refuse is not worth its way there.
  const refusals = [
    ...validateWeight(exampleCount, limits),
    ...validateUpdate(body, trainableLayout(parseModel(task.model).layout), limits),
  ];
  if (refusals.length > 0) return { kind: "failed", refusals };
  return { kind: "trained", update: { body, digest: digestOf(body), exampleCount } };
}

/** Why package, settings or result do not do. What a command said stays here: only the code leaves. */
function reasonsOf(error: unknown): readonly Refusal[] {
  if (error instanceof RefusedError) return error.refusals;
  if (!(error instanceof CodedError)) throw error;
  // What a package is and is not is known to all; what a command did with the data is not.
  if (error instanceof PackageError) return [refusal(error.code, error.message, "another package")];
  return [refusal(error.code, "see the client's log", "a task done")];
}
