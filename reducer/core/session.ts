/** Sessions: selecting a cohort, carrying a round's steps into the ledger, committing, validating, ending. */
import type { Digest, Name, SessionId, UnixMs } from "../../lib/base/ids.ts";
import { assertInvariant, type Refusal, refusal } from "../../lib/base/refusal.ts";
import { type RoundKey, sameRound } from "../../lib/base/round-key.ts";
import type { Draft, StoredModel } from "./draft.ts";
import type { Lease } from "./events.ts";
import { attendance, type LiveSession, VALIDATION_TIMEOUT_MS, withLiveSession } from "./live.ts";
import {
  grantLeases,
  type RoundEvent,
  type RoundStep,
  roundWakesAtMs,
  stepRound,
} from "./round.ts";
import { beginRound, leaseHolders, type Round } from "./round-state.ts";
import { selectCohort } from "./selection.ts";
import type { SessionRecord } from "./state.ts";

const NEVER = Number.MAX_SAFE_INTEGER;

/** A running session of a restarted reducer: its open round goes on, with its whole deadline anew. */
export function resumeSession(session: SessionRecord, untrustedNowMs: UnixMs): LiveSession {
  const last = session.rounds.at(-1);
  if (last?.status === "open") {
    const key = { sessionId: session.sessionId, round: last.round, attempt: last.attempt };
    const deadlineMs = (untrustedNowMs + session.settings.roundDeadlineMs) as UnixMs;
    const { cohort, wantedCount, leases } = last;
    const { quorumCount } = session.settings;
    return { round: beginRound({ key, cohort, wantedCount, quorumCount, deadlineMs, leases }) };
  }
  return last?.status === "committed" && session.settings.validate
    ? { validation: beginValidation(last.round, session.modelHash, untrustedNowMs) }
    : {};
}

/** The next instant at which "tick" may change something. Only the last model's validation is waited for. */
export function sessionWakesAtMs(
  { committedRounds, settings }: SessionRecord,
  { round, validation }: LiveSession,
): number {
  if (round !== undefined) return roundWakesAtMs(round);
  return committedRounds < settings.rounds ? NEVER : (validation?.deadlineMs ?? NEVER);
}

/** Opens the next attempt when enough clients attend; ends the session when its last model has been validated. */
export function advanceSession(draft: Draft, sessionId: SessionId): void {
  const session = draft.state.sessions.get(sessionId);
  if (session?.status !== "running") return;
  const live = draft.live.sessions.get(sessionId) ?? {};
  draft.live = withLiveSession(draft.live, sessionId, live);
  if (live.round !== undefined) return;
  if (session.committedRounds >= session.settings.rounds) {
    if (validationIsOver(draft, session, live)) endSession(draft, sessionId, "finished", []);
    return;
  }
  const round = session.committedRounds + 1;
  const last = session.rounds.at(-1);
  const attempt = last?.round === round ? last.attempt + 1 : 1;
  const places = attendance(draft.live);
  const cohort = selectCohort(session.settings, round, attempt, [...places.keys()]);
  if (cohort === undefined) return;
  openRound(draft, session, { sessionId, round, attempt }, cohort, places);
}

/** Applies one event to the round it names; an event of another attempt is of the past and changes nothing. */
export function stepLiveRound(draft: Draft, key: RoundKey, event: RoundEvent): void {
  const round = openRoundOf(draft, key);
  if (round !== undefined) take(draft, stepRound(round, event, draft.nowMs));
}

/** A client came to a combiner: its lease follows it, and the newest model awaits its validation. */
export function clientArrived(
  draft: Draft,
  sessionId: SessionId,
  combiner: Name,
  member: Name,
): void {
  const { round } = draft.live.sessions.get(sessionId) ?? {};
  if (round !== undefined) {
    stepLiveRound(draft, round.key, { kind: "client-attended", combiner, member });
  }
  orderValidation(draft, sessionId, new Map([[member, combiner]]));
}

/**
 * Leases follow attendance after a combiner's work was lost: members that had folded there and attend elsewhere by now
 * were left alone while their folds counted.
 */
export function realign(draft: Draft, sessionId: SessionId): void {
  const { round } = draft.live.sessions.get(sessionId) ?? {};
  if (round === undefined) return;
  const places = attendance(draft.live);
  const holders = leaseHolders(round);
  for (const member of round.cohort) {
    const combiner = places.get(member);
    if (combiner === undefined || holders.get(member) === combiner) continue;
    stepLiveRound(draft, round.key, { kind: "client-attended", combiner, member });
  }
}

