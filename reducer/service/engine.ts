/**
 * Runs the core: one input after another, events into the ledger, then effects. Inputs that queue up while an append
 * is under way are decided together and appended as one (group commit), so a slow disk delays but never reorders.
 */
import type { Clock } from "../../lib/base/clock.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import { type Ledger, MAX_EVENTS_PER_APPEND } from "../../lib/storage/ledger.ts";
import { type Input, step, wakesAtMs } from "../core/coordinator.ts";
import type { Coordinator, Effect } from "../core/draft.ts";
import { encodeEvent, type LedgerEvent } from "../core/events.ts";

export type Engine = {
  readonly coordinator: () => Coordinator;
  /** Resolves when what the input brought about is durable and its effects are handed out. */
  readonly submit: (input: Input) => Promise<void>;
  /**
   * Decides on the state as it is when its turn comes, with nothing in between: the function may throw (nothing
   * happens then), or return an input to take and a result to give back once that is durable.
   */
  readonly decide: <T>(
    decision: (coordinator: Coordinator) => { readonly input?: Input; readonly result: T },
  ) => Promise<T>;
  /** Called after every change; returns how to stop. */
  readonly onChange: (listener: (events: readonly LedgerEvent[]) => void) => () => void;
  /** Settles everything queued, then takes nothing more. */
  readonly stop: () => Promise<void>;
};

export type EngineParts = {
  readonly coordinator: Coordinator;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
  /** Hands out effects; must not throw, and must not wait. */
  readonly perform: (effects: readonly Effect[]) => void;
  /** The ledger cannot be written: the process must stop, a restart resumes from what is durable. */
  readonly onFatal: (error: unknown) => void;
};

type Queued = {
  readonly decision: (coordinator: Coordinator) => {
    readonly input?: Input;
    readonly result: unknown;
  };
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
};

/** A batch takes no further input from here on: one input brings a few events, and an append takes so many. */
const FULL_BATCH_EVENTS = MAX_EVENTS_PER_APPEND / 2;

type Settled = { readonly queued: Queued; readonly result: unknown };

/** Runs the core on its ledger: what a step records is durable before any of its effects is carried out. */
export function startEngine(parts: EngineParts): Engine {
  const { clock, ledger, log } = parts;
  let coordinator = parts.coordinator;
  let queue: Queued[] = [];
  let running: Promise<void> | undefined;
  let dead: unknown;
  let cancelTimer = () => {};
  const listeners = new Set<(events: readonly LedgerEvent[]) => void>();

  function enqueue<T>(decision: (c: Coordinator) => { input?: Input; result: T }): Promise<T> {
    if (dead !== undefined) return Promise.reject(dead);
    return new Promise<T>((resolve, reject) => {
      queue.push({ decision, resolve: resolve as (result: unknown) => void, reject });
      running ??= run();
    });
  }

  async function run(): Promise<void> {
    // One turn of the event loop gathers what arrived together.
    await Promise.resolve();
    while (queue.length > 0 && dead === undefined) await takeBatch();
    // In the same turn as the last look at the queue: what is queued later starts the next run.
    running = undefined;
  }

  async function takeBatch(): Promise<void> {
    const batch: Queued[] = [];
    const events: LedgerEvent[] = [];
    const effects: Effect[] = [];
    const settled: Settled[] = [];
    while (events.length < FULL_BATCH_EVENTS) {
      const queued = queue.shift();
      if (queued === undefined) break;
      batch.push(queued);
      try {
        const { input, result } = queued.decision(coordinator);
        if (input !== undefined) {
          const taken = step(coordinator, input, clock.untrustedNowMs());
          coordinator = taken.coordinator;
          events.push(...taken.events);
          effects.push(...taken.effects);
        }
        settled.push({ queued, result });
      } catch (error) {
        queued.reject(error);
      }
    }
    try {
      if (events.length > 0) await append(events);
    } catch (error) {
      die(error, batch);
      return;
    }
    parts.perform(effects);
    for (const listener of listeners) listener(events);
    for (const { queued, result } of settled) queued.resolve(result);
    setTimer();
  }

  async function append(events: readonly LedgerEvent[]): Promise<void> {
    const { seq } = await ledger.head();
    await ledger.append(seq, events.map(encodeEvent));
  }

  function die(error: unknown, batch: readonly Queued[]): void {
    dead = error;
    log.error("ledger.failed", { error: describeError(error) });
    cancelTimer();
    for (const queued of [...batch, ...queue]) queued.reject(error);
    queue = [];
    parts.onFatal(error);
  }

  function setTimer(): void {
    cancelTimer();
    const wakeMs = wakesAtMs(coordinator);
    if (wakeMs === undefined || dead !== undefined) return;
    const delayMs = Math.max(1, wakeMs - clock.untrustedNowMs());
    cancelTimer = clock.after(delayMs, () => {
      enqueue(() => ({ input: { kind: "tick" }, result: undefined })).catch(() => {});
    });
  }

  setTimer();
  return {
    coordinator: () => coordinator,
    submit: (input) => enqueue(() => ({ input, result: undefined })),
    decide: enqueue,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: async () => {
      cancelTimer();
      await running;
      dead ??= new Error("the reducer is stopping");
      cancelTimer();
    },
  };
}
