import type { UnixMs } from "./ids.ts";

/** Stops a timer that has not fired; harmless afterwards. */
export type CancelTimer = () => void;

/** Port: time. In an enclave both come from the host, hence the name: no security decision rests on it alone. */
export type Clock = {
  /** Never runs back within one process, whatever the host does. */
  readonly untrustedNowMs: () => UnixMs;
  /** Calls `action` once, `delayMs` ≥ 0 from now; never synchronously. */
  readonly after: (delayMs: number, action: () => void) => CancelTimer;
};

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * The host's clock and its timers. It does not run back, and goes on at the pace of the monotonic clock where the host
 * sets its clock back: were it to stand still, whatever waits for an instant would wait for all that time.
 */
export function systemClock(): Clock {
  let latestMs = 0;
  let readAtMs = performance.now();
  return {
    untrustedNowMs: () => {
      const passedMs = Math.floor(performance.now() - readAtMs);
      readAtMs += passedMs;
      latestMs = Math.max(latestMs + passedMs, Date.now());
      return latestMs as UnixMs;
    },
    after: (delayMs, action) => {
      const timer = setTimeout(action, Math.min(delayMs, MAX_TIMEOUT_MS));
      return () => clearTimeout(timer);
    },
  };
}
