/** How long to wait before the next try: doubling, with jitter, so that clients that lost one combiner do not return as one. */

export const FIRST_DELAY_MS = 250;
export const LONGEST_DELAY_MS = 10_000;

/**
 * @param failureCount  failures in a row, ≥ 1
 * @param jitter  random, 0 ≤ jitter < 1
 * @returns milliseconds: from half of the nominal delay up to the whole; nominal is 250 ms, doubling to 10 s
 */
export function backoffMs(failureCount: number, jitter: number): number {
  const nominal = Math.min(FIRST_DELAY_MS * 2 ** (failureCount - 1), LONGEST_DELAY_MS);
  return Math.round(nominal * (0.5 + jitter / 2));
}

/** What one step may know besides state and input. */
export type Moment = {
  readonly untrustedNowMs: number;
  /** Random, 0 ≤ jitter < 1. */
  readonly jitter: number;
};
