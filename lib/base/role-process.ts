/** What every role does as a process: arguments, one ready line, stopping, and one readable line when it cannot run. */
import { parseArgs } from "node:util";
import { type Clock, systemClock } from "./clock.ts";
import type { Role } from "./ids.ts";
import { describeError, type Log } from "./log.ts";
import { LOG_LEVELS, type LogLevel, pinoLog } from "./pino-log.ts";
import { CodedError } from "./refusal.ts";

export class UsageError extends CodedError<"usage"> {}

export type CommonConfig = {
  readonly logLevel: LogLevel;
  /** Ends when standard input closes: the process that started this one is gone. */
  readonly untilStdinCloses: boolean;
};

/** For every role's usage text. */
export const COMMON_USAGE = `[--log-level ${LOG_LEVELS.join("|")}] [--until-stdin-closes]`;

type OptionSpec = {
  readonly [name: string]: {
    readonly type: "string" | "boolean";
    readonly multiple?: boolean;
  };
};

/**
 * Reads a role's options beside the common ones. Each value is a list, that of a boolean option ["true"]: options may
 * repeat only where `multiple` is set.
 * @throws UsageError naming what is wrong
 */
export function readArguments(
  args: readonly string[],
  options: OptionSpec,
): CommonConfig & { readonly values: Readonly<Record<string, readonly string[]>> } {
  const parsed = parse(args, options);
  const values: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (Array.isArray(value)) values[name] = value.map(String);
  }
  for (const [name, list] of Object.entries(values)) {
    if (list.length > 1 && options[name]?.multiple !== true) {
      throw new UsageError("usage", `--${name} is given ${list.length} times; once is enough`);
    }
  }
  const logLevel = LOG_LEVELS.find((level) => level === (values["log-level"]?.[0] ?? "info"));
  if (logLevel === undefined) {
    throw new UsageError("usage", `--log-level must be one of ${LOG_LEVELS.join(", ")}`);
  }
  return { values, logLevel, untilStdinCloses: parsed["until-stdin-closes"] === true };
}

type ParsedValue = string | boolean | readonly (string | boolean)[] | undefined;

function parse(args: readonly string[], options: OptionSpec): Record<string, ParsedValue> {
  const repeatable = Object.fromEntries(
    Object.entries(options).map(([name, { type }]) => [name, { type, multiple: true } as const]),
  );
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...repeatable,
        "log-level": { type: "string", multiple: true },
        "until-stdin-closes": { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new UsageError("usage", error instanceof Error ? error.message : "unreadable arguments");
  }
}

/** "host:port" or "[IPv6]:port", port 0 to 65535. @throws UsageError */
export function parseListenAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[2] ?? Number.NaN);
  if (match?.[1] === undefined || !(port <= 65_535)) {
    throw new UsageError("usage", `--listen ${text} is not HOST:PORT`);
  }
  return { host: match[1].replace(/^\[|\]$/g, ""), port };
}

export type RunningRole = {
  /** What the ready line says beside the role, such as an address. */
  readonly ready: { readonly [field: string]: string | readonly string[] };
  /** Ends cleanly, in bounded time. */
  readonly stop: () => Promise<void>;
  /** Settles only by rejecting, when the role cannot go on. */
  readonly failed: Promise<never>;
};

export type RolePorts = {
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the process is asked to stop. */
  readonly signal: AbortSignal;
};

/**
 * Runs a role until a signal, the end of standard input, or a failure. Exit status: 0 stopped, 1 failed, 2 wrong
 * arguments. Standard output carries one JSON line, when the role is ready; logs go to standard error.
 */
export async function runRole<Config extends CommonConfig>(given: {
  readonly role: Role;
  readonly usage: string;
  readonly readConfig: (args: readonly string[]) => Config;
  /** May reject with the signal's reason once it is aborted: whoever waits for others must not outlive a stop. */
  readonly start: (config: Config, ports: RolePorts) => Promise<RunningRole>;
}): Promise<void> {
  const { role } = given;
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`${given.usage}\n`);
    return;
  }
  let config: Config;
  try {
    config = given.readConfig(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`fedclave ${role}: ${error.message}\n${given.usage}\n`);
    process.exitCode = 2;
    return;
  }
  const log = pinoLog(config.logLevel, { role });
  const signal = stopAsked(config);
  try {
    const running = await given.start(config, { clock: systemClock(), log, signal });
    process.stdout.write(`${JSON.stringify({ ready: true, role, ...running.ready })}\n`);
    await Promise.race([aborted(signal), running.failed]);
    log.info("role.stopping", { why: describeError(signal.reason) });
    await running.stop();
    process.exit(0);
  } catch (error) {
    if (signal.aborted && error === signal.reason) process.exit(0);
    log.error("role.failed", { error: describeError(error) });
    const message = error instanceof Error ? error.message : "an unknown failure";
    process.stderr.write(`fedclave ${role}: ${message}\n`);
    process.exit(1);
  }
}

function stopAsked({ untilStdinCloses }: CommonConfig): AbortSignal {
  const stopping = new AbortController();
  const stop = (why: string): void => stopping.abort(new Error(why));
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  if (untilStdinCloses) {
    process.stdin.on("end", () => stop("standard input closed"));
    process.stdin.on("error", () => stop("standard input failed"));
    process.stdin.resume();
  }
  return stopping.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
