/** One attempt at one round as this combiner knows it: who may send, who has, who has not been asked yet. */
import type { UpdateLimits } from "../../lib/aggregation/validate.ts";
import type { Digest, Name, UnixMs } from "../../lib/base/ids.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { SignedUpdateHeader } from "../../lib/federation/update-header.ts";

/** What a task tells a client; the same for every member. */
export type RoundTerms = {
  readonly baseModelHash: Digest;
  readonly modelSizeBytes: number;
  readonly packageDigest: Digest;
  /** 32 bytes. */
  readonly sessionSeed: Digest;
  readonly limits: UpdateLimits;
  readonly deadlineMs: UnixMs;
  readonly proximalMu: number;
  readonly hyperparameters: readonly { readonly name: string; readonly value: number }[];
};

/** All that is left of an update once it is in the sums. */
export type FoldedUpdate = {
  readonly signed: SignedUpdateHeader;
  readonly exampleCount: number;
};

/** A member whose upload failed and may be sent again. */
export type Retry = {
  readonly failureCount: number;
  /** When it is asked again; absent if it was. */
  readonly dueMs?: UnixMs;
};

export type RoundState = {
  readonly key: RoundKey;
  /** Of the lease below; the reducer raises it with every change. */
  readonly leaseEpoch: number;
  readonly members: ReadonlySet<Name>;
  readonly terms: RoundTerms;
  readonly status: "open" | "closed";
  /** Exactly the members whose updates the sums hold. */
  readonly folded: ReadonlyMap<Name, FoldedUpdate>;
  /** Members that will not deliver in this attempt, and why. */
  readonly gaveUp: ReadonlyMap<Name, readonly Refusal[]>;
  /** Members that were sent the task on the stream they have now. */
  readonly tasked: ReadonlySet<Name>;
  readonly retries: ReadonlyMap<Name, Retry>;
  /** Whether the reducer named this round since it attached; if not by "attached", the round is over. */
  readonly confirmed: boolean;
};

/** Uploads of one member that may break their stream's rules or content in one attempt. */
export const MAX_UPLOAD_FAILURES = 8;
/** From a failed upload until its member is asked again; doubles with every failure up to the second. */
const MIN_RETRY_DELAY_MS = 1_000;
const MAX_RETRY_DELAY_MS = 30_000;

/** A round the reducer just opened here. */
export const beginRound = (
  given: Pick<RoundState, "key" | "leaseEpoch" | "members" | "terms">,
): RoundState => ({
  ...given,
  status: "open",
  folded: new Map(),
  gaveUp: new Map(),
  tasked: new Set(),
  retries: new Map(),
  confirmed: true,
});

/**
 * The round under a higher lease epoch, open again. Where a folded member lost its lease the sums cannot be kept,
 * since nothing can be taken out of them: everybody sends again.
 * @returns `reset` if the sums must start anew
 */
export function renewLease(
  round: RoundState,
  lease: Pick<RoundState, "leaseEpoch" | "members">,
): { readonly round: RoundState; readonly reset: boolean } {
  const reset = [...round.folded.keys()].some((member) => !lease.members.has(member));
  // A member that comes back into the lease, or whose update is gone, is to be asked again.
  const keepsTask = (member: Name) =>
    lease.members.has(member) && !(reset && round.folded.has(member));
  const renewed: RoundState = {
    ...round,
    ...lease,
    status: "open",
    confirmed: true,
    tasked: new Set([...round.tasked].filter(keepsTask)),
  };
  return { round: reset ? { ...renewed, folded: new Map() } : renewed, reset };
}

/** Leased members from which an update is still to come. */
export const outstanding = (round: RoundState): readonly Name[] =>
  [...round.members].filter((member) => isOutstanding(round, member));

/** Whether the round still waits for this member. */
export const isOutstanding = (round: RoundState, member: Name): boolean =>
  round.members.has(member) && !round.folded.has(member) && !round.gaveUp.has(member);

/** Whether the member is to be sent the task now. */
export const needsTask = (round: RoundState, member: Name): boolean =>
  round.status === "open" && isOutstanding(round, member) && !round.tasked.has(member);

/** The members were sent the task on their present streams. */
export const withTasked = (round: RoundState, members: readonly Name[]): RoundState => ({
  ...round,
  tasked: new Set([...round.tasked, ...members]),
});

/** The member has a new stream, or none: what was sent on the old one may be lost. */
export function withoutTasked(round: RoundState, member: Name): RoundState {
  const failureCount = failuresOf(round, member);
  if (!round.tasked.has(member) && round.retries.get(member)?.dueMs === undefined) return round;
  const tasked = new Set(round.tasked);
  tasked.delete(member);
  return { ...round, tasked, retries: new Map(round.retries).set(member, { failureCount }) };
}

/** The member's update is in the sums. */
export const withFold = (round: RoundState, member: Name, update: FoldedUpdate): RoundState => ({
  ...round,
  folded: new Map(round.folded).set(member, update),
});

/** The member will not deliver in this attempt. */
export const withGivenUp = (
  round: RoundState,
  member: Name,
  reasons: readonly Refusal[],
): RoundState => ({ ...round, gaveUp: new Map(round.gaveUp).set(member, reasons) });

/**
 * The member is asked again after a while.
 * @param counts  whether the failure was of the member's making; too many of those end its part in the attempt
 */
export function retryLater(
  round: RoundState,
  member: Name,
  counts: boolean,
  untrustedNowMs: UnixMs,
): RoundState {
  const failureCount = failuresOf(round, member) + (counts ? 1 : 0);
  if (failureCount > MAX_UPLOAD_FAILURES) {
    const wanted = `at most ${MAX_UPLOAD_FAILURES} failed uploads`;
    return withGivenUp(round, member, [refusal("too-many-failures", failureCount, wanted)]);
  }
  const delayMs = MIN_RETRY_DELAY_MS * 2 ** Math.max(0, failureCount - 1);
  const dueMs = (untrustedNowMs + Math.min(delayMs, MAX_RETRY_DELAY_MS)) as UnixMs;
  return { ...round, retries: new Map(round.retries).set(member, { failureCount, dueMs }) };
}

/** Members whose time to be asked again has come, now due a task. */
export function releaseRetries(round: RoundState, untrustedNowMs: UnixMs): RoundState {
  const due = [...round.retries].filter(
    ([, { dueMs }]) => dueMs !== undefined && dueMs <= untrustedNowMs,
  );
  if (due.length === 0) return round;
  const tasked = new Set(round.tasked);
  const retries = new Map(round.retries);
  for (const [member, { failureCount }] of due) {
    tasked.delete(member);
    retries.set(member, { failureCount });
  }
  return { ...round, tasked, retries };
}

/** The next instant at which releaseRetries may do something. */
export const retryWakesAtMs = (round: RoundState): number =>
  Math.min(...[...round.retries.values()].map(({ dueMs }) => dueMs ?? Number.MAX_SAFE_INTEGER));

const failuresOf = (round: RoundState, member: Name): number =>
  round.retries.get(member)?.failureCount ?? 0;