/** The merged model is stored: the round is committed, its members may forget, the next one begins. */
export function commitRound(draft: Draft, key: RoundKey, model: StoredModel): void {
  const round = openRoundOf(draft, key);
  const session = draft.state.sessions.get(key.sessionId);
  if (round?.status !== "optimizing" || session === undefined) return;
  const partials = [...round.partials.values()];
  const updates = partials
    .flatMap((partial) => partial.updates)
    .sort((a, b) => (a.member < b.member ? -1 : 1));
  draft.record({
    kind: "round-committed",
    ...key,
    ...model,
    parentModelHash: session.modelHash,
    weightSum: partials.reduce((sum, partial) => sum + partial.weightSum, 0),
    updates,
    atMs: draft.nowMs,
  });
  const validation = beginValidation(key.round, model.modelHash, draft.nowMs);
  draft.live = withLiveSession(
    draft.live,
    key.sessionId,
    session.settings.validate ? { validation } : {},
  );
  draft.effects.push({ kind: "drop-partials", key });
  draft.broadcast({ kind: "commit-notice", key, modelHash: model.modelHash });
  orderValidation(draft, key.sessionId, attendance(draft.live));
  advanceSession(draft, key.sessionId);
}

/** The attempt is over without a model; the next one begins, or the session fails after the last. */
export function failRound(draft: Draft, key: RoundKey, reasons: readonly Refusal[]): void {
  const round = openRoundOf(draft, key);
  const session = draft.state.sessions.get(key.sessionId);
  if (round === undefined || session === undefined) return;
  draft.record({ kind: "round-failed", ...key, reasons, atMs: draft.nowMs });
  const { round: _, ...rest } = draft.live.sessions.get(key.sessionId) ?? {};
  draft.live = withLiveSession(draft.live, key.sessionId, rest);
  draft.effects.push({ kind: "drop-partials", key });
  const reason = reasons[0] ?? refusal("round-failed", "no reason", "a reason");
  draft.broadcast({ kind: "abort-round", key, reason });
  if (key.attempt >= session.settings.maxAttempts) {
    const spent = refusal("attempts-spent", key.attempt, `a model within ${key.attempt} attempts`);
    endSession(draft, key.sessionId, "failed", [spent, ...reasons].slice(0, 16));
  } else {
    advanceSession(draft, key.sessionId);
  }
}

/** Records the end; combiners drop what is under way. Final. */
export function endSession(
  draft: Draft,
  sessionId: SessionId,
  status: "finished" | "stopped" | "failed",
  reasons: readonly Refusal[],
): void {
  const session = draft.state.sessions.get(sessionId);
  if (session?.status !== "running") return;
  const { round } = draft.live.sessions.get(sessionId) ?? {};
  draft.record({ kind: "session-ended", sessionId, status, reasons, atMs: draft.nowMs });
  draft.live = withLiveSession(draft.live, sessionId, undefined);
  if (round !== undefined) {
    const { key } = round;
    draft.effects.push({ kind: "drop-partials", key });
    const reason = reasons[0] ?? refusal("session-ended", status, "running");
    draft.broadcast({ kind: "abort-round", key, reason });
  }
}

/** One report a member, of a committed round's own model; anything else is ignored, validation never fails a round. */
export function recordValidation(
  draft: Draft,
  report: {
    readonly sessionId: SessionId;
    readonly round: number;
    readonly modelHash: Digest;
    readonly member: Name;
    readonly exampleCount: number;
    readonly metrics: Readonly<Record<string, number>>;
  },
): void {
  const session = draft.state.sessions.get(report.sessionId);
  const record = session?.rounds.find((r) => r.round === report.round && r.status === "committed");
  const expected = record?.committed?.modelHash === report.modelHash;
  if (!expected || session?.status !== "running" || record.validations.has(report.member)) return;
  const { sessionId, round, modelHash, member, exampleCount, metrics } = report;
  draft.record({
    kind: "model-validated",
    sessionId,
    round,
    modelHash,
    member,
    exampleCount,
    metrics,
    atMs: draft.nowMs,
  });
  advanceSession(draft, sessionId);
}

