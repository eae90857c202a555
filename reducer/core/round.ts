/**
 * One attempt at one round: training → merging → optimizing, or failed. Pure: the same round, event and time give the
 * same step. Selecting comes before (session.ts), committing after (the model must be stored first).
 *
 * Invariants:
 * - every cohort member is leased to at most one combiner, each combiner's lease has an epoch, epochs never repeat;
 * - a fold counts only under the current lease epoch of its combiner;
 * - changing a combiner's lease so that a member leaves it voids everything that combiner folded.
 */
import type { Name, UnixMs } from "../../lib/base/ids.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import type { Lease } from "./events.ts";
import {
  type AdmittedPartial,
  dropWork,
  type Fold,
  foldedMembers,
  isCurrent,
  leased,
  leaseHolder,
  loseCombiner,
  NO_DEADLINE,
  type Round,
  undelivered,
  withFold,
  withReport,
} from "./round-state.ts";

export type RoundEvent =
  | {
      readonly kind: "update-folded";
      readonly combiner: Name;
      readonly leaseEpoch: number;
      readonly member: Name;
      readonly fold: Fold;
    }
  | {
      readonly kind: "round-reported";
      readonly combiner: Name;
      readonly leaseEpoch: number;
      readonly folded: readonly Name[];
    }
  | {
      readonly kind: "member-gave-up";
      readonly combiner: Name;
      readonly member: Name;
      readonly reasons: readonly Refusal[];
    }
  | { readonly kind: "client-attended"; readonly combiner: Name; readonly member: Name }
  | { readonly kind: "combiner-restarted"; readonly combiner: Name }
  | { readonly kind: "combiner-lost"; readonly combiner: Name }
  | {
      readonly kind: "partial-admitted";
      readonly combiner: Name;
      readonly partial: AdmittedPartial;
    }
  | { readonly kind: "partial-refused"; readonly combiner: Name; readonly leaseEpoch: number }
  | { readonly kind: "tick" };

export type RoundEffect =
  /** Send the combiner its lease, whole; repeating it is harmless. */
  | { readonly kind: "send-lease"; readonly combiner: Name }
  | { readonly kind: "close-combiner"; readonly combiner: Name; readonly leaseEpoch: number }
  /** Everything is in: merge exactly these combiners' partials. */
  | { readonly kind: "merge"; readonly combiners: readonly Name[] }
  | { readonly kind: "fail"; readonly reasons: readonly Refusal[] };

export type RoundStep = {
  readonly round: Round;
  /** Leases that must be in the ledger before any effect is carried out. */
  readonly granted: readonly Lease[];
  readonly effects: readonly RoundEffect[];
};

/** A member whose lease moved more often than this is given up for the attempt. */
export const MAX_LEASE_MOVES = 3;
/** Partials of one combiner that may be refused in one attempt before its members are given up. */
export const MAX_PARTIAL_REFUSALS = 2;
/** How long a combiner may take to deliver its partial. */
export const MERGE_TIMEOUT_MS = 300_000;

/** Pure: the round after the event, and what is to be done about it. */
export function stepRound(round: Round, event: RoundEvent, untrustedNowMs: UnixMs): RoundStep {
  if (round.status === "optimizing") return stay(round);
  switch (event.kind) {
    case "update-folded":
      return isCurrent(round, event) && leased(round, event.combiner).includes(event.member)
        ? fold(round, event, untrustedNowMs)
        : stay(round);
    case "round-reported":
      return isCurrent(round, event) ? report(round, event, untrustedNowMs) : stay(round);
    case "member-gave-up":
      return leaseHolder(round, event.member) === event.combiner
        ? giveUp(round, event.member, event.reasons, untrustedNowMs)
        : stay(round);
    case "client-attended":
      return attend(round, event.combiner, event.member, untrustedNowMs);
    case "combiner-restarted":
      return restartCombiner(round, event.combiner);
    case "combiner-lost":
      return settle(loseCombiner(round, event.combiner), untrustedNowMs);
    case "partial-admitted":
      return admitPartial(round, event.combiner, event.partial, untrustedNowMs);
    case "partial-refused":
      return isCurrent(round, event) ? doubt(round, event.combiner, untrustedNowMs) : stay(round);
    case "tick":
      return settle(
        untrustedNowMs < round.mergeDeadlineMs ? round : loseLate(round),
        untrustedNowMs,
      );
  }
}

