/** What the reducer's orders do. */
import type { UnixMs } from "../../lib/base/ids.ts";
import { assertInvariant, type Refusal, refusal } from "../../lib/base/refusal.ts";
import { type RoundKey, roundText, sameRound } from "../../lib/base/round-key.ts";
import type { Draft } from "./draft.ts";
import {
  dropUnneededModels,
  pushTasks,
  pushValidations,
  refuseUnusable,
  wantModel,
} from "./models.ts";
import { beginRound, isOutstanding, type RoundState, renewLease } from "./round.ts";
import {
  MAX_VALIDATIONS,
  type Order,
  type PartialPlan,
  VALIDATION_LIFE_MS,
  type Validation,
} from "./state.ts";

/** Follows an order of the reducer; one that names a past attempt or lease changes nothing. */
export function takeOrder(draft: Draft, order: Order): void {
  switch (order.kind) {
    case "open-round":
      openRound(draft, order);
      break;
    case "close-round":
      return closeRound(draft, order.key, order.leaseEpoch);
    case "abort-round":
      abortRound(draft, order.key, order.reason);
      break;
    case "commit-notice":
      commitRound(draft, order);
      break;
    case "validate-model":
      orderValidation(draft, order);
      break;
    case "release-client":
      return draft.sendTask([order.member], { kind: "reassign", reason: order.reason });
    case "attached":
      dropUnconfirmed(draft);
      break;
  }
  dropUnneededModels(draft);
}

function openRound(draft: Draft, order: Extract<Order, { kind: "open-round" }>): void {
  const { key, leaseEpoch, terms } = order;
  const members = new Set(order.members);
  const before = draft.state.rounds.get(key.sessionId);
  if (before === undefined || !sameRound(before.key, key)) {
    if (before !== undefined) endRound(draft, before, overBy(key));
    draft.setRound(beginRound({ key, leaseEpoch, members, terms }));
  } else if (leaseEpoch > before.leaseEpoch) {
    const { round, reset } = renewLease(before, { leaseEpoch, members });
    // Terms do not change within an attempt, but a restarted reducer gives it its whole deadline anew.
    draft.setRound({ ...round, terms });
    draft.effects.push({ kind: "stop-partial", key });
    if (reset) draft.effects.push({ kind: "drop-sum", key });
  } else if (leaseEpoch === before.leaseEpoch) {
    draft.setRound({ ...before, confirmed: true });
  }
  wantModel(draft, terms.baseModelHash, terms.modelSizeBytes);
  report(draft, key);
  const round = roundOf(draft, key);
  if (round !== undefined) refuseUnusable(draft, round);
  pushTasks(draft, key.sessionId);
}

/** Tells what the sums hold, and who gave up: the reducer may have missed it while it was away. */
function report(draft: Draft, key: RoundKey): void {
  const round = roundOf(draft, key);
  if (round === undefined) return;
  const { leaseEpoch, gaveUp } = round;
  const folded = [...round.folded.keys()].sort();
  draft.tellReducer({ kind: "round-report", key, leaseEpoch, folded });
  for (const [member, reasons] of gaveUp) {
    draft.tellReducer({ kind: "update-refused", key, member, reasons, final: true });
  }
}

/** A second order for the same epoch means that the reducer does not have the partial: it is sent again. */
function closeRound(draft: Draft, key: RoundKey, leaseEpoch: number): void {
  const round = roundOf(draft, key);
  if (round === undefined || round.leaseEpoch !== leaseEpoch) return;
  // The reducer takes us to hold something; it is told better instead of being kept waiting.
  if (round.folded.size === 0) return report(draft, key);
  const closed: RoundState = { ...round, status: "closed" };
  draft.setRound(closed);
  draft.effects.push({ kind: "send-partial", plan: planPartial(closed) });
}

function planPartial(round: RoundState): PartialPlan {
  const { key, leaseEpoch, terms } = round;
  const updates = [...round.folded].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
  const weightSum = updates.reduce((sum, { exampleCount }) => sum + exampleCount, 0);
  assertInvariant(Number.isSafeInteger(weightSum), "the grid bounds the sum of weights by 2^53");
  const headers = updates.map(({ signed }) => signed);
  return { key, leaseEpoch, gridExponent: terms.limits.gridExponent, weightSum, headers };
}

function abortRound(draft: Draft, key: RoundKey, reason: Refusal): void {
  const round = roundOf(draft, key);
  if (round === undefined) return;
  forget(draft, round);
  draft.sendTask(round.members, { kind: "cancel", key, reason });
}

/** The notice is for every client: one that folded elsewhere, or attends again, may forget its update too. */
function commitRound(draft: Draft, order: Extract<Order, { kind: "commit-notice" }>): void {
  const { key, modelHash } = order;
  const round = draft.state.rounds.get(key.sessionId);
  draft.sendTask(draft.state.attending.keys(), { kind: "committed", key, modelHash });
  if (round !== undefined && round.key.round <= key.round) endRound(draft, round, overBy(key));
}

function dropUnconfirmed(draft: Draft): void {
  for (const round of [...draft.state.rounds.values()]) {
    const reason = refusal("round-over", roundText(round.key), "a round that is open");
    if (!round.confirmed) endRound(draft, round, reason);
  }
}

/** Members still at work on it can stop; the others keep their update until its round is committed. */
function endRound(draft: Draft, round: RoundState, reason: Refusal): void {
  const { key } = round;
  forget(draft, round);
  const atWork = [...round.members].filter((member) => isOutstanding(round, member));
  draft.sendTask(atWork, { kind: "cancel", key, reason });
}

function forget(draft: Draft, { key }: RoundState): void {
  draft.removeRound(key);
  draft.effects.push({ kind: "stop-partial", key }, { kind: "drop-sum", key });
}

function orderValidation(draft: Draft, order: Extract<Order, { kind: "validate-model" }>): void {
  const { kind: _, members, ...what } = order;
  const { sessionId, round, modelHash, modelSizeBytes } = what;
  const named = (each: Validation) => each.sessionId === sessionId && each.modelHash === modelHash;
  const before = draft.state.validations.find((each) => named(each) && each.round === round);
  const here = members.filter((member) => draft.state.attending.has(member));
  const validation: Validation = {
    ...what,
    awaited: new Set([...(before?.awaited ?? []), ...here]),
    unsent: new Set([...(before?.unsent ?? []), ...here]),
    expiresAtMs: (draft.nowMs + VALIDATION_LIFE_MS) as UnixMs,
  };
  if (validation.awaited.size === 0) return;
  const others = draft.state.validations.filter((each) => each !== before);
  const older = others.filter((each) => each.sessionId === sessionId).slice(0, 1 - MAX_VALIDATIONS);
  draft.state = {
    ...draft.state,
    validations: [...others.filter((each) => !older.includes(each)), validation],
  };
  wantModel(draft, modelHash, modelSizeBytes);
  pushValidations(draft);
}

function roundOf(draft: Draft, key: RoundKey): RoundState | undefined {
  const round = draft.state.rounds.get(key.sessionId);
  return round !== undefined && sameRound(round.key, key) ? round : undefined;
}

const overBy = (key: RoundKey): Refusal =>
  refusal("round-over", `superseded by ${roundText(key)}`, "a round that is open");
