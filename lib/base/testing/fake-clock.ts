import type { Clock } from "../clock.ts";
import type { UnixMs } from "../ids.ts";
import { assertInvariant } from "../refusal.ts";

/** Time that stands still until a test moves it. */
export type FakeClock = Clock & {
  /** Moves time on, running each timer at its own instant, earliest first; promises settle in between. */
  readonly advance: (byMs: number) => Promise<void>;
  /** Timers that have neither run nor been cancelled. */
  readonly timerCount: () => number;
  /** Delays of those timers, from now, ascending. */
  readonly pendingDelaysMs: () => readonly number[];
};

type Timer = { readonly atMs: number; readonly order: number; readonly action: () => void };

/** @param startMs  the first instant; 2026-01-01T00:00:00Z if unset */
export function fakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = startMs;
  let order = 0;
  const timers = new Set<Timer>();
  const nextDue = (untilMs: number): Timer | undefined =>
    [...timers]
      .filter(({ atMs }) => atMs <= untilMs)
      .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];

  return {
    untrustedNowMs: () => nowMs as UnixMs,
    after: (delayMs, action) => {
      assertInvariant(delayMs >= 0, "a delay is not negative");
      order += 1;
      const timer = { atMs: nowMs + delayMs, order, action };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    advance: async (byMs) => {
      const untilMs = nowMs + byMs;
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.atMs);
        timer.action();
        await settle();
      }
      nowMs = untilMs;
      await settle();
    },
    timerCount: () => timers.size,
    pendingDelaysMs: () => [...timers].map(({ atMs }) => atMs - nowMs).sort((a, b) => a - b),
  };
}

/** One turn of the event loop: everything that was ready has run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
