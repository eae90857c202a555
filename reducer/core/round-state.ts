/** One attempt at one round as the core holds it: what is leased, folded, given up and delivered. */
import type { Name, UnixMs } from "../../lib/base/ids.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { CommittedUpdate, Lease } from "./events.ts";

export type Fold = { readonly exampleCount: number; readonly sizeBytes: number };

export type AdmittedPartial = {
  readonly leaseEpoch: number;
  readonly weightSum: number;
  /** Sorted by member. */
  readonly updates: readonly CommittedUpdate[];
};

export type Round = {
  readonly key: RoundKey;
  readonly status: "training" | "merging" | "optimizing";
  readonly cohort: ReadonlySet<Name>;
  readonly wantedCount: number;
  readonly quorumCount: number;
  readonly deadlineMs: UnixMs;
  /** When merging, the instant after which a combiner that has not delivered is given up. */
  readonly mergeDeadlineMs: UnixMs;
  readonly leases: ReadonlyMap<Name, Lease>;
  readonly lastLeaseEpoch: number;
  /** By combiner, then by member; of its current lease epoch. */
  readonly folds: ReadonlyMap<Name, ReadonlyMap<Name, Fold>>;
  /** Members that will not deliver in this attempt, and why. */
  readonly gaveUp: ReadonlyMap<Name, readonly Refusal[]>;
  readonly partials: ReadonlyMap<Name, AdmittedPartial>;
  /** How often a member's lease moved; bounded, or one member could void others' work for ever. */
  readonly moveCounts: ReadonlyMap<Name, number>;
  /** How often a combiner's partial was refused. */
  readonly doubtCounts: ReadonlyMap<Name, number>;
};

/** Of a round that is not merging. */
export const NO_DEADLINE = Number.MAX_SAFE_INTEGER as UnixMs;

/** A round whose cohort was just selected. Leases are granted member by member to the combiner each attends. */
export function beginRound(
  given: Pick<Round, "key" | "wantedCount" | "quorumCount" | "deadlineMs"> & {
    readonly cohort: readonly Name[];
    /** Leases already in the ledger, when a restarted reducer takes the round up again. */
    readonly leases: ReadonlyMap<Name, Lease>;
  },
): Round {
  const epochs = [...given.leases.values()].map((lease) => lease.leaseEpoch);
  return {
    ...given,
    cohort: new Set(given.cohort),
    status: "training",
    mergeDeadlineMs: NO_DEADLINE,
    lastLeaseEpoch: Math.max(0, ...epochs),
    folds: new Map(),
    gaveUp: new Map(),
    partials: new Map(),
    moveCounts: new Map(),
    doubtCounts: new Map(),
  };
}

/** Members that have folded, each once. */
export function foldedMembers(round: Round): ReadonlyMap<Name, Fold> {
  return new Map([...round.folds.values()].flatMap((folds) => [...folds]));
}

/** The combiner each leased member's update belongs to. */
export function leaseHolders(round: Pick<Round, "leases">): ReadonlyMap<Name, Name> {
  const leases = [...round.leases.values()];
  return new Map(leases.flatMap(({ members, combiner }) => members.map((m) => [m, combiner])));
}

/** The combiner a member's update belongs to, if it is leased. */
export function leaseHolder(round: Round, member: Name): Name | undefined {
  for (const lease of round.leases.values()) {
    if (lease.members.includes(member)) return lease.combiner;
  }
  return undefined;
}

/** The members a combiner may fold. */
export const leased = (round: Round, combiner: Name): readonly Name[] =>
  round.leases.get(combiner)?.members ?? [];

/** Whether a lease epoch is the one its combiner has now. */
export const isCurrent = (round: Round, of: { combiner: Name; leaseEpoch: number }): boolean =>
  round.leases.get(of.combiner)?.leaseEpoch === of.leaseEpoch;

/** Counts a member as folded at a combiner. */
export function withFold(round: Round, combiner: Name, member: Name, fold: Fold): Round {
  const folds = new Map(round.folds.get(combiner)).set(member, fold);
  return { ...round, folds: new Map(round.folds).set(combiner, folds) };
}

/** The combiner's own word replaces what was heard before: it alone knows what its sums hold. */
export function withReport(round: Round, combiner: Name, folded: readonly Name[]): Round {
  const before = round.folds.get(combiner);
  const members = folded.filter((member) => leased(round, combiner).includes(member));
  const unknown: Fold = { exampleCount: 0, sizeBytes: 0 };
  const folds = new Map(members.map((member) => [member, before?.get(member) ?? unknown]));
  return { ...round, folds: new Map(round.folds).set(combiner, folds) };
}

/** Its members are free to be leased elsewhere when they attend there. */
export function loseCombiner(round: Round, combiner: Name): Round {
  const leases = new Map(round.leases);
  leases.delete(combiner);
  return { ...dropWork(round, combiner), leases };
}

/** What a combiner folded or delivered does not count any more; the round collects again. */
export function dropWork(round: Round, combiner: Name): Round {
  const folds = new Map(round.folds);
  const partials = new Map(round.partials);
  folds.delete(combiner);
  partials.delete(combiner);
  return { ...round, folds, partials, status: "training", mergeDeadlineMs: NO_DEADLINE };
}

/** Combiners that hold folded updates and whose partial is not in. */
export const undelivered = (round: Round): readonly Name[] =>
  [...round.folds]
    .filter(([combiner, folds]) => folds.size > 0 && !round.partials.has(combiner))
    .map(([combiner]) => combiner)
    .sort();
