/** Waiting before the next attempt: doubling, bounded, and jittered so that many members do not return as one. */
import type { Clock } from "../base/clock.ts";
import type { Randomness } from "../base/randomness.ts";

export const FIRST_RETRY_MS = 250;
export const MAX_RETRY_MS = 10_000;

/**
 * Between half and all of 250 ms · 2^(attempt − 1), at most 10 s.
 * @param attempt  how many attempts have failed, from 1
 */
export function retryDelayMs(attempt: number, randomness: Randomness): number {
  const fullMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 16));
  const [byte = 0] = randomness.bytes(1);
  return Math.round(fullMs * (0.5 + byte / 510));
}

/** Resolves after the delay. @throws the signal's reason as soon as it is aborted */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const aborted = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    });
    signal?.addEventListener("abort", aborted, { once: true });
  });
}
