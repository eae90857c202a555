/** What the reducer observes and forgets when it stops: who is attached, who attends where, rounds under way. */
import type { Digest, Name, SessionId, UnixMs } from "../../lib/base/ids.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import type { Round } from "./round-state.ts";

export type LiveCombiner = {
  readonly combiner: Name;
  /** Absent while its stream is down; it is given up at the end of the grace. */
  readonly attached?: {
    readonly address: string;
    readonly spkiDigest: Digest;
    readonly maxClients: number;
    readonly attending: ReadonlySet<Name>;
  };
  /** Hex of the process's random id; unknown after a restart of the reducer. */
  readonly instanceId?: string;
  readonly detachedAtMs: UnixMs;
};

export type Assignment = {
  readonly combiner: Name;
  readonly epoch: number;
};

/** Validation of the newest committed model of a session. */
export type LiveValidation = {
  readonly round: number;
  readonly modelHash: Digest;
  readonly ordered: ReadonlySet<Name>;
  readonly deadlineMs: UnixMs;
};

export type LiveSession = {
  readonly round?: Round;
  readonly validation?: LiveValidation;
};

export type LiveState = {
  readonly combiners: ReadonlyMap<Name, LiveCombiner>;
  readonly assignments: ReadonlyMap<Name, Assignment>;
  readonly sessions: ReadonlyMap<SessionId, LiveSession>;
};

/** What is known of others after a start: nothing, until they attach and report. */
export const emptyLive: LiveState = {
  combiners: new Map(),
  assignments: new Map(),
  sessions: new Map(),
};

/** How long a combiner may be away before its members are leased elsewhere. */
export const COMBINER_GRACE_MS = 5_000;
/** How long the last model's validation may hold up the end of a session. */
export const VALIDATION_TIMEOUT_MS = 60_000;

/**
 * Every client that attends an attached combiner, with that combiner, sorted by client. Where two claim a client, one
 * has not noticed yet that it left: the one it was assigned to is believed.
 */
export function attendance(live: LiveState): ReadonlyMap<Name, Name> {
  const places = new Map<Name, Name>();
  for (const { combiner, attached } of live.combiners.values()) {
    for (const member of attached?.attending ?? []) {
      const assigned = live.assignments.get(member)?.combiner;
      if (!places.has(member) || assigned === combiner) places.set(member, combiner);
    }
  }
  return new Map([...places].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Changes who attends a combiner; nothing if it is not attached. */
export function withAttendance(
  live: LiveState,
  combiner: Name,
  change: (attending: Set<Name>) => void,
): LiveState {
  const before = live.combiners.get(combiner);
  if (before?.attached === undefined) return live;
  const attending = new Set(before.attached.attending);
  change(attending);
  return withCombiner(live, { ...before, attached: { ...before.attached, attending } });
}

/** Replaces what is known of a combiner. */
export function withCombiner(live: LiveState, combiner: LiveCombiner): LiveState {
  return { ...live, combiners: new Map(live.combiners).set(combiner.combiner, combiner) };
}

/** Forgets a combiner and who attended it. */
export function withoutCombiner(live: LiveState, combiner: Name): LiveState {
  const combiners = new Map(live.combiners);
  combiners.delete(combiner);
  return { ...live, combiners };
}

/** Replaces what is under way in a session. */
export function withLiveSession(
  live: LiveState,
  sessionId: SessionId,
  session: LiveSession | undefined,
): LiveState {
  const sessions = new Map(live.sessions);
  if (session === undefined) sessions.delete(sessionId);
  else sessions.set(sessionId, session);
  return { ...live, sessions };
}

/**
 * Which combiner a client attends next: the one it has while that is attached and reachable, else the attached one
 * with the fewest assigned clients.
 */
export function assign(
  live: LiveState,
  member: Name,
  unreachable: Name | undefined,
): { readonly assignment: Assignment } | { readonly refusals: readonly Refusal[] } {
  const loads = new Map<Name, number>();
  for (const [each, { combiner }] of live.assignments) {
    if (each !== member) loads.set(combiner, (loads.get(combiner) ?? 0) + 1);
  }
  const open = [...live.combiners.values()].filter(
    ({ combiner, attached }) =>
      attached !== undefined && (loads.get(combiner) ?? 0) < attached.maxClients,
  );
  const preferred = open.filter(({ combiner }) => combiner !== unreachable);
  const candidates = preferred.length > 0 ? preferred : open;
  const current = live.assignments.get(member);
  const chosen =
    candidates.find(({ combiner }) => combiner === current?.combiner) ??
    candidates
      .map(({ combiner }) => ({ combiner, load: loads.get(combiner) ?? 0 }))
      .sort((a, b) => a.load - b.load || (a.combiner < b.combiner ? -1 : 1))[0];
  if (chosen === undefined) {
    return {
      refusals: [
        refusal("no-combiner", `${live.combiners.size} known`, "an attached combiner with room"),
      ],
    };
  }
  return { assignment: { combiner: chosen.combiner, epoch: (current?.epoch ?? 0) + 1 } };
}
