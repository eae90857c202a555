/** The trainer's side of the work: data, packages and models it holds, and the tasks done with them. */
import { readFile, stat } from "node:fs/promises";
import { packageFor, readPackage } from "../../compute-packages/format/archive.ts";
import { readDataSet } from "../../compute-packages/onnx/data-set.ts";
import { type OnnxRunner, openRunner } from "../../compute-packages/onnx/runner.ts";
import { validateUpdate, validateWeight } from "../../lib/aggregation/validate.ts";
import { type Digest, digestOf } from "../../lib/base/ids.ts";
import {
  CodedError,
  type Refusal,
  RefusedError,
  refusal,
  refused,
} from "../../lib/base/refusal.ts";
import { trainableLayout } from "../../lib/tensors/layout.ts";
import { MAX_FILE_BYTES } from "../../lib/tensors/limits.ts";
import { parseModel } from "../../lib/tensors/safetensors.ts";
import type {
  DataId,
  HeldKind,
  TrainerRequest,
  TrainerResult,
  TrainRequest,
} from "./trainer-messages.ts";

/** Packages at work on data, ready for the next round. */
const MAX_OPEN_RUNNERS = 64;

/** What the trainer thread holds and does. One task at a time; its messages are the only way in. */
export class TrainerTasks {
  readonly #data = new Map<DataId, Uint8Array | string>();
  readonly #held = { package: new Map<Digest, Uint8Array>(), model: new Map<Digest, Uint8Array>() };
  /** By package and data; the latest used last. */
  readonly #runners = new Map<string, OnnxRunner>();

  /** Reads a data file whole. @returns undefined, or why it cannot be read, for a person */
  async loadData(data: DataId, path: string): Promise<string | undefined> {
    const bytes = await readData(path);
    this.#data.set(data, bytes);
    return typeof bytes === "string" ? bytes : undefined;
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
   * @throws what is no refusal of package, data, settings or result: a bug, on which the trainer stops
   */
  async run(request: TrainerRequest, isCancelled: () => boolean): Promise<TrainerResult> {
    try {
      const runner = await this.#runner(request);
      const model = this.#held.model.get(request.modelHash);
      if (model === undefined) throw new RefusedError(notHeld("model", request.modelHash));
      if (request.kind === "train") return await train(runner, request, model, isCancelled);
      return { kind: "validated", ...(await runner.validate(model, isCancelled)) };
    } catch (error) {
      if (error instanceof CodedError && error.code === "cancelled") return { kind: "cancelled" };
      return { kind: "failed", refusals: reasonsOf(error) };
    }
  }

  /** Frees what the runtime holds. */
  async close(): Promise<void> {
    await this.#closeRunners(() => true);
  }

  async #runner({ packageDigest, data }: TrainerRequest): Promise<OnnxRunner> {
    const key = `${packageDigest} ${data}`;
    const found = this.#runners.get(key) ?? (await this.#open(packageDigest, data));
    this.#runners.delete(key);
    this.#runners.set(key, found);
    const [oldest] = this.#runners.keys();
    if (this.#runners.size > MAX_OPEN_RUNNERS) await this.#closeRunners((each) => each === oldest);
    return found;
  }

  async #open(packageDigest: Digest, data: DataId): Promise<OnnxRunner> {
    const archive = this.#held.package.get(packageDigest);
    const bytes = this.#data.get(data);
    if (archive === undefined) throw new RefusedError(notHeld("package", packageDigest));
    if (typeof bytes !== "object") {
      throw refused("data-unreadable", bytes ?? "not loaded", "a data file");
    }
    const pkg = packageFor("onnx", readPackage(archive));
    return openRunner(pkg, readDataSet(bytes, pkg.manifest));
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
  runner: OnnxRunner,
  request: TrainRequest,
  model: Uint8Array,
  isCancelled: () => boolean,
): Promise<TrainerResult> {
  const { seed, proximalMu, hyperparameters, limits } = request;
  const trained = await runner.train({ model, seed, proximalMu, hyperparameters, isCancelled });
  const { update: body, exampleCount } = trained;
  // What the combiner would refuse is not worth its way there.
  const refusals = [
    ...validateWeight(exampleCount, limits),
    ...validateUpdate(body, trainableLayout(parseModel(model).layout), limits),
  ];
  if (refusals.length > 0) return { kind: "failed", refusals };
  return { kind: "trained", update: { body, digest: digestOf(body), exampleCount } };
}

/** The file's bytes, or why there are none. */
async function readData(path: string): Promise<Uint8Array | string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES)
      return `${path} has ${size} bytes; at most ${MAX_FILE_BYTES} are read`;
    return new Uint8Array(await readFile(path));
  } catch (error) {
    const why = error instanceof Error ? error.message : "it cannot be read";
    return `${path} cannot be read (${why}); --data names a .npz or .safetensors file`;
  }
}

/** Why package, data, settings or result do not do; anything else is thrown on. */
function reasonsOf(error: unknown): readonly Refusal[] {
  if (error instanceof RefusedError) return error.refusals;
  if (!(error instanceof CodedError)) throw error;
  return [refusal(error.code, error.message, "package, model and data that fit together")];
}

/** A request says what it needs before it comes; only a restart of the trainer loses that. */
const notHeld = (what: HeldKind, digest: Digest): Refusal =>
  refusal(what === "package" ? "package-not-held" : "model-not-held", digest, what);
