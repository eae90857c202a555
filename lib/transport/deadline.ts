/** Waiting with an end. */
import type { CancelTimer, Clock } from "../base/clock.ts";

/**
 * The promise's outcome, or a rejection with `lateError()` if that takes longer. The promise itself goes on;
 * what it does later is ignored.
 */
export function within<T>(
  clock: Clock,
  timeoutMs: number,
  promise: Promise<T>,
  lateError: () => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => reject(lateError()));
    promise.then(resolve, reject).finally(cancel);
  });
}

/** Resolves when the promise has settled, or after the time given; never rejects. */
export function atMost(clock: Clock, timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(timeoutMs, resolve);
    const done = (): void => {
      cancel();
      resolve();
    };
    promise.then(done, done);
  });
}

/** Calls `action` once when the instant has come, however far it is: a single timer reaches 24 days only. */
export function at(clock: Clock, instantMs: number, action: () => void): CancelTimer {
  const remainingMs = Math.max(0, instantMs - clock.untrustedNowMs());
  let cancel = clock.after(remainingMs, () => {
    if (clock.untrustedNowMs() >= instantMs) action();
    else cancel = at(clock, instantMs, action);
  });
  return () => cancel();
}
