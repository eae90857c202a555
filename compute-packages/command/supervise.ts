/** Runs a job and sees that it ends: at its own end, at a limit, or when it is not wanted any more. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Clock } from "../../lib/base/clock.ts";
import { KEPT_HEAD_BYTES, KEPT_TAIL_BYTES } from "./limits.ts";
import { boundedOutput } from "./output.ts";
import { isAnyRunning, processTree } from "./processes.ts";
import type { Sandbox, SandboxJob } from "./sandbox/sandbox.ts";

/** Why a job was ended from outside. */
export type StopReason =
  | "cancelled"
  | "command-timed-out"
  | "memory-exceeded"
  | "too-many-processes"
  | "output-too-long"
  | "result-too-large";

export type JobEnd = {
  /** Undefined if it ended by itself. */
  readonly stopped: StopReason | undefined;
  /** Its exit status; 128 and more for a signal, as shells count. Undefined if it could not be started. */
  readonly status: number | undefined;
  /** Everything it wrote to fd 3. */
  readonly result: Uint8Array;
  /** Standard output and standard error as they came, bounded. */
  readonly output: string;
  readonly outputBytes: number;
};

/** How often a running job is looked at. */
const WATCH_MS = 100;
/** How long the pipes of a process that has ended are read on. */
const LINGER_MS = 2000;
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGKILL: 9, SIGTERM: 15, SIGABRT: 6 };

/**
 * Runs a job to its end. Never throws for what the job does.
 * @param maxResultBytes  bound of what is read from fd 3
 * @param isCancelled  asked several times a second
 */
export function supervise(
  sandbox: Sandbox,
  job: SandboxJob,
  given: {
    readonly maxResultBytes: number;
    readonly isCancelled: () => boolean;
    readonly clock: Clock;
  },
): Promise<JobEnd> {
  const { file, args } = sandbox.invocation(job);
  const child = spawn(file, args, {
    cwd: "/",
    env: { ...job.environment },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // A process group of its own, so that a signal reaches it whole, and a terminal's Ctrl-C does not.
    detached: true,
  });
  return new SupervisedJob(child, job, given).ended;
}

class SupervisedJob {
  readonly ended: Promise<JobEnd>;
  readonly #child: ChildProcess;
  readonly #output = boundedOutput(KEPT_HEAD_BYTES, KEPT_TAIL_BYTES);
  readonly #result: Uint8Array[] = [];
  #resultBytes = 0;
  #stopped: StopReason | undefined;
  readonly #killed = new Set<number>();

  constructor(
    child: ChildProcess,
    { limits }: SandboxJob,
    given: {
      readonly maxResultBytes: number;
      readonly isCancelled: () => boolean;
      readonly clock: Clock;
    },
  ) {
    this.#child = child;
    const { clock } = given;
    const read = (stream: unknown, take: (chunk: Uint8Array) => void): void => {
      const readable = stream as Readable | null | undefined;
      readable?.on("data", take).on("error", () => {});
    };
    for (const stream of [child.stdout, child.stderr]) {
      read(stream, (chunk) => {
        this.#output.push(chunk);
        if (this.#output.totalBytes() > limits.outputBytes) this.#stop("output-too-long");
      });
    }
    read(child.stdio[3], (chunk) => {
      this.#resultBytes += chunk.byteLength;
      if (this.#resultBytes > given.maxResultBytes) return this.#stop("result-too-large");
      this.#result.push(chunk);
    });
    const cancelTimeout = clock.after(limits.seconds * 1000, () => this.#stop("command-timed-out"));
    let cancelWatch = (): void => {};
    let cancelLinger = (): void => {};
    const watch = (): void => {
      if (given.isCancelled()) this.#stop("cancelled");
      const tree = processTree(child.pid ?? -1);
      // Those that make the sandbox are not the command's.
      if (tree.pids.length > limits.processCount + SANDBOX_PROCESSES) {
        this.#stop("too-many-processes");
      }
      if (tree.residentBytes > limits.memoryBytes) this.#stop("memory-exceeded");
      cancelWatch = clock.after(WATCH_MS, watch);
    };
    watch();
    this.ended = new Promise((resolve) => {
      const end = (status: number | undefined): void => {
        cancelTimeout();
        cancelWatch();
        cancelLinger();
        const ended = this.#areGone(clock).then(
          (): JobEnd => ({
            stopped: this.#stopped,
            status,
            result: Buffer.concat(this.#result),
            output: this.#output.text(),
            outputBytes: this.#output.totalBytes(),
          }),
        );
        resolve(ended);
      };
      child.on("error", (error) => {
        this.#output.push(Buffer.from(`${error.message}\n`));
        if (child.pid === undefined) end(undefined);
      });
      child.on("exit", () => {
        // Whatever it left running without a sandbox is over too, and must not hold the pipes open.
        signalGroup(child);
        cancelLinger = clock.after(LINGER_MS, () => closePipes(child));
      });
      child.on("close", (code, signal) => end(code ?? 128 + (SIGNAL_NUMBERS[signal ?? ""] ?? 0)));
    });
  }

  #stop(reason: StopReason): void {
    this.#stopped ??= reason;
    for (const pid of killTree(this.#child)) this.#killed.add(pid);
  }

  /** A sandbox's first process is gone only when all others in it are. */
  async #areGone(clock: Clock): Promise<void> {
    for (let looks = 0; looks < MAX_GONE_LOOKS && isAnyRunning(this.#killed); looks += 1) {
      await new Promise<void>((resolve) => clock.after(GONE_LOOK_MS, resolve));
    }
  }
}

const GONE_LOOK_MS = 20;
const MAX_GONE_LOOKS = 250;

const SANDBOX_PROCESSES = 3;

/** Everything at once. In a sandbox the first process takes all others with it; without one they are looked for. */
function killTree(child: ChildProcess): readonly number[] {
  if (child.pid === undefined) return [];
  const { pids } = processTree(child.pid);
  signalGroup(child);
  for (const pid of pids) kill(pid);
  // What has left the tree may hold these open.
  closePipes(child);
  return pids;
}

const signalGroup = ({ pid }: ChildProcess): void => {
  if (pid !== undefined) kill(-pid);
};

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended in the meantime.
  }
}

function closePipes({ stdio }: ChildProcess): void {
  for (const stream of stdio) (stream as Readable | null)?.destroy?.();
}
