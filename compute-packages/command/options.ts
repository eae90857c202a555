/** What a data owner decides about commands on its machine. */
import type { CommandLimits } from "./limits.ts";

export type CommandOptions = {
  /** Run commands without a sandbox, with everything of this user within their reach. */
  readonly dangerouslyUnsandboxed: boolean;
  /**
   * What to do for a package that brings an environment file: refuse it, run it with the Python that is here, or make
   * the environment, for which pip downloads and runs what the file names (in a sandbox without the data).
   */
  readonly pythonEnvironments: "refuse" | "system" | "make";
  /** Folders with programs, such as a conda environment: visible read-only, their bin/ before the system's. */
  readonly tools: readonly string[];
  /** Variables that commands see besides those that every command does. */
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: CommandLimits;
};
