import { RefusedError } from "../../lib/base/refusal.ts";
import type { OnnxPackage } from "../format/archive.ts";
import type { DataSet } from "./data-set.ts";
import { evaluate, type ValidateResult } from "./evaluation.ts";
import { gatePackage } from "./gate.ts";
import { modelLayout } from "./model-state.ts";
import { loadOrt } from "./ort.ts";
import { RunnerError } from "./runner-error.ts";
import { createSessions } from "./sessions.ts";
import { type TrainResult, type TrainTask, train } from "./training.ts";

/** A package at work on one client's data. Tasks may overlap; each has its own state. */
export type OnnxRunner = {
  /**
   * @throws RefusedError for settings the package does not allow
   * @throws RunnerError "no-training-data" | "model-mismatch" | "cancelled" | "diverged" | "closed" |
   *   "runtime-failed"
   */
  readonly train: (task: TrainTask) => Promise<TrainResult>;
  /**
   * @param model  canonical safetensors of the package's state
   * @throws RunnerError "no-validation-data" | "model-mismatch" | "cancelled" | "closed" | "runtime-failed"
   */
  readonly validate: (model: Uint8Array, isCancelled?: () => boolean) => Promise<ValidateResult>;
  /** Cancels what is under way, waits for it and frees the runtime's memory. */
  readonly close: () => Promise<void>;
};

/**
 * Opens a package over a data set: gate first, then the native runtime. Sessions are made by the first task that
 * needs them and kept for the next rounds.
 * @param data  as readDataSet gave it for this package's manifest
 * @throws RefusedError with every reason of the gate
 * @throws RunnerError "telemetry-not-disabled"
 */
export async function openRunner(pkg: OnnxPackage, data: DataSet): Promise<OnnxRunner> {
  const reasons = gatePackage(pkg);
  if (reasons.length > 0) throw new RefusedError(...reasons);
  const { manifest } = pkg;
  const ort = await loadOrt();
  const sessions = createSessions(ort, pkg);
  const shared = { ort, manifest, layout: modelLayout(manifest), sessions };
  const running = new Set<Promise<unknown>>();
  let isClosed = false;

  const start = <Result>(task: () => Promise<Result>): Promise<Result> => {
    if (isClosed) return Promise.reject(new RunnerError("closed", "the runner was closed"));
    const result = task().finally(() => running.delete(result));
    running.add(result);
    return result;
  };
  return {
    train: (task) =>
      start(async () => {
        if (data.training === undefined) {
          throw new RunnerError("no-training-data", "the data file holds no training examples");
        }
        const isCancelled = () => isClosed || (task.isCancelled?.() ?? false);
        return train({ ...shared, examples: data.training }, { ...task, isCancelled });
      }),
    validate: (model, isCancelled) =>
      start(async () => {
        if (data.validation === undefined) {
          throw new RunnerError("no-validation-data", "the data file holds no validation examples");
        }
        const isStopped = () => isClosed || (isCancelled?.() ?? false);
        return evaluate({ ...shared, examples: data.validation }, model, isStopped);
      }),
    close: async () => {
      isClosed = true;
      await Promise.allSettled(running);
      await sessions.release();
    },
  };
}
