/** When endorsements are asked for again, as arithmetic. */
import { drawJitter } from "../../base/backoff.ts";
import type { UnixMs } from "../../base/ids.ts";
import type { Randomness } from "../../base/randomness.ts";
import { CollateralError } from "./collateral-error.ts";

/** What is held is renewed when half of the life it had left is over… */
const RENEWAL_POINT = 1 / 2;
/** …or up to a fifth of that earlier, so that caches which started together do not ask together… */
const RENEWAL_JITTER = 1 / 5;
/** …and once a day at least: revocations and TCB recoveries come long before the old documents end. */
const LONGEST_RENEWAL_MS = 24 * 60 * 60 * 1000;
/** A renewal that brought nothing newer is not repeated at once. */
const SHORTEST_RENEWAL_MS = 60 * 1000;

/** A renewal that failed is repeated after a minute, then two, four, …, each up to half earlier… */
const FIRST_REPEAT_MS = 60 * 1000;
/** …up to an hour. */
const LONGEST_REPEAT_MS = 60 * 60 * 1000;

/** How long a failure stands for the next who asks, so that many who ask are not many requests. */
const FAILURE_HOLD_MS = 30 * 1000;
/** The same where a vendor said "too often" and nothing else. */
const RATE_LIMIT_HOLD_MS = 2 * 60 * 1000;
/** A vendor's own time counts instead, up to this: nobody is sent away for a year. */
export const LONGEST_HOLD_MS = 60 * 60 * 1000;

/**
 * When to renew what was just fetched.
 * @returns undefined if it ends before a renewal would be worth it: then whoever asks after its end waits for it
 */
export function renewalDelayMs(
  nowMs: UnixMs,
  endsAtMs: UnixMs,
  randomness: Randomness,
): number | undefined {
  const remainingMs = endsAtMs - nowMs;
  const nominalMs = Math.min(remainingMs * RENEWAL_POINT, LONGEST_RENEWAL_MS);
  const delayMs = Math.round(nominalMs * (1 - RENEWAL_JITTER * drawJitter(randomness)));
  const boundedMs = Math.max(delayMs, SHORTEST_RENEWAL_MS);
  return boundedMs < remainingMs ? boundedMs : undefined;
}

/**
 * When to repeat a renewal that failed; not before the failure has stopped to stand.
 * @param failureCount  in a row, ≥ 1
 * @param holdMs  of that failure
 */
export function repeatDelayMs(
  failureCount: number,
  holdMs: number,
  randomness: Randomness,
): number {
  const nominalMs = Math.min(FIRST_REPEAT_MS * 2 ** (failureCount - 1), LONGEST_REPEAT_MS);
  return Math.max(Math.round(nominalMs * (1 - drawJitter(randomness) / 2)), holdMs);
}

/** How long a failure stands. */
export function holdMs(error: unknown, nowMs: UnixMs): number {
  if (!(error instanceof CollateralError)) return 0;
  const ownMs = error.code === "rate-limited" ? RATE_LIMIT_HOLD_MS : FAILURE_HOLD_MS;
  const askedMs = error.retryAtMs === undefined ? ownMs : error.retryAtMs - nowMs;
  return Math.min(Math.max(askedMs, 0), LONGEST_HOLD_MS);
}
