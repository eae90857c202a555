/** How long to wait before the next attempt: doubling, bounded, and jittered so that many members do not return as one. */
import type { Randomness } from "./randomness.ts";

/** The wait after the first failure, at its longest. */
export const FIRST_BACKOFF_MS = 250;
/** The wait after many failures, at its longest. */
export const LONGEST_BACKOFF_MS = 10_000;

/**
 * From half of the nominal delay up to the whole; nominal is 250 ms, doubling to 10 s.
 * @param failureCount  failures in a row, ≥ 1
 * @param jitter  random, 0 to 1
 * @returns whole milliseconds
 */
export function backoffMs(failureCount: number, jitter: number): number {
  const nominalMs = Math.min(FIRST_BACKOFF_MS * 2 ** (failureCount - 1), LONGEST_BACKOFF_MS);
  return Math.round(nominalMs * (0.5 + jitter / 2));
}

/** One of 256 evenly spaced values from 0 to 1: enough to spread members, and predictable to nobody. */
export function drawJitter(randomness: Randomness): number {
  const [byte = 0] = randomness.bytes(1);
  return byte / 255;
}
