/** One object that ends: held, renewed before its end, and fetched once for all who wait for it. */
import type { CancelTimer, Clock } from "../../base/clock.ts";
import type { UnixMs } from "../../base/ids.ts";
import { isoTime } from "../../base/iso-time.ts";
import { describeError, type Log } from "../../base/log.ts";
import type { Randomness } from "../../base/randomness.ts";
import { CollateralError } from "./collateral-error.ts";
import { holdMs, renewalDelayMs, repeatDelayMs } from "./renewal.ts";

/** A value that was verified, and until when it counts. */
export type Kept<T> = {
  readonly value: T;
  /** The first of its parts to end, and its last moment. */
  readonly ends: { readonly what: string; readonly atMs: UnixMs };
};

/** How one object is fetched and when. */
export type KeptObjectSettings<T> = {
  /** For messages and the log: "collateral of SGX platform 00906ed50000 (processor CA)". */
  readonly what: string;
  /** Asks, verifies, stores. @throws CollateralError */
  readonly fetch: () => Promise<Kept<T>>;
  /** False for what never changes before it ends: then nothing is asked in advance. */
  readonly renews: boolean;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
};

/** What an operator wants to know of it. */
export type KeptStatus = {
  readonly what: string;
  /** Absent before the first success. */
  readonly ends?: Kept<unknown>["ends"];
  /** Why the latest attempt failed; absent after a success. */
  readonly failure?: string;
};

/** An object that is there as long as it counts. */
export type KeptObject<T> = {
  /**
   * What is held while it counts, else what is fetched now. During an outage what is held is given until it ends.
   * @throws CollateralError "stale" if something was held and has ended; else why nothing can be had
   */
  readonly get: () => Promise<T>;
  /** Takes over what was kept elsewhere, ended or not. */
  readonly restore: (kept: Kept<T>) => void;
  readonly isHeld: () => boolean;
  readonly status: () => KeptStatus;
  /** Ends its timer. */
  readonly close: () => void;
};

type Failure = { readonly error: unknown; readonly holdsUntilMs: number };

/** Nothing is held at first, and nothing asked for. */
export function keptObject<T>(settings: KeptObjectSettings<T>): KeptObject<T> {
  const { what, fetch, renews, clock, randomness, log } = settings;
  let held: Kept<T> | undefined;
  let failure: Failure | undefined;
  let failureCount = 0;
  let fetching: Promise<Kept<T>> | undefined;
  let cancelTimer: CancelTimer = () => undefined;
  let isClosed = false;

  const isCurrent = (kept: Kept<T>): boolean => clock.untrustedNowMs() <= kept.ends.atMs;

  const schedule = (delayMs: number | undefined): void => {
    cancelTimer();
    if (delayMs === undefined || isClosed) return;
    // A failure in the background is logged and held by then; whoever asks will hear of it.
    cancelTimer = clock.after(delayMs, () => void fetchOnce().catch(() => undefined));
  };
  const take = (kept: Kept<T>): void => {
    held = kept;
    failure = undefined;
    failureCount = 0;
    const nowMs = clock.untrustedNowMs();
    schedule(renews ? renewalDelayMs(nowMs, kept.ends.atMs, randomness) : undefined);
  };
  const noteFailure = (error: unknown): void => {
    const nowMs = clock.untrustedNowMs();
    const standsMs = holdMs(error, nowMs);
    failureCount += 1;
    failure = { error, holdsUntilMs: nowMs + standsMs };
    const serves = held !== undefined && isCurrent(held) ? held.ends : undefined;
    log.warn("collateral.fetch-failed", {
      what,
      error: describeError(error),
      servedUntil: serves && isoTime(serves.atMs),
      endsFirst: serves?.what,
    });
    // What has ended is asked for by whoever needs it.
    schedule(serves && repeatDelayMs(failureCount, standsMs, randomness));
  };
  const fetchOnce = (): Promise<Kept<T>> => {
    fetching ??= fetch()
      .then(
        (kept) => {
          take(kept);
          log.info("collateral.fetched", { what, until: isoTime(kept.ends.atMs) });
          return kept;
        },
        (error: unknown) => {
          noteFailure(error);
          throw error;
        },
      )
      .finally(() => {
        fetching = undefined;
      });
    return fetching;
  };

  return {
    get: async () => {
      if (held !== undefined && isCurrent(held)) return held.value;
      try {
        if (failure !== undefined && clock.untrustedNowMs() < failure.holdsUntilMs) {
          throw failure.error;
        }
        return (await fetchOnce()).value;
      } catch (error) {
        throw held === undefined ? error : stale(held.ends, error);
      }
    },
    restore: take,
    isHeld: () => held !== undefined,
    status: () => ({
      what,
      ...(held && { ends: held.ends }),
      ...(failure && { failure: describeError(failure.error) }),
    }),
    close: () => {
      isClosed = true;
      cancelTimer();
    },
  };
}

function stale({ what, atMs }: Kept<unknown>["ends"], cause: unknown): unknown {
  if (!(cause instanceof CollateralError)) return cause;
  const message = `${what} ended at ${isoTime(atMs)} and cannot be renewed: ${cause.message}`;
  const retryAtMs = cause.retryAtMs;
  return new CollateralError("stale", message, { cause, ...(retryAtMs && { retryAtMs }) });
}
