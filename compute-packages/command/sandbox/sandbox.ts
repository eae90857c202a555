/** What a sandbox is: a way to run a shell script so that it can do nothing but compute. */
import type { CommandLimits } from "../limits.ts";

/** Where things are inside, whatever they are called outside. */
export const INSIDE = {
  /** The package as it came, read-only. */
  source: "/source",
  /** Its copy, in which commands run. */
  package: "/package",
  /** What a task brings: model and settings, read-only. */
  task: "/task",
  /** The owner's file or folder lies in here under its own name, read-only. */
  data: "/data",
  /** Modules that packages expect, read-only. */
  modules: "/modules",
  /** The package's Python environment. */
  environment: "/env",
  temporary: "/tmp",
} as const;

/** Something of the host that is visible inside. */
export type Mount = { readonly host: string; readonly inside: string };

export type SandboxJob = {
  /** For sh; its first argument is $1. Runs as the first process, with standard output, standard error and fd 3. */
  readonly script: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly readOnly: readonly Mount[];
  /** Only for making a Python environment. */
  readonly writable: readonly Mount[];
  /** Only for making a Python environment. */
  readonly hasNetwork: boolean;
  readonly limits: CommandLimits;
  /** Existing empty folder that the sandbox may use for its own purposes. */
  readonly scratch: string;
};

export type Invocation = {
  readonly file: string;
  readonly args: readonly string[];
};

export type Sandbox = {
  readonly kind: "bubblewrap" | "namespaces" | "none";
  /** The program that runs the job; killing it kills everything the job started. */
  readonly invocation: (job: SandboxJob) => Invocation;
};
