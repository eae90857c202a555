/** Which models this combiner holds: those that open rounds and validations need, and a few newest. */
import type { Digest, Name } from "../../lib/base/ids.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import type { Draft } from "./draft.ts";
import { needsTask, outstanding, type RoundState, withGivenUp, withTasked } from "./round.ts";
import { type CombinerState, type HeldModel, KEPT_MODELS } from "./state.ts";

/** Whether clients can be sent to fetch this model. */
const modelIsReady = (state: CombinerState, modelHash: Digest): boolean =>
  state.models.get(modelHash)?.status === "ready";

/** Asks the reducer for a model, unless it is here or on its way. */
export function wantModel(draft: Draft, modelHash: Digest, sizeBytes: number): void {
  if (draft.state.models.has(modelHash)) return;
  setModel(draft, { modelHash, status: "fetching", updateSizeBytes: 0, reasons: [] });
  draft.effects.push({ kind: "fetch-model", modelHash, sizeBytes });
}

/** Forgets what nothing needs, the oldest first. To be called when needs have changed. */
export function dropUnneededModels(draft: Draft): void {
  const { rounds, validations } = draft.state;
  const needed = new Set([
    ...[...rounds.values()].map((round) => round.terms.baseModelHash),
    ...validations.map((validation) => validation.modelHash),
  ]);
  const models = new Map(draft.state.models);
  for (const { modelHash, status } of draft.state.models.values()) {
    const spare = models.size > KEPT_MODELS || status !== "ready";
    if (needed.has(modelHash) || !spare) continue;
    models.delete(modelHash);
    draft.effects.push({ kind: "drop-model", modelHash });
  }
  draft.state = { ...draft.state, models };
}

/** A base model has come whole: rounds and validations that waited for it go out. */
export function modelReady(draft: Draft, modelHash: Digest, updateSizeBytes: number): void {
  if (draft.state.models.get(modelHash)?.status !== "fetching") return;
  const { stagingBudgetBytes } = draft.state.settings;
  if (updateSizeBytes > stagingBudgetBytes) {
    const wanted = `at most the staging budget, ${stagingBudgetBytes} bytes`;
    modelUnusable(draft, modelHash, [refusal("model-too-large", updateSizeBytes, wanted)]);
    return;
  }
  setModel(draft, { modelHash, status: "ready", updateSizeBytes, reasons: [] });
  for (const round of draft.state.rounds.values()) pushTasks(draft, round.key.sessionId);
  pushValidations(draft);
}

/** No update can be taken against this model here, so the round need not wait for one. */
export function modelUnusable(draft: Draft, modelHash: Digest, reasons: readonly Refusal[]): void {
  if (draft.state.models.get(modelHash)?.status !== "fetching") return;
  setModel(draft, { modelHash, status: "unusable", updateSizeBytes: 0, reasons });
  for (const round of draft.state.rounds.values()) refuseUnusable(draft, round);
}

/** Gives up every member of a round whose base model cannot be used. */
export function refuseUnusable(draft: Draft, round: RoundState): void {
  const model = draft.state.models.get(round.terms.baseModelHash);
  if (model?.status !== "unusable") return;
  for (const member of outstanding(round)) giveUp(draft, round, member, model.reasons);
}

/** The member will not deliver in this attempt; the reducer need not wait for it. */
export function giveUp(
  draft: Draft,
  round: RoundState,
  member: Name,
  reasons: readonly Refusal[],
): void {
  const { key } = round;
  const current = draft.state.rounds.get(key.sessionId) ?? round;
  draft.setRound(withGivenUp(current, member, reasons));
  draft.tellReducer({ kind: "update-refused", key, member, reasons, final: true });
}

/**
 * Sends the round's task to the members that need it and attend.
 * @param among  all members unless given
 */
export function pushTasks(
  draft: Draft,
  sessionId: RoundState["key"]["sessionId"],
  among?: readonly Name[],
): void {
  const round = draft.state.rounds.get(sessionId);
  if (round === undefined || !modelIsReady(draft.state, round.terms.baseModelHash)) return;
  const members = (among ?? outstanding(round)).filter(
    (member) => draft.state.attending.has(member) && needsTask(round, member),
  );
  if (members.length === 0) return;
  const { key, terms } = round;
  const remainingMs = Math.max(0, terms.deadlineMs - draft.nowMs);
  draft.setRound(withTasked(round, members));
  draft.sendTask(members, { kind: "train", key, terms, remainingMs });
}

/** Sends every validation whose model is here to the members that were not told. */
export function pushValidations(draft: Draft): void {
  const validations = draft.state.validations.map((validation) => {
    if (validation.unsent.size === 0 || !modelIsReady(draft.state, validation.modelHash)) {
      return validation;
    }
    const { awaited: _, unsent, expiresAtMs: __, ...task } = validation;
    draft.sendTask(unsent, { kind: "validate", ...task });
    return { ...validation, unsent: new Set<Name>() };
  });
  draft.state = { ...draft.state, validations };
}

function setModel(draft: Draft, model: HeldModel): void {
  const models = new Map(draft.state.models).set(model.modelHash, model);
  draft.state = { ...draft.state, models };
}
