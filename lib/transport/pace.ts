/** How long one waits for a peer that moves a body: neither silence nor a trickle may hold a place for long. */
import type { Clock } from "../base/clock.ts";
import { RefusedError, refusal } from "../base/refusal.ts";
import { within } from "./deadline.ts";
import { CHUNK_TIMEOUT_MS, MIN_BYTES_PER_SECOND } from "./limits.ts";

/** Counts the time spent waiting for the peer, and only that: what we do ourselves in between is not its fault. */
export class Pace {
  readonly #clock: Clock;
  #waitedMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Waits for the peer's next step.
   * @param movedBytes  of the body, so far
   * @throws RefusedError "too-slow" after 30 s, or sooner once the average falls below 100 KiB/s
   */
  async wait<T>(step: Promise<T>, movedBytes: number): Promise<T> {
    const allowedMs = CHUNK_TIMEOUT_MS + (movedBytes / MIN_BYTES_PER_SECOND) * 1000;
    const timeoutMs = Math.max(0, Math.min(CHUNK_TIMEOUT_MS, allowedMs - this.#waitedMs));
    const startMs = this.#clock.untrustedNowMs();
    try {
      return await within(this.#clock, timeoutMs, step, () =>
        tooSlow(movedBytes, this.#waitedMs + timeoutMs),
      );
    } finally {
      this.#waitedMs += this.#clock.untrustedNowMs() - startMs;
    }
  }
}

function tooSlow(movedBytes: number, waitedMs: number): RefusedError {
  const wanted = `a chunk within ${CHUNK_TIMEOUT_MS} ms and ${MIN_BYTES_PER_SECOND} bytes/s`;
  const seen = `${movedBytes} bytes in ${Math.round(waitedMs)} ms`;
  return new RefusedError(refusal("too-slow", seen, wanted));
}
