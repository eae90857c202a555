import { CodedError } from "../../lib/base/refusal.ts";

/** Why a command did not do its task; docs/errors.md says what to do about each. Only the code leaves the client. */
export type CommandCode =
  | "entry-point-missing"
  | "sandbox-unavailable"
  | "sandbox-failed"
  | "python-env-not-allowed"
  | "python-env-failed"
  | "startup-failed"
  | "command-failed"
  | "command-timed-out"
  | "cpu-time-exceeded"
  | "memory-exceeded"
  | "too-many-processes"
  | "disk-full"
  | "file-too-large"
  | "output-too-long"
  | "result-missing"
  | "result-too-large"
  | "result-malformed"
  | "model-mismatch"
  | "model-not-expressible"
  | "diverged"
  | "cancelled";

/** A command that failed or was stopped. The message is for the data owner: it may quote what the command wrote. */
export class CommandError extends CodedError<CommandCode> {}
