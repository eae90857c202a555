/** Asking again: for what may pass by itself, a few times, not before the server wants it. */
import { backoffMs, drawJitter } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import type { UnixMs } from "../../base/ids.ts";
import { isoTime } from "../../base/iso-time.ts";
import type { Randomness } from "../../base/randomness.ts";
import { CollateralError } from "./collateral-error.ts";
import type { HttpAnswer, HttpGet, HttpRequest } from "./http-get.ts";

/** How often one object is asked for before its failure is reported. */
export const MAX_ATTEMPTS = 4;
/** Whoever is told to wait for longer gets the failure now, with the time to come back. */
export const LONGEST_WAIT_MS = 30_000;

const TOO_MANY_REQUESTS = 429;

/**
 * Repeats on broken connections, deadlines, 429 and 5xx; any other answer or failure is final.
 * Waits as long as Retry-After says, else with growing, jittered pauses.
 * @throws CollateralError "unreachable" | "rate-limited" after the last attempt, and what `get` throws for good
 */
export function withRetries(get: HttpGet, clock: Clock, randomness: Randomness): HttpGet {
  return async (request) => {
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await attemptOnce(get, request, clock);
      if (outcome.kind === "final") return outcome.answer;
      const { failure } = outcome;
      const nowMs = clock.untrustedNowMs();
      const waitMs =
        failure.retryAtMs === undefined
          ? backoffMs(attempt, drawJitter(randomness))
          : Math.max(0, failure.retryAtMs - nowMs);
      if (attempt === MAX_ATTEMPTS || waitMs > LONGEST_WAIT_MS) throw failure;
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    }
  };
}

type Outcome =
  | { readonly kind: "final"; readonly answer: HttpAnswer }
  | { readonly kind: "again"; readonly failure: CollateralError };

async function attemptOnce(get: HttpGet, request: HttpRequest, clock: Clock): Promise<Outcome> {
  try {
    const answer = await get(request);
    const failure = passingTrouble(request, answer, clock.untrustedNowMs());
    return failure === undefined ? { kind: "final", answer } : { kind: "again", failure };
  } catch (error) {
    if (!(error instanceof CollateralError) || error.code !== "unreachable") throw error;
    return { kind: "again", failure: error };
  }
}

function passingTrouble(
  { what, url }: HttpRequest,
  answer: HttpAnswer,
  nowMs: UnixMs,
): CollateralError | undefined {
  const { status } = answer;
  if (status !== TOO_MANY_REQUESTS && status < 500) return undefined;
  const retryAtMs = retryAfter(answer.header("retry-after"), nowMs);
  const options = retryAtMs === undefined ? {} : { retryAtMs };
  if (status !== TOO_MANY_REQUESTS) {
    const message = `${what}: ${url.host} is in trouble (status ${status}); try later, or use a bundle file`;
    return new CollateralError("unreachable", message, options);
  }
  const when = retryAtMs === undefined ? "in some minutes" : `after ${isoTime(retryAtMs)}`;
  const message = `${what}: ${url.host} is asked too often; ask again ${when}, and keep a cache folder so that restarts ask for nothing`;
  return new CollateralError("rate-limited", message, options);
}

/**
 * The instant that a Retry-After names (RFC 9110 §10.2.3): seconds from now, or a date.
 * @returns undefined if there is none or it cannot be read
 */
export function retryAfter(value: string | undefined, nowMs: UnixMs): UnixMs | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return (nowMs + Number(value) * 1000) as UnixMs;
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(value)) {
    return undefined;
  }
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : (atMs as UnixMs);
}
