import type { Clock } from "../lib/base/clock.ts";
import type { Randomness } from "../lib/base/randomness.ts";
import type { Output } from "./output.ts";

/** What a command may use of the process it runs in. */
export type CommandContext = Output & {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Where the role bundles are: the directory of the running bundle. */
  readonly bundleDirectory: string;
  /** Aborts when the person asks to stop. */
  readonly signal: AbortSignal;
};
