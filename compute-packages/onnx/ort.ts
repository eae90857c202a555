/** The only place that loads onnxruntime-node, and only when something is to run. */
import { isMainThread } from "node:worker_threads";
import type * as Ort from "onnxruntime-node";
import { RunnerError } from "./runner-error.ts";

export type OrtModule = typeof Ort;
export type Session = Ort.InferenceSession;
export type Tensor = Ort.Tensor;

/** Read by the native library, once, when it is loaded; it then neither writes a device id nor reports. */
const TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY";

let loading: Promise<OrtModule> | undefined;

/**
 * Turns the runtime's telemetry off for this process. A worker thread has its own copy of process.env, which
 * native code does not see: a program that trains in a worker calls this on its main thread before it starts one.
 */
export function disableTelemetry(): void {
  process.env[TELEMETRY_SWITCH] = "1";
}

/**
 * The runtime, loaded on first use with its telemetry off.
 * @throws RunnerError "telemetry-not-disabled" in a worker thread whose process did not call disableTelemetry
 */
export function loadOrt(): Promise<OrtModule> {
  if (isMainThread) disableTelemetry();
  if (process.env[TELEMETRY_SWITCH] !== "1") {
    throw new RunnerError(
      "telemetry-not-disabled",
      `${TELEMETRY_SWITCH} must be 1 before the worker starts`,
    );
  }
  loading ??= import("onnxruntime-node");
  return loading;
}

/** One thread, one stream, no log lines: deterministic, and a client takes one core. */
export const SESSION_OPTIONS: Ort.InferenceSession.SessionOptions = {
  executionProviders: ["cpu"],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  logSeverityLevel: 3,
};
