/**
 * The combiner's decisions, whole: an input and the time in, effects out. The same state, input and time give the same
 * step. The sums themselves live in the service; this knows exactly whose updates they hold.
 */
import type { Name, UnixMs } from "../../lib/base/ids.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import { type RoundKey, sameRound } from "../../lib/base/round-key.ts";
import { Draft } from "./draft.ts";
import { dropUnneededModels, giveUp, modelReady, modelUnusable, pushTasks } from "./models.ts";
import { takeOrder } from "./orders.ts";
import {
  isOutstanding,
  type RoundState,
  releaseRetries,
  retryLater,
  retryWakesAtMs,
  withFold,
  withoutTasked,
} from "./round.ts";
import {
  type CombinerState,
  type Effect,
  type Input,
  REDUCER_GRACE_MS,
  type StreamId,
  type Validation,
} from "./state.ts";
import {
  type AdmittedUpdate,
  appraiseOffer,
  isFaultOfMember,
  isTransient,
} from "./upload-admission.ts";

export type Step = { readonly state: CombinerState; readonly effects: readonly Effect[] };

/** The one function of the core: the same state, input and time give the same step. */
export function step(state: CombinerState, input: Input, untrustedNowMs: UnixMs): Step {
  const draft = new Draft(state, untrustedNowMs);
  take(draft, input);
  return { state: draft.state, effects: draft.effects };
}

/** The next instant at which "tick" may change something; undefined when nothing waits for time. */
export function wakesAtMs({ rounds, validations, reducer }: CombinerState): UnixMs | undefined {
  const instants: number[] = [...rounds.values()].map(retryWakesAtMs);
  for (const { expiresAtMs } of validations) instants.push(expiresAtMs);
  if (reducer.absence?.clientsSentAway === false) {
    instants.push(reducer.absence.sinceMs + REDUCER_GRACE_MS);
  }
  const next = Math.min(...instants);
  return next < Number.MAX_SAFE_INTEGER ? (next as UnixMs) : undefined;
}

function take(draft: Draft, input: Input): void {
  switch (input.kind) {
    case "order":
      draft.state = { ...draft.state, reducer: { attached: true } };
      return takeOrder(draft, input.order);
    case "reducer-attached":
      return attachReducer(draft);
    case "reducer-detached":
      return detachReducer(draft);
    case "client-attended":
      return attend(draft, input.member, input.stream);
    case "client-left":
      return leave(draft, input.member, input.stream);
    case "task-started": {
      const { key, member } = input;
      if (awaitedIn(draft, key, member) === undefined) return;
      return draft.tellReducer({ kind: "task-accepted", key, member });
    }
    case "task-failed": {
      const round = awaitedIn(draft, input.key, input.member);
      return round === undefined ? undefined : giveUp(draft, round, input.member, input.reasons);
    }
    case "model-validated":
      return recordValidation(draft, input);
    case "update-staged":
      return foldUpdate(draft, input.uploadId, input.update);
    case "upload-failed":
      return uploadFailed(draft, input.member, input.key, input.refusals);
    case "model-ready":
      return modelReady(draft, input.modelHash, input.updateSizeBytes);
    case "model-unusable":
      return modelUnusable(draft, input.modelHash, input.reasons);
    case "tick":
      return tick(draft);
    case "stopping":
      return sendAway(draft, refusal("shutting-down", "this combiner stops", "one that runs"));
  }
}

function attachReducer(draft: Draft): void {
  const { rounds, attending } = draft.state;
  const unconfirmed = [...rounds].map(
    ([id, round]) => [id, { ...round, confirmed: false }] as const,
  );
  const reducer = { ...draft.state.reducer, attached: true };
  draft.state = { ...draft.state, reducer, rounds: new Map(unconfirmed) };
  draft.tellReducer({ kind: "hello", attending: [...attending.keys()].sort() });
}

function detachReducer(draft: Draft): void {
  const { reducer } = draft.state;
  const absence = reducer.absence ?? { sinceMs: draft.nowMs, clientsSentAway: false };
  draft.state = { ...draft.state, reducer: { attached: false, absence } };
}

/** The newest stream of a member is the one that counts: the former may hang in a dead connection. */
function attend(draft: Draft, member: Name, stream: StreamId): void {
  const { attending, settings } = draft.state;
  const before = attending.get(member);
  if (before === undefined && attending.size >= settings.maxClients) {
    const reasons = [refusal("too-many-clients", attending.size + 1, settings.maxClients)];
    draft.effects.push({ kind: "end-stream", stream, reasons });
    return;
  }
  if (before !== undefined) {
    const reasons = [refusal("replaced", "a newer stream", "one stream a member")];
    draft.effects.push({ kind: "end-stream", stream: before, reasons });
  }
  draft.state = { ...draft.state, attending: new Map(attending).set(member, stream) };
  draft.sendTask([member], { kind: "welcome" });
  draft.tellReducer({ kind: "client-attended", member });
  for (const round of [...draft.state.rounds.values()]) {
    draft.setRound(withoutTasked(round, member));
    pushTasks(draft, round.key.sessionId, [member]);
  }
}

