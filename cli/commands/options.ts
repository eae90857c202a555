/** Options that several commands have, and how their values are read. */
import { type Command, InvalidArgumentError } from "commander";
import type { ReducerOptions } from "../admin-connection.ts";

export type SharedOptions = ReducerOptions & { readonly json?: true };

const DEFAULT_WAIT_SECONDS = 10;

/** For every command that asks the reducer. */
export const addReducerOptions = (command: Command): Command =>
  command
    .option("--home <dir>", "an admin's home (default: $FEDCLAVE_HOME or fedclave/admin)")
    .option(
      "--wait <seconds>",
      "how long to try to reach the reducer",
      number(0),
      DEFAULT_WAIT_SECONDS,
    )
    .option("--json", "one line of JSON on standard output");

/** A number that is at least `low`. */
export const number =
  (low: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value < low) {
      throw new InvalidArgumentError(`It must be a number from ${low}.`);
    }
    return value;
  };

/** A whole number from `low` to `high`. */
export const integer =
  (low: number, high = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < low || value > high) {
      const range = high === Number.MAX_SAFE_INTEGER ? `from ${low}` : `from ${low} to ${high}`;
      throw new InvalidArgumentError(`It must be a whole number ${range}.`);
    }
    return value;
  };

export const choice =
  <T extends string>(allowed: readonly T[]) =>
  (text: string): T => {
    const found = allowed.find((each) => each === text);
    if (found === undefined) throw new InvalidArgumentError(`It must be ${allowed.join(" or ")}.`);
    return found;
  };
