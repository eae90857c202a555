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

/** The host's clock, held so that it does not run back, and its timers. */
export function systemClock(): Clock {
  let latest = 0;
  return {
    untrustedNowMs: () => {
      latest = Math.max(latest, Date.now());
      return latest as UnixMs;
    },
    after: (delayMs, action) => {
      const timer = setTimeout(action, Math.min(delayMs, MAX_TIMEOUT_MS));
      return () => clearTimeout(timer);
    },
  };
}