function openRound(
  draft: Draft,
  session: SessionRecord,
  key: RoundKey,
  cohort: { readonly members: readonly Name[]; readonly wantedCount: number },
  places: ReadonlyMap<Name, Name>,
): void {
  draft.record({
    kind: "round-opened",
    ...key,
    baseModelHash: session.modelHash,
    wantedCount: cohort.wantedCount,
    cohort: cohort.members,
    atMs: draft.nowMs,
  });
  const round = beginRound({
    key,
    cohort: cohort.members,
    wantedCount: cohort.wantedCount,
    quorumCount: session.settings.quorumCount,
    deadlineMs: (draft.nowMs + session.settings.roundDeadlineMs) as UnixMs,
    leases: new Map(),
  });
  const located = cohort.members.map((member) => {
    const combiner = places.get(member);
    assertInvariant(combiner !== undefined, "a selected member attends a combiner");
    return { member, combiner };
  });
  take(draft, grantLeases(round, located));
}

function take(draft: Draft, step: RoundStep): void {
  const { key } = step.round;
  const live = draft.live.sessions.get(key.sessionId) ?? {};
  draft.live = withLiveSession(draft.live, key.sessionId, { ...live, round: step.round });
  if (step.granted.length > 0) {
    draft.record({ kind: "leases-granted", ...key, leases: step.granted });
  }
  for (const effect of step.effects) {
    switch (effect.kind) {
      case "send-lease":
        sendLease(draft, step.round, step.round.leases.get(effect.combiner));
        break;
      case "close-combiner": {
        const { combiner, leaseEpoch } = effect;
        draft.send(combiner, { kind: "close-round", key, leaseEpoch });
        break;
      }
      case "merge":
        draft.effects.push({ kind: "merge", key, combiners: effect.combiners });
        break;
      case "fail":
        failRound(draft, key, effect.reasons);
        break;
    }
  }
}

function sendLease(draft: Draft, round: Round, lease: Lease | undefined): void {
  if (lease === undefined) return;
  const { key, deadlineMs } = round;
  draft.send(lease.combiner, { kind: "open-round", key, lease, deadlineMs });
}

function openRoundOf(draft: Draft, key: RoundKey): Round | undefined {
  const round = draft.live.sessions.get(key.sessionId)?.round;
  return round !== undefined && sameRound(round.key, key) ? round : undefined;
}

const beginValidation = (round: number, modelHash: Digest, untrustedNowMs: UnixMs) => ({
  round,
  modelHash,
  ordered: new Set<Name>(),
  deadlineMs: (untrustedNowMs + VALIDATION_TIMEOUT_MS) as UnixMs,
});

/** Orders the newest model's validation from the members that attend and have not reported. */
function orderValidation(
  draft: Draft,
  sessionId: SessionId,
  places: ReadonlyMap<Name, Name>,
): void {
  const live = draft.live.sessions.get(sessionId);
  const validation = live?.validation;
  if (live === undefined || validation === undefined) return;
  const reported = validationsOf(draft.state.sessions.get(sessionId), validation.round);
  const byCombiner = new Map<Name, Name[]>();
  for (const [member, combiner] of places) {
    if (reported.has(member)) continue;
    byCombiner.set(combiner, [...(byCombiner.get(combiner) ?? []), member]);
  }
  const { round, modelHash } = validation;
  for (const [combiner, members] of byCombiner) {
    draft.send(combiner, { kind: "validate-model", sessionId, round, modelHash, members });
  }
  const ordered = new Set([...validation.ordered, ...places.keys()]);
  const session = { ...live, validation: { ...validation, ordered } };
  draft.live = withLiveSession(draft.live, sessionId, session);
}

/** Over when every attending client has reported and the session's usual number did, or time is up. */
function validationIsOver(draft: Draft, session: SessionRecord, live: LiveSession): boolean {
  const { validation } = live;
  if (validation === undefined || draft.nowMs >= validation.deadlineMs) return true;
  const reported = validationsOf(session, validation.round);
  const attending = [...attendance(draft.live).keys()];
  return (
    reported.size >= session.settings.minClients &&
    attending.every((member) => reported.has(member))
  );
}

function validationsOf(
  session: SessionRecord | undefined,
  round: number,
): ReadonlyMap<Name, unknown> {
  const record = session?.rounds.find(
    (each) => each.round === round && each.status === "committed",
  );
  return record?.validations ?? new Map();
}
