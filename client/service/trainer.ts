/**
 * The service's side of the trainer thread, which all members of the process share: one task at a time, validations
 * first. A thread that crashes fails the task it was at, and is started anew when the next one comes.
 */
import { Worker } from "node:worker_threads";
import { disableTelemetry } from "../../compute-packages/onnx/ort.ts";
import type { Clock } from "../../lib/base/clock.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import { assertInvariant, refusal } from "../../lib/base/refusal.ts";
import { ClientError } from "./client-error.ts";
import { type HeldInputs, trackHeldInputs } from "./held-inputs.ts";
import type {
  DataId,
  FromTrainer,
  ToTrainer,
  TrainerRequest,
  TrainerResult,
} from "./trainer-messages.ts";

/** JavaScript's share of the thread; tensors lie outside it. */
const TRAINER_LIMITS = { maxOldGenerationSizeMb: 1024, stackSizeMb: 4 };

export type Trainer = {
  /**
   * Reads a data file, for all tasks of a member.
   * @throws ClientError "data-unreadable" | "sandbox-unavailable"
   */
  readonly loadData: (path: string) => Promise<DataId>;
  readonly hold: HeldInputs["hold"];
  /**
   * Does a task whose package and model are held.
   * @param signal  cancels it, between epochs if it is under way
   * @throws ClientError "trainer-crashed" if the thread was lost while the task waited: worth another try
   */
  readonly run: (request: TrainerRequest, signal: AbortSignal) => Promise<TrainerResult>;
  /** Cancels everything, and waits up to 8 s for the thread to end. */
  readonly close: () => Promise<void>;
};

type Pending = {
  readonly request: TrainerRequest;
  readonly cancelFlag: SharedArrayBuffer;
  readonly resolve: (result: TrainerResult) => void;
  readonly reject: (error: Error) => void;
};

/** One call of the native runtime cannot be interrupted; a supervisor's patience is not much longer than this. */
const CLOSE_PATIENCE_MS = 8_000;

/**
 * @param file  the bundled trainer-worker.ts, or the thread for commands
 * @param workerData  given to the thread
 */
export function openTrainer(file: string, clock: Clock, log: Log, workerData?: unknown): Trainer {
  // Before the thread starts: native code reads the environment of the process, which a thread cannot change.
  disableTelemetry();
  return new TrainerThread(file, clock, log, workerData);
}

class TrainerThread implements Trainer {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #workerData: unknown;
  readonly #held: HeldInputs;
  readonly #paths: string[] = [];
  readonly #loading = new Map<DataId, (problem: ClientError | undefined) => void>();
  #worker: Worker | undefined;
  #queue: Pending[] = [];
  #current: Pending | undefined;
  #closed = false;

