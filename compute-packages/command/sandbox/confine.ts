/** Limits that the kernel keeps for each process, and the last privileges given away. */
import { availableParallelism } from "node:os";
import { type CommandLimits, MAX_OPEN_FILES } from "../limits.ts";
import type { SandboxJob } from "./sandbox.ts";

/** A command line that runs the job's script under its limits: util-linux's prlimit and sh. */
export function confined({ script, args, limits }: SandboxJob): readonly string[] {
  return ["prlimit", ...limitOptions(limits), "--", "sh", "-c", script, "sh", ...args];
}

function limitOptions({ seconds, memoryBytes, diskBytes, processCount }: CommandLimits): string[] {
  return [
    `--as=${memoryBytes}`,
    // All threads of a process count: on every core they use this up no sooner than the clock does.
    `--cpu=${seconds * availableParallelism()}`,
    `--fsize=${diskBytes}`,
    `--nproc=${processCount}`,
    `--nofile=${MAX_OPEN_FILES}`,
    "--core=0",
  ];
}
