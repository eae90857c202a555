import { CodedError } from "../../lib/base/refusal.ts";

/** Why a task could not be done. docs/errors.md says what to do about each. */
export type RunnerErrorCode =
  | "telemetry-not-disabled"
  | "runtime-failed"
  | "model-mismatch"
  | "no-training-data"
  | "no-validation-data"
  | "cancelled"
  | "diverged"
  | "closed"
  | "no-inference-graph"
  | "too-large-for-onnx";

/** Training, validation or an export that did not come to an end. */
export class RunnerError extends CodedError<RunnerErrorCode> {}