  constructor(file: string, clock: Clock, log: Log, workerData: unknown) {
    this.#workerData = workerData;
    this.#file = file;
    this.#clock = clock;
    this.#log = log;
    this.#held = trackHeldInputs({
      give: (what, digest, bytes) =>
        this.#post({ kind: "hold", what, digest, bytes: transferable(bytes) }),
      take: (what, digest) => this.#post({ kind: "drop", what, digest }),
    });
  }

  hold: HeldInputs["hold"] = (what, digest, fetch) => this.#held.hold(what, digest, fetch);

  async loadData(path: string): Promise<DataId> {
    const known = this.#paths.indexOf(path) + 1;
    const data = known > 0 ? known : this.#paths.push(path);
    const problem = await new Promise<ClientError | undefined>((resolve) => {
      this.#loading.set(data, resolve);
      this.#post({ kind: "load-data", data, path });
    });
    if (problem !== undefined) throw problem;
    return data;
  }

  run(request: TrainerRequest, signal: AbortSignal): Promise<TrainerResult> {
    if (signal.aborted || this.#closed) return Promise.resolve({ kind: "cancelled" });
    const cancelFlag = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    let cancel = (): void => {};
    const result = new Promise<TrainerResult>((resolve, reject) => {
      const pending = { request, cancelFlag, resolve, reject };
      cancel = () => this.#cancel(pending);
      this.#queue.push(pending);
    });
    signal.addEventListener("abort", cancel, { once: true });
    this.#startNext();
    return result.finally(() => signal.removeEventListener("abort", cancel));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const pending of this.#queue) pending.resolve({ kind: "cancelled" });
    this.#queue = [];
    this.#current?.resolve({ kind: "cancelled" });
    if (this.#current !== undefined) raise(this.#current.cancelFlag);
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    // Asked, never terminated: a thread that is stopped inside the native runtime takes the whole process with it.
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    worker.postMessage({ kind: "close" } satisfies ToTrainer);
    await this.#atMost(CLOSE_PATIENCE_MS, ended);
  }

  #atMost(timeoutMs: number, ended: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(timeoutMs, () => {
        this.#log.warn("trainer.still-running", { waitedMs: timeoutMs });
        resolve();
      });
      ended.then(() => {
        cancel();
        resolve();
      });
    });
  }

  #cancel(pending: Pending): void {
    raise(pending.cancelFlag);
    if (pending === this.#current) return;
    this.#queue = this.#queue.filter((each) => each !== pending);
    pending.resolve({ kind: "cancelled" });
  }

  #startNext(): void {
    if (this.#current !== undefined || this.#closed) return;
    const next = this.#queue.find(({ request }) => request.kind === "validate") ?? this.#queue[0];
    if (next === undefined) return;
    this.#queue = this.#queue.filter((each) => each !== next);
    this.#current = next;
    this.#post({ kind: "run", request: next.request, cancelFlag: next.cancelFlag });
  }

  #post(message: ToTrainer): void {
    if (this.#closed) return;
    const given = message.kind === "hold" ? [message.bytes.buffer as ArrayBuffer] : [];
    this.#running().postMessage(message, given);
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(this.#file, {
      resourceLimits: TRAINER_LIMITS,
      workerData: this.#workerData,
    });
    this.#worker = worker;
    worker.on("message", (message: FromTrainer) => this.#take(message));
    worker.on("error", (error) => this.#crashed(worker, describeError(error)));
    worker.on("exit", (code) => this.#crashed(worker, `exit code ${code}`));
    // What is being loaded for the first time is asked for by whoever wants it.
    for (const [index, path] of this.#paths.entries()) {
      const data = index + 1;
      if (!this.#loading.has(data)) worker.postMessage({ kind: "load-data", data, path });
    }
    return worker;
  }

  #take(message: FromTrainer): void {
    if (message.kind === "ended") {
      const ended = this.#current;
      assertInvariant(ended !== undefined, "the trainer ends the task it was given");
      this.#current = undefined;
      ended.resolve(message.result);
      return this.#startNext();
    }
    if (message.kind === "logged") return this.#log[message.level](message.event, message.fields);
    const problem =
      message.kind === "data-unreadable"
        ? new ClientError(message.code, message.message)
        : undefined;
    this.#loading.get(message.data)?.(problem);
    this.#loading.delete(message.data);
  }

  #crashed(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#held.forget();
    this.#log.error("trainer.crashed", { error: why });
    const crashed = this.#current;
    const waiting = this.#queue;
    this.#current = undefined;
    this.#queue = [];
    const reason = refusal("trainer-crashed", why, "a trainer that lives through the task");
    crashed?.resolve({ kind: "failed", refusals: [reason] });
    const lost = new ClientError("trainer-crashed", "the trainer was lost; it is started again");
    for (const { reject } of waiting) reject(lost);
    const unread = new ClientError("data-unreadable", `the trainer has crashed (${why})`);
    for (const resolve of this.#loading.values()) resolve(unread);
    this.#loading.clear();
  }
}

const raise = (cancelFlag: SharedArrayBuffer): void => {
  Atomics.store(new Int32Array(cancelFlag), 0, 1);
};

/** The bytes as a buffer of their own, which transferring takes from nobody else. */
const transferable = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