/** Grants every listed member to its combiner, one new epoch per combiner touched. */
export function grantLeases(
  round: Round,
  places: readonly { readonly member: Name; readonly combiner: Name }[],
): RoundStep {
  const members = new Map<Name, Set<Name>>();
  for (const { member, combiner } of places) {
    const set = members.get(combiner) ?? new Set(leased(round, combiner));
    members.set(combiner, set.add(member));
  }
  return changeLeases(round, members);
}

/** The next instant at which "tick" may change something. */
export function roundWakesAtMs(round: Round): UnixMs {
  switch (round.status) {
    case "training":
      return round.deadlineMs;
    case "merging":
      return round.mergeDeadlineMs;
    case "optimizing":
      return NO_DEADLINE;
  }
}

const stay = (round: Round): RoundStep => ({ round, granted: [], effects: [] });

/** A combiner whose first fold is heard of while the others deliver was not asked to close: it is now. */
function fold(
  round: Round,
  event: Extract<RoundEvent, { kind: "update-folded" }>,
  untrustedNowMs: UnixMs,
): RoundStep {
  const { combiner, leaseEpoch } = event;
  const wasEmpty = (round.folds.get(combiner)?.size ?? 0) === 0;
  const step = settle(withFold(round, combiner, event.member, event.fold), untrustedNowMs);
  if (!wasEmpty || round.status !== "merging" || step.round.status !== "merging") return step;
  return { ...step, effects: [...step.effects, { kind: "close-combiner", combiner, leaseEpoch }] };
}

/** A report answers a lease that was sent again, so a combiner that was asked to close is asked once more. */
function report(
  round: Round,
  event: Extract<RoundEvent, { kind: "round-reported" }>,
  untrustedNowMs: UnixMs,
): RoundStep {
  const { combiner, leaseEpoch } = event;
  const reported = withReport(round, combiner, event.folded);
  const step = settle(reported, untrustedNowMs);
  const asksAgain = round.status === "merging" && undelivered(step.round).includes(combiner);
  if (!asksAgain || step.round.status !== "merging") return step;
  return { ...step, effects: [...step.effects, { kind: "close-combiner", combiner, leaseEpoch }] };
}

function giveUp(
  round: Round,
  member: Name,
  reasons: readonly Refusal[],
  untrustedNowMs: UnixMs,
): RoundStep {
  if (!round.cohort.has(member) || foldedMembers(round).has(member)) return stay(round);
  return settle({ ...round, gaveUp: new Map(round.gaveUp).set(member, reasons) }, untrustedNowMs);
}

function attend(round: Round, combiner: Name, member: Name, untrustedNowMs: UnixMs): RoundStep {
  // While combiners deliver, a member that has not folded is too late; moving its lease would void their partials.
  if (round.status !== "training") return stay(round);
  if (!round.cohort.has(member) || round.gaveUp.has(member)) return stay(round);
  const holder = leaseHolder(round, member);
  if (holder === combiner || foldedMembers(round).has(member)) return stay(round);
  const moves = (round.moveCounts.get(member) ?? 0) + (holder === undefined ? 0 : 1);
  if (moves > MAX_LEASE_MOVES) {
    const reason = refusal("too-many-moves", moves, `at most ${MAX_LEASE_MOVES} combiners a round`);
    return giveUp(round, member, [reason], untrustedNowMs);
  }
  const changed = new Map([[combiner, new Set([...leased(round, combiner), member])]]);
  if (holder !== undefined) {
    changed.set(holder, new Set(leased(round, holder).filter((each) => each !== member)));
  }
  const moved = { ...round, moveCounts: new Map(round.moveCounts).set(member, moves) };
  return changeLeases(moved, changed);
}

/** The same members under a new epoch: whatever the combiner's former process still sends is void. */
function restartCombiner(round: Round, combiner: Name): RoundStep {
  const lease = round.leases.get(combiner);
  if (lease === undefined) return stay(round);
  return changeLeases(dropWork(round, combiner), new Map([[combiner, new Set(lease.members)]]));
}

function loseLate(round: Round): Round {
  return undelivered(round).reduce((lost, combiner) => loseCombiner(lost, combiner), round);
}

function doubt(round: Round, combiner: Name, untrustedNowMs: UnixMs): RoundStep {
  const count = (round.doubtCounts.get(combiner) ?? 0) + 1;
  const doubted = { ...round, doubtCounts: new Map(round.doubtCounts).set(combiner, count) };
  if (count < MAX_PARTIAL_REFUSALS) return restartCombiner(doubted, combiner);
  const reason = refusal("combiner-doubtful", combiner, "a combiner whose partials are admitted");
  const gaveUp = new Map(doubted.gaveUp);
  for (const member of leased(doubted, combiner)) gaveUp.set(member, [reason]);
  return settle(loseCombiner({ ...doubted, gaveUp }, combiner), untrustedNowMs);
}

