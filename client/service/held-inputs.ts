/**
 * What the trainer holds of packages and models, decided on this side: each is fetched once, whoever needs it, stays
 * while a task needs it, and then until others took its place.
 */
import type { Digest } from "../../lib/base/ids.ts";
import type { HeldKind } from "./trainer-messages.ts";

/** Kept for the next task, those in use included. */
export const MAX_HELD: Readonly<Record<HeldKind, number>> = { package: 8, model: 2 };

/** Lets go of what was held; once. */
export type Release = () => void;

type Held = {
  userCount: number;
  /** Undefined: not there. A promise: on its way; settles either way and says whether it arrived. */
  arrival: Promise<boolean> | undefined;
};

export type HeldInputs = {
  /**
   * Has the trainer hold something until it is released.
   * @param fetch  gets bytes whose digest was checked; they are given away. Not called if they are there already
   * @throws what `fetch` throws
   */
  readonly hold: (
    what: HeldKind,
    digest: Digest,
    fetch: () => Promise<Uint8Array>,
  ) => Promise<Release>;
  /** The trainer was started anew: it holds nothing. */
  readonly forget: () => void;
};

/** Starts with nothing held. @param trainer  is told what to hold and what to drop */
export function trackHeldInputs(trainer: {
  readonly give: (what: HeldKind, digest: Digest, bytes: Uint8Array) => void;
  readonly take: (what: HeldKind, digest: Digest) => void;
}): HeldInputs {
  /** The latest used last. */
  const held: Record<HeldKind, Map<Digest, Held>> = { package: new Map(), model: new Map() };

  function shrink(what: HeldKind): void {
    for (const [digest, { userCount }] of [...held[what]]) {
      if (held[what].size <= MAX_HELD[what]) return;
      if (userCount > 0) continue;
      held[what].delete(digest);
      trainer.take(what, digest);
    }
  }

  async function hold(
    what: HeldKind,
    digest: Digest,
    fetch: () => Promise<Uint8Array>,
  ): Promise<Release> {
    const entry = held[what].get(digest) ?? { userCount: 0, arrival: undefined };
    held[what].delete(digest);
    held[what].set(digest, entry);
    entry.userCount += 1;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      entry.userCount -= 1;
      const isGone = entry.userCount === 0 && entry.arrival === undefined;
      if (isGone && held[what].get(digest) === entry) held[what].delete(digest);
      shrink(what);
    };
    try {
      // Another task's fetch may fail for reasons of its own, such as its combiner's end: then it is our turn.
      for (;;) {
        if (entry.arrival === undefined) await arrive(what, digest, entry, fetch);
        else if (await entry.arrival) return release;
      }
    } catch (error) {
      release();
      throw error;
    }
  }

  async function arrive(
    what: HeldKind,
    digest: Digest,
    entry: Held,
    fetch: () => Promise<Uint8Array>,
  ): Promise<void> {
    const fetching = fetch();
    const arrival: Promise<boolean> = fetching.then(
      (bytes) => {
        trainer.give(what, digest, bytes);
        return true;
      },
      () => false,
    );
    entry.arrival = arrival;
    try {
      await fetching;
      shrink(what);
    } catch (error) {
      if (entry.arrival === arrival) entry.arrival = undefined;
      throw error;
    }
  }

  return {
    hold,
    forget: () => {
      for (const kind of ["package", "model"] as const) {
        for (const entry of held[kind].values()) entry.arrival = undefined;
        for (const [digest, { userCount }] of [...held[kind]]) {
          if (userCount === 0) held[kind].delete(digest);
        }
      }
    },
  };
}