function leave(draft: Draft, member: Name, stream: StreamId): void {
  if (draft.state.attending.get(member) !== stream) return;
  const attending = new Map(draft.state.attending);
  attending.delete(member);
  draft.state = { ...draft.state, attending };
  setValidations(
    draft,
    draft.state.validations.map((each) => withoutAwaited(each, member)),
  );
  for (const round of [...draft.state.rounds.values()]) {
    draft.setRound(withoutTasked(round, member));
  }
  draft.tellReducer({ kind: "client-left", member });
}

/** Forwards one report a member, of a model it was asked to validate; anything else is ignored. */
function recordValidation(draft: Draft, input: Extract<Input, { kind: "model-validated" }>): void {
  const { member, report } = input;
  const validation = draft.state.validations.find(
    (each) =>
      each.sessionId === report.sessionId &&
      each.round === report.round &&
      each.modelHash === report.modelHash,
  );
  if (!validation?.awaited.has(member)) return;
  const changed = draft.state.validations.map((each) =>
    each === validation ? withoutAwaited(each, member) : each,
  );
  setValidations(draft, changed);
  draft.tellReducer({ kind: "client-validation", member, report });
}

/** The round may have closed, moved its lease or been replaced while the body came. */
function foldUpdate(draft: Draft, uploadId: number, update: AdmittedUpdate): void {
  const { member, key, signed, exampleCount, sizeBytes } = update;
  const round = draft.state.rounds.get(key.sessionId);
  const refusals = appraiseOffer(round, key, member);
  if (refusals.length > 0 || round === undefined) {
    draft.effects.push({ kind: "refuse-upload", uploadId, refusals });
    return uploadFailed(draft, member, key, refusals);
  }
  const { leaseEpoch, terms } = round;
  draft.setRound(withFold(round, member, { signed, exampleCount }));
  draft.effects.push({ kind: "fold", uploadId, key, terms, exampleCount });
  draft.tellReducer({ kind: "update-folded", key, leaseEpoch, member, sizeBytes, exampleCount });
}

/** @param refusals  none if the upload's stream broke */
function uploadFailed(
  draft: Draft,
  member: Name,
  key: RoundKey,
  refusals: readonly Refusal[],
): void {
  const round = awaitedIn(draft, key, member);
  if (round === undefined) return;
  if (!isTransient(refusals)) return giveUp(draft, round, member, refusals);
  const later = retryLater(round, member, isFaultOfMember(refusals), draft.nowMs);
  const spent = later.gaveUp.get(member);
  if (spent !== undefined) return giveUp(draft, round, member, spent);
  draft.setRound(later);
  if (refusals.length === 0) return;
  draft.tellReducer({ kind: "update-refused", key, member, reasons: refusals, final: false });
}

function tick(draft: Draft): void {
  for (const round of [...draft.state.rounds.values()]) {
    const released = releaseRetries(round, draft.nowMs);
    if (released === round) continue;
    draft.setRound(released);
    pushTasks(draft, round.key.sessionId);
  }
  const { reducer, validations } = draft.state;
  setValidations(
    draft,
    validations.filter(({ expiresAtMs }) => draft.nowMs < expiresAtMs),
  );
  const { absence } = reducer;
  if (absence === undefined || absence.clientsSentAway) return;
  if (draft.nowMs < absence.sinceMs + REDUCER_GRACE_MS) return;
  const sentAway = { ...absence, clientsSentAway: true };
  draft.state = { ...draft.state, reducer: { ...reducer, absence: sentAway } };
  const wanted = "a combiner that is attached to the reducer";
  sendAway(draft, refusal("reducer-away", `for ${REDUCER_GRACE_MS} ms`, wanted));
}

function sendAway(draft: Draft, reason: Refusal): void {
  draft.sendTask(draft.state.attending.keys(), { kind: "reassign", reason });
}

/** The round, if it is the one named and waits for this member. */
function awaitedIn(draft: Draft, key: RoundKey, member: Name): RoundState | undefined {
  const round = draft.state.rounds.get(key.sessionId);
  const named = round !== undefined && sameRound(round.key, key);
  return named && isOutstanding(round, member) ? round : undefined;
}

/** Those nobody is awaited for are over, and so may be the need for their models. */
function setValidations(draft: Draft, validations: readonly Validation[]): void {
  const awaited = validations.filter((each) => each.awaited.size > 0);
  draft.state = { ...draft.state, validations: awaited };
  dropUnneededModels(draft);
}

const withoutAwaited = (validation: Validation, member: Name): Validation =>
  validation.awaited.has(member)
    ? {
        ...validation,
        awaited: without(validation.awaited, member),
        unsent: without(validation.unsent, member),
      }
    : validation;

function without<T>(set: ReadonlySet<T>, item: T): ReadonlySet<T> {
  const rest = new Set(set);
  rest.delete(item);
  return rest;
}
