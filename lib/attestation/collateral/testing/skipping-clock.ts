import type { Clock } from "../../../base/clock.ts";
import type { UnixMs } from "../../../base/ids.ts";
import { OBJECT_TIMEOUT_MS } from "../fetch-object.ts";

/** Time that jumps to the end of every wait but the deadline of a request, for tests with real sockets. */
export type SkippingClock = Clock & {
  /** What was waited for, in order. */
  readonly waitsMs: readonly number[];
};

/** @param startMs  the first instant; 2026-01-01T00:00:00Z if unset */
export function skippingClock(startMs: number = Date.UTC(2026, 0, 1)): SkippingClock {
  let nowMs = startMs;
  const waitsMs: number[] = [];
  return {
    waitsMs,
    untrustedNowMs: () => nowMs as UnixMs,
    after: (delayMs, action) => {
      if (delayMs === OBJECT_TIMEOUT_MS) return () => undefined;
      waitsMs.push(delayMs);
      const timer = setImmediate(() => {
        nowMs += delayMs;
        action();
      });
      return () => clearImmediate(timer);
    },
  };
}
