/**
 * The reducer's decisions, whole: an input and the time in, ledger events and effects out. The caller appends the
 * events before it carries out the effects; if it cannot append, it must stop, and a restart resumes from the ledger.
 */
import type { Digest, Name, SessionId, UnixMs } from "../../lib/base/ids.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import { type Coordinator, Draft, type Effect, type StoredModel } from "./draft.ts";
import type { LedgerEvent } from "./events.ts";
import {
  type Assignment,
  attendance,
  COMBINER_GRACE_MS,
  emptyLive,
  withAttendance,
  withCombiner,
  withLiveSession,
  withoutCombiner,
} from "./live.ts";
import type { AdmittedPartial, Fold } from "./round-state.ts";
import {
  advanceSession,
  clientArrived,
  commitRound,
  endSession,
  failRound,
  realign,
  recordValidation,
  resumeSession,
  sessionWakesAtMs,
  stepLiveRound,
} from "./session.ts";
import { type FederationState, memberKey } from "./state.ts";

export type Input =
  | {
      readonly kind: "combiner-attached";
      readonly combiner: Name;
      readonly address: string;
      readonly spkiDigest: Digest;
      readonly instanceId: string;
      readonly maxClients: number;
      readonly attending: readonly Name[];
    }
  | { readonly kind: "combiner-detached"; readonly combiner: Name }
  | { readonly kind: "client-attended"; readonly combiner: Name; readonly member: Name }
  | { readonly kind: "client-left"; readonly combiner: Name; readonly member: Name }
  | {
      readonly kind: "update-folded";
      readonly key: RoundKey;
      readonly combiner: Name;
      readonly leaseEpoch: number;
      readonly member: Name;
      readonly fold: Fold;
    }
  | {
      readonly kind: "round-reported";
      readonly key: RoundKey;
      readonly combiner: Name;
      readonly leaseEpoch: number;
      readonly folded: readonly Name[];
    }
  | {
      readonly kind: "member-gave-up";
      readonly key: RoundKey;
      readonly combiner: Name;
      readonly member: Name;
      readonly reasons: readonly Refusal[];
    }
  | {
      readonly kind: "partial-admitted";
      readonly key: RoundKey;
      readonly combiner: Name;
      readonly partial: AdmittedPartial;
    }
  | {
      readonly kind: "partial-refused";
      readonly key: RoundKey;
      readonly combiner: Name;
      readonly leaseEpoch: number;
    }
  | { readonly kind: "model-stored"; readonly key: RoundKey; readonly model: StoredModel }
  | { readonly kind: "merge-failed"; readonly key: RoundKey; readonly reasons: readonly Refusal[] }
  | {
      readonly kind: "model-validated";
      readonly sessionId: SessionId;
      readonly round: number;
      readonly modelHash: Digest;
      readonly member: Name;
      readonly exampleCount: number;
      readonly metrics: Readonly<Record<string, number>>;
    }
  | { readonly kind: "client-assigned"; readonly member: Name; readonly assignment: Assignment }
  | { readonly kind: "stop-session"; readonly sessionId: SessionId; readonly reason: Refusal }
  /** An event that needs no decision beyond the checks made when it was built. */
  | { readonly kind: "record"; readonly event: LedgerEvent }
  | { readonly kind: "tick" };

export type Step = {
  readonly coordinator: Coordinator;
  /** Already applied to the coordinator's state; to be appended before any effect. */
  readonly events: readonly LedgerEvent[];
  readonly effects: readonly Effect[];
};

/**
 * The coordinator of a restarted reducer: rounds that were open are taken up again under the leases they had, and
 * their combiners get the usual grace to come back.
 */
export function resume(state: FederationState, untrustedNowMs: UnixMs): Coordinator {
  let live = emptyLive;
  for (const session of state.sessions.values()) {
    if (session.status !== "running") continue;
    const resumed = resumeSession(session, untrustedNowMs);
    live = withLiveSession(live, session.sessionId, resumed);
    for (const combiner of resumed.round?.leases.keys() ?? []) {
      live = withCombiner(live, { combiner, detachedAtMs: untrustedNowMs });
    }
  }
  return { state, live };
}

/** The one function of the core: the same state, input and time give the same step. */
export function step(coordinator: Coordinator, input: Input, untrustedNowMs: UnixMs): Step {
  const draft = new Draft(coordinator, untrustedNowMs);
  take(draft, input);
  return {
    coordinator: { state: draft.state, live: draft.live },
    events: draft.events,
    effects: draft.effects,
  };
}

/** The next instant at which "tick" may change something; undefined when nothing waits for time. */
export function wakesAtMs({ state, live }: Coordinator): UnixMs | undefined {
  const instants: number[] = [];
  for (const [sessionId, session] of live.sessions) {
    const record = state.sessions.get(sessionId);
    if (record !== undefined) instants.push(sessionWakesAtMs(record, session));
  }
  for (const { attached, detachedAtMs } of live.combiners.values()) {
    if (attached === undefined) instants.push(detachedAtMs + COMBINER_GRACE_MS);
  }
  const next = Math.min(...instants);
  return next < Number.MAX_SAFE_INTEGER ? (next as UnixMs) : undefined;
}