function admitPartial(
  round: Round,
  combiner: Name,
  partial: AdmittedPartial,
  untrustedNowMs: UnixMs,
): RoundStep {
  if (
    round.status !== "merging" ||
    !isCurrent(round, { combiner, leaseEpoch: partial.leaseEpoch })
  ) {
    return stay(round);
  }
  const folds = new Map(
    partial.updates.map(({ member, exampleCount, sizeBytes }) => [
      member,
      { exampleCount, sizeBytes },
    ]),
  );
  const admitted = {
    ...round,
    folds: new Map(round.folds).set(combiner, folds),
    partials: new Map(round.partials).set(combiner, partial),
  };
  return settle(admitted, untrustedNowMs);
}

function changeLeases(round: Round, members: ReadonlyMap<Name, ReadonlySet<Name>>): RoundStep {
  let changed = round;
  const granted: Lease[] = [];
  for (const [combiner, set] of members) {
    const before = leased(changed, combiner);
    const keepsAll = before.every((member) => set.has(member));
    const lease = {
      combiner,
      leaseEpoch: changed.lastLeaseEpoch + 1,
      members: [...set].sort(),
    };
    granted.push(lease);
    // A partial of the former epoch is void; folds stay only where nobody left.
    const partials = new Map(changed.partials);
    partials.delete(combiner);
    const folds = new Map(changed.folds);
    if (!keepsAll) folds.delete(combiner);
    changed = {
      ...changed,
      partials,
      folds,
      leases: new Map(changed.leases).set(combiner, lease),
      lastLeaseEpoch: lease.leaseEpoch,
      status: "training",
      mergeDeadlineMs: NO_DEADLINE,
    };
  }
  const effects = granted.map(({ combiner }) => ({ kind: "send-lease", combiner }) as const);
  return { round: changed, granted, effects };
}

/** Whether there is anything left to wait for; if not, close, merge or fail. */
function settle(round: Round, untrustedNowMs: UnixMs): RoundStep {
  if (round.status === "merging") return settleMerging(round, untrustedNowMs);
  const foldedCount = foldedMembers(round).size;
  const folded = foldedMembers(round);
  const outstanding = [...round.cohort].filter((m) => !folded.has(m) && !round.gaveUp.has(m));
  const reachable = foldedCount + outstanding.length;
  if (reachable < round.quorumCount) return fail(round, foldedCount);
  const closes =
    foldedCount >= round.wantedCount ||
    outstanding.length === 0 ||
    untrustedNowMs >= round.deadlineMs;
  if (!closes) return stay(round);
  if (foldedCount < round.quorumCount) return fail(round, foldedCount);
  return startMerge(round, untrustedNowMs);
}

function startMerge(round: Round, untrustedNowMs: UnixMs): RoundStep {
  const merging: Round = {
    ...round,
    status: "merging",
    mergeDeadlineMs: (untrustedNowMs + MERGE_TIMEOUT_MS) as UnixMs,
  };
  const effects: RoundEffect[] = undelivered(merging).map((combiner) => ({
    kind: "close-combiner",
    combiner,
    leaseEpoch: merging.leases.get(combiner)?.leaseEpoch ?? 0,
  }));
  const step = settleMerging(merging, untrustedNowMs);
  return { ...step, effects: [...effects, ...step.effects] };
}

function settleMerging(round: Round, untrustedNowMs: UnixMs): RoundStep {
  if (foldedMembers(round).size < round.quorumCount) {
    return settle({ ...round, status: "training", mergeDeadlineMs: NO_DEADLINE }, untrustedNowMs);
  }
  if (undelivered(round).length > 0) return stay(round);
  const effect: RoundEffect = { kind: "merge", combiners: [...round.partials.keys()].sort() };
  return { round: { ...round, status: "optimizing" }, granted: [], effects: [effect] };
}

function fail(round: Round, foldedCount: number): RoundStep {
  const reasons = [...round.gaveUp.values()].flat().slice(0, 16);
  const quorum = refusal("quorum-not-met", foldedCount, `${round.quorumCount} updates`);
  return { round, granted: [], effects: [{ kind: "fail", reasons: [quorum, ...reasons] }] };
}
