/** Who may send a body now: a few at a time, the rest in order of arrival. */
import { MAX_GRANTED_UPLOADS, MAX_WAITING_UPLOADS } from "../base/limits.ts";
import { RefusedError, refusal } from "../base/refusal.ts";

/** One place in the queue. */
export type Ticket = {
  /** How many were in front when this one came; 0 if it was granted at once. */
  readonly queuePosition: number;
  /** Resolves when it is this one's turn; never, if it leaves before. */
  readonly granted: Promise<void>;
  readonly isGranted: () => boolean;
  /** Frees the place, once, however often it is called; the first one waiting gets it. */
  readonly leave: () => void;
};

export type GrantLimits = { readonly maxGranted: number; readonly maxWaiting: number };

/** First come, first served. Shared by everything that takes memory for a body: one per process. */
export class GrantQueue {
  readonly #limits: GrantLimits;
  /** A set keeps the order of arrival, and anyone can leave from its middle at no cost. */
  readonly #waiting = new Set<() => void>();
  #grantedCount = 0;

  constructor(
    limits: GrantLimits = { maxGranted: MAX_GRANTED_UPLOADS, maxWaiting: MAX_WAITING_UPLOADS },
  ) {
    this.#limits = limits;
  }

  get grantedCount(): number {
    return this.#grantedCount;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** @throws RefusedError "busy" if the queue is full */
  enter(): Ticket {
    const { maxGranted, maxWaiting } = this.#limits;
    const atOnce = this.#grantedCount < maxGranted;
    if (!atOnce && this.#waiting.size >= maxWaiting) {
      throw new RefusedError(
        refusal("busy", `${this.#waiting.size} waiting`, `at most ${maxWaiting}`),
      );
    }
    let state: "waiting" | "granted" | "left" = "waiting";
    let resolveGranted = (): void => {};
    const granted = new Promise<void>((resolve) => {
      resolveGranted = resolve;
    });
    const grant = (): void => {
      state = "granted";
      this.#grantedCount += 1;
      resolveGranted();
    };
    const queuePosition = atOnce ? 0 : this.#waiting.size + 1;
    if (atOnce) grant();
    else this.#waiting.add(grant);
    return {
      queuePosition,
      granted,
      isGranted: () => state === "granted",
      leave: () => {
        if (state === "waiting") this.#waiting.delete(grant);
        if (state === "granted") this.#release();
        state = "left";
      },
    };
  }

  #release(): void {
    this.#grantedCount -= 1;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    next();
  }
}
