import { CodedError } from "../lib/base/refusal.ts";

/**
 * Why a command could not do what was asked; the message says what to do about it. "usage" ends with status 2,
 * everything else with 1.
 */
export class CliError extends CodedError<
  | "usage"
  | "already-exists"
  | "unreadable-file"
  | "unwritable-file"
  | "not-found"
  | "ambiguous"
  | "not-enrolled"
  | "reducer-unreachable"
  | "refused"
  | "role-stopped"
  | "session-not-finished"
  | "interrupted"
> {}

export const usageError = (message: string): CliError => new CliError("usage", message);

/** Thrown by a command that has said everything already, to end with a status of its own. */
export class EndedWithStatus extends Error {
  override readonly name = "EndedWithStatus";
  readonly status: number;

  constructor(status: number) {
    super(`ended with status ${status}`);
    this.status = status;
  }
}