function take(draft: Draft, input: Input): void {
  switch (input.kind) {
    case "combiner-attached":
      return attachCombiner(draft, input);
    case "combiner-detached":
      return detachCombiner(draft, input.combiner);
    case "client-attended":
      if (!isClient(draft, input.member)) return;
      draft.live = withAttendance(draft.live, input.combiner, (set) => set.add(input.member));
      return clientsArrived(draft, input.combiner, [input.member]);
    case "client-left":
      draft.live = withAttendance(draft.live, input.combiner, (set) => set.delete(input.member));
      // It may attend elsewhere for a while already, or have been the last one whose validation was awaited.
      return realignAll(draft);
    case "client-assigned": {
      const assignments = new Map(draft.live.assignments).set(input.member, input.assignment);
      draft.live = { ...draft.live, assignments };
      return;
    }
    case "update-folded":
    case "round-reported":
    case "member-gave-up":
    case "partial-admitted":
    case "partial-refused": {
      const { key, ...event } = input;
      stepLiveRound(draft, key, event);
      if (input.kind === "round-reported" || input.kind === "partial-refused") {
        realign(draft, key.sessionId);
      }
      return;
    }
    case "model-stored":
      return commitRound(draft, input.key, input.model);
    case "merge-failed":
      return failRound(draft, input.key, input.reasons);
    case "model-validated":
      return recordValidation(draft, input);
    case "stop-session":
      return endSession(draft, input.sessionId, "stopped", [input.reason]);
    case "record":
      draft.record(input.event);
      if (input.event.kind === "session-started") advanceSession(draft, input.event.sessionId);
      return;
    case "tick":
      return tick(draft);
  }
}

function attachCombiner(draft: Draft, input: Extract<Input, { kind: "combiner-attached" }>): void {
  const { combiner, instanceId, address, spkiDigest, maxClients } = input;
  const before = draft.live.combiners.get(combiner);
  const attending = new Set(input.attending.filter((member) => isClient(draft, member)));
  draft.live = withCombiner(draft.live, {
    combiner,
    instanceId,
    detachedAtMs: draft.nowMs,
    attached: { address, spkiDigest, maxClients, attending },
  });
  const restarted = before?.instanceId !== undefined && before.instanceId !== instanceId;
  for (const [sessionId, live] of draft.live.sessions) {
    const lease = live.round?.leases.get(combiner);
    if (live.round !== undefined && lease !== undefined) {
      const { key, deadlineMs } = live.round;
      if (restarted) stepLiveRound(draft, key, { kind: "combiner-restarted", combiner });
      else draft.send(combiner, { kind: "open-round", key, lease, deadlineMs });
    }
    // This combiner may have missed it while it was away.
    const session = draft.state.sessions.get(sessionId);
    const committed = session?.rounds.findLast((round) => round.committed !== undefined)?.committed;
    if (committed !== undefined) {
      const { sessionId: _, round, attempt, modelHash } = committed;
      draft.send(combiner, {
        kind: "commit-notice",
        key: { sessionId, round, attempt },
        modelHash,
      });
    }
  }
  clientsArrived(draft, combiner, [...attending]);
}

/** A combiner can only bring clients that joined here. */
const isClient = (draft: Draft, member: Name): boolean =>
  draft.state.members.has(memberKey("client", member));

function detachCombiner(draft: Draft, combiner: Name): void {
  const before = draft.live.combiners.get(combiner);
  if (before?.attached === undefined) return;
  const { attached: _, ...rest } = before;
  draft.live = withCombiner(draft.live, { ...rest, detachedAtMs: draft.nowMs });
}

function clientsArrived(draft: Draft, combiner: Name, members: readonly Name[]): void {
  const places = attendance(draft.live);
  const arrived = members.filter((member) => places.get(member) === combiner);
  for (const sessionId of draft.live.sessions.keys()) {
    for (const member of arrived) clientArrived(draft, sessionId, combiner, member);
    advanceSession(draft, sessionId);
  }
}

function realignAll(draft: Draft): void {
  for (const sessionId of draft.live.sessions.keys()) {
    realign(draft, sessionId);
    advanceSession(draft, sessionId);
  }
}

function tick(draft: Draft): void {
  for (const { combiner, attached, detachedAtMs } of draft.live.combiners.values()) {
    const isLost = attached === undefined && draft.nowMs >= detachedAtMs + COMBINER_GRACE_MS;
    if (isLost) loseCombiner(draft, combiner);
  }
  for (const [sessionId, { round }] of draft.live.sessions) {
    if (round !== undefined) stepLiveRound(draft, round.key, { kind: "tick" });
    realign(draft, sessionId);
    advanceSession(draft, sessionId);
  }
}

function loseCombiner(draft: Draft, combiner: Name): void {
  draft.live = withoutCombiner(draft.live, combiner);
  for (const { round } of draft.live.sessions.values()) {
    if (round !== undefined) stepLiveRound(draft, round.key, { kind: "combiner-lost", combiner });
  }
}
