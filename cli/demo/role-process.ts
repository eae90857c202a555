/** A role as a process of its own: its ready line, its last words, and ways to end it. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../lib/base/clock.ts";
import { printable } from "../../lib/base/refusal.ts";
import { CliError } from "../cli-error.ts";
import { eachLine } from "./lines.ts";

export type RoleName = "reducer" | "combiner" | "client";

export type RoleStart = {
  /** For people: "combiner-2". */
  readonly name: string;
  readonly role: RoleName;
  /** Where the bundles are. */
  readonly bundleDirectory: string;
  /** Given the address of an earlier run, so that a restarted role is found where it was. */
  readonly args: (address: string | undefined) => readonly string[];
  /** Gets everything the role logs. */
  readonly logFile: string;
  readonly clock: Clock;
  readonly onLog?: (line: string) => void;
};

/** What a role prints when it is ready. */
export type ReadyLine = { readonly address?: string; readonly members?: readonly string[] };

export type RoleProcess = {
  readonly name: string;
  readonly role: RoleName;
  /** Of the process that runs now. */
  readonly pid: () => number | undefined;
  /** Resolves once the process that runs now is ready. */
  readonly ready: () => Promise<ReadyLine>;
  /** Rejects with CliError "role-stopped" when the process ends and nobody asked for it. */
  readonly failed: Promise<never>;
  /** The last lines of its log, oldest first. */
  readonly lastLines: () => readonly string[];
  /** Ends the process as a power failure would (SIGKILL). Does not count as failure; for tests. */
  readonly crash: () => Promise<void>;
  /** Starts it again after a crash, with the same home and address. */
  readonly restart: () => Promise<ReadyLine>;
  /** Asks it to stop (SIGTERM), and insists (SIGKILL) if it takes long. */
  readonly stop: () => Promise<void>;
  /** At once and without waiting; for the end of this process. */
  readonly killNow: () => void;
};

const STOP_GRACE_MS = 5_000;
const LAST_LINES = 12;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;
type Run = {
  readonly child: Child;
  readonly ready: Promise<ReadyLine>;
  readonly exited: Promise<void>;
  isOver: boolean;
  isExpected: boolean;
};

/** Starts the process; it ends at the latest when this one does, because it watches its standard input. */
export function startRole(start: RoleStart): RoleProcess {
  const log = createWriteStream(start.logFile, { flags: "a" });
  const lastLines: string[] = [];
  let address: string | undefined;
  let reportFailure: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    reportFailure = reject;
  });
  // Whoever races against it may be done before; a rejection without a listener would stop this process.
  failed.catch(() => {});
  let run = launch();

  function launch(): Run {
    const bundle = path.join(start.bundleDirectory, `${start.role}.cjs`);
    const args = [bundle, ...start.args(address), "--until-stdin-closes"];
    // A process group of its own: Ctrl-C reaches this process alone, which ends the others in order.
    const child: Child = spawn(process.execPath, args, {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    child.stdin.on("error", () => {});
    eachLine(child.stderr, (line) => {
      log.write(`${line}\n`);
      lastLines.push(printable(line));
      if (lastLines.length > LAST_LINES) lastLines.shift();
      start.onLog?.(line);
    });
    const ready = readyLine(child);
    ready.then(
      (line) => {
        address = line.address ?? address;
      },
      () => {},
    );
    const launched: Run = { child, ready, exited: exitOf(child), isOver: false, isExpected: false };
    launched.exited.then(() => {
      launched.isOver = true;
      if (!launched.isExpected) reportFailure(stoppedError(start.name, child, lastLines));
    });
    return launched;
  }

  return {
    name: start.name,
    role: start.role,
    pid: () => run.child.pid,
    ready: () => run.ready,
    failed,
    lastLines: () => [...lastLines],
    crash: async () => {
      run.isExpected = true;
      run.child.kill("SIGKILL");
      await run.exited;
    },
    restart: () => {
      run = launch();
      return run.ready;
    },
    stop: async () => {
      run.isExpected = true;
      if (!run.isOver) {
        run.child.kill("SIGTERM");
        const cancel = start.clock.after(STOP_GRACE_MS, () => run.child.kill("SIGKILL"));
        await run.exited;
        cancel();
      }
      await new Promise<void>((resolve) => log.end(resolve));
    },
    killNow: () => {
      run.isExpected = true;
      if (!run.isOver) run.child.kill("SIGKILL");
    },
  };
}

function readyLine(child: Child): Promise<ReadyLine> {
  return new Promise<ReadyLine>((resolve, reject) => {
    eachLine(child.stdout, (line) => {
      const ready = parseReadyLine(line);
      if (ready !== undefined) resolve(ready);
    });
    // The reason is told by `failed`, which everybody who waits here races against.
    child.on("close", () => reject(new CliError("role-stopped", "it ended before it was ready")));
    child.on("error", reject);
  });
}

function parseReadyLine(line: string): ReadyLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isReady = typeof value === "object" && value !== null && "ready" in value && value.ready;
    return isReady === true ? (value as ReadyLine) : undefined;
  } catch {
    return undefined;
  }
}

const exitOf = (child: Child): Promise<void> =>
  new Promise((resolve) => {
    child.on("close", () => resolve());
    // Could not be started at all; "close" does not always follow.
    child.on("error", () => resolve());
  });

function stoppedError(name: string, child: Child, lastLines: readonly string[]): CliError {
  const how =
    child.signalCode ?? (child.exitCode === null ? "not started" : `status ${child.exitCode}`);
  const words =
    lastLines.length === 0 ? ["  (it said nothing)"] : lastLines.map((line) => `  ${line}`);
  return new CliError(
    "role-stopped",
    [`${name} stopped unexpectedly (${how}). Its last lines:`, ...words].join("\n"),
  );
}
