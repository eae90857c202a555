/** How a job that ended did: its files, or the one reason why there are none. */
import { type CommandCode, CommandError } from "./command-error.ts";
import { readScriptResult } from "./job-scripts.ts";
import { lastLines } from "./output.ts";
import type { JobEnd, StopReason } from "./supervise.ts";

export type Judged =
  | { readonly kind: "done"; readonly files: readonly Uint8Array[] }
  | { readonly kind: "failed"; readonly raise: () => never };

/** Of the output, in an error's message. */
const QUOTED_LENGTH = 1500;
const STOPPED: Readonly<Record<StopReason, string>> = {
  cancelled: "it was cancelled",
  "command-timed-out": "it ran longer than --command-seconds allows",
  "memory-exceeded": "it used more memory than --command-memory-mib allows",
  "too-many-processes": "it started more processes than are allowed",
  "output-too-long": "it printed more than is allowed",
  "result-too-large": "its result is larger than any model of this session",
};
/** Status of a process that a signal ended, as shells count. */
const BY_SIGNAL: Readonly<Record<number, readonly [CommandCode, string]>> = {
  152: ["cpu-time-exceeded", "it used more processor time than --command-seconds allows"],
  153: ["file-too-large", "it wrote a file larger than --command-disk-mib allows"],
};

/** @param results  names of the files that were asked for */
export function judgeEnd(end: JobEnd, entryPoint: string, results: readonly string[]): Judged {
  const said = lastLines(end.output, QUOTED_LENGTH);
  const quote = said === "" ? " (it printed nothing)" : `; its last words:\n${said}`;
  const failed = (code: CommandCode, why: string): Judged => ({
    kind: "failed",
    raise: () => {
      throw new CommandError(code, `${entryPoint} failed: ${why}${quote}`);
    },
  });
  if (end.stopped !== undefined) return failed(end.stopped, STOPPED[end.stopped]);
  const { lines, files } = readResult(end);
  const statusOf = (kind: string): number | undefined => {
    const line = lines.find((each) => new RegExp(`^${kind} [0-9]{1,3}$`).test(each));
    return line === undefined ? undefined : Number(line.slice(kind.length));
  };
  const status = statusOf("exit");
  if (status !== undefined) {
    if (lines.includes("full")) return failed("disk-full", "it filled --command-disk-mib");
    const [code, why] = BY_SIGNAL[status] ?? [];
    if (code !== undefined) return failed(code, why ?? "");
    const startup = statusOf("startup");
    if (startup !== undefined) {
      const why = `startup ended with status ${startup}, and then ${entryPoint} with ${status}`;
      return failed("startup-failed", why);
    }
    return failed("command-failed", `it ended with status ${status}`);
  }
  if (lines.includes("missing")) {
    return failed("result-missing", `it left no ${results.join(" and ")}`);
  }
  if (lines.includes("end") && files.length === results.length) return { kind: "done", files };
  if (lines[0] !== "begun") return failed("sandbox-failed", "the sandbox did not come to be");
  return failed("command-failed", `it ended in between, with status ${end.status ?? "none"}`);
}

function readResult({ result }: JobEnd): ReturnType<typeof readScriptResult> {
  try {
    return readScriptResult(result);
  } catch {
    // Cut off, because what handed it over was ended: as if it had begun and not come to an end.
    return { lines: ["begun"], files: [] };
  }
}
