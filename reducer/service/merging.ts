/** Admits partial aggregates, holds them until the round closes, and merges them into the next global model. */
import { AggregationError } from "../../lib/aggregation/aggregation-error.ts";
import { createGridSum } from "../../lib/aggregation/grid-sum.ts";
import { mergeRound } from "../../lib/aggregation/merge.ts";
import { validatePartial } from "../../lib/aggregation/validate-partial.ts";
import { fromHex } from "../../lib/base/bytes.ts";
import type { Name } from "../../lib/base/ids.ts";
import { MAX_COHORT } from "../../lib/base/limits.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import {
  assertInvariant,
  type Refusal,
  RefusedError,
  refusal,
  refused,
} from "../../lib/base/refusal.ts";
import { type RoundKey, roundText, sameRound } from "../../lib/base/round-key.ts";
import { FederationError } from "../../lib/federation/federation-error.ts";
import { parsePartialFile } from "../../lib/federation/partial-file.ts";
import { parseUpdateHeader } from "../../lib/transport/update-header-message.ts";
import { needRoundKey, needVersion } from "../../lib/transport/wire-fields.ts";
import { fedclave } from "../../proto/generated/fedclave.js";
import type { Coordinator, Effect, StoredModel } from "../core/draft.ts";
import {
  admitPartial,
  appraisePartialOffer,
  type UnverifiedPartial,
} from "../core/partial-admission.ts";
import type { AdmittedPartial, Round } from "../core/round-state.ts";
import { memberKey, type SessionRecord } from "../core/state.ts";
import type { Engine } from "./engine.ts";
import type { ModelShelf } from "./model-shelf.ts";

type Held = { readonly leaseEpoch: number; readonly weightSum: number; readonly sums: Uint8Array };

export type Merging = {
  /** Every reason why a partial is not wanted, before its body is read. */
  readonly appraiseOffer: (
    offered: { readonly key: RoundKey; readonly leaseEpoch: number },
    combiner: Name,
  ) => readonly Refusal[];
  /** Takes a received partial, or refuses it whole and tells the core. @throws RefusedError */
  readonly take: (
    offered: { readonly key: RoundKey; readonly leaseEpoch: number },
    combiner: Name,
    body: Uint8Array,
  ) => Promise<void>;
  readonly merge: (effect: Extract<Effect, { kind: "merge" }>) => void;
  readonly drop: (key: RoundKey) => void;
};

export type MergingParts = {
  readonly engine: () => Engine;
  readonly models: ModelShelf;
  readonly log: Log;
  readonly onFatal: (error: unknown) => void;
};

/** Holds admitted sums by attempt and combiner, in memory only: a restart asks for them again. */
export function merging(parts: MergingParts): Merging {
  const { models, log } = parts;
  const held = new Map<string, Map<Name, Held>>();

  async function take(
    offered: { readonly key: RoundKey; readonly leaseEpoch: number },
    combiner: Name,
    body: Uint8Array,
  ): Promise<void> {
    const coordinator = parts.engine().coordinator();
    const { key, leaseEpoch } = offered;
    // The round moved on while the body came: that says nothing against the combiner, which is asked again.
    const stale = appraisePartialOffer(offered, combiner, roundOf(coordinator, key));
    if (stale.length > 0) throw new RefusedError(...stale);
    const result = await appraise(models, coordinator, combiner, offered, body);
    if ("refusals" in result) {
      const { refusals } = result;
      const codes = refusals.map(({ code }) => code);
      log.warn("partial.refused", { combiner, round: key.round, codes });
      await parts.engine().submit({ kind: "partial-refused", key, combiner, leaseEpoch });
      throw new RefusedError(...refusals);
    }
    const { partial, sums } = result;
    const shelf = held.get(roundText(key)) ?? new Map<Name, Held>();
    held.set(roundText(key), shelf);
    shelf.set(combiner, { leaseEpoch, weightSum: partial.weightSum, sums });
    await parts.engine().submit({ kind: "partial-admitted", key, combiner, partial });
    const round = roundOf(parts.engine().coordinator(), key);
    if (round === undefined || !sameRound(round.key, key)) held.delete(roundText(key));
  }

  async function merge(key: RoundKey, combiners: readonly Name[]): Promise<void> {
    const session = parts.engine().coordinator().state.sessions.get(key.sessionId);
    assertInvariant(session !== undefined, "a round is merged for a session that exists");
    try {
      const model = await mergeInto(session, key, combiners);
      await parts.engine().submit({ kind: "model-stored", key, model });
      log.info("round.committed", { sessionId: key.sessionId, round: key.round, ...model });
    } catch (error) {
      if (!(error instanceof AggregationError)) throw error;
      log.error("round.merge-failed", { round: key.round, error: describeError(error) });
      const reasons = [refusal(error.code, error.message, "a finite model")];
      await parts.engine().submit({ kind: "merge-failed", key, reasons });
    }
  }

  async function mergeInto(
    session: SessionRecord,
    key: RoundKey,
    combiners: readonly Name[],
  ): Promise<StoredModel> {
    const base = await models.model(session.modelHash);
    const sum = createGridSum(base.trainable, session.grid.gridExponent);
    const shelf = held.get(roundText(key));
    for (const combiner of combiners) {
      const partial = shelf?.get(combiner);
      assertInvariant(partial !== undefined, "an admitted partial is held until the round is over");
      sum.addPartial(partial.sums, partial.weightSum);
    }
    const stateHash = session.optimizerStateHash;
    const state = stateHash === undefined ? undefined : await models.readState(stateHash);
    const { aggregator } = session.settings;
    const merged = mergeRound({
      base: base.bytes,
      layout: base.layout,
      sum,
      aggregator,
      ...(state === undefined ? {} : { state }),
    });
    const stored = await models.store(merged.model);
    const optimizerStateHash =
      merged.state === undefined ? undefined : await models.storeState(merged.state);
    return {
      modelHash: stored.modelHash,
      sizeBytes: stored.bytes.byteLength,
      parameterCount: stored.layout.elementCount,
      ...(optimizerStateHash === undefined ? {} : { optimizerStateHash }),
    };
  }

  return {
    appraiseOffer: (offered, combiner) =>
      appraisePartialOffer(offered, combiner, roundOf(parts.engine().coordinator(), offered.key)),
    take,
    merge: ({ key, combiners }) => {
      merge(key, combiners).catch(parts.onFatal);
    },
    drop: (key) => held.delete(roundText(key)),
  };
}

const roundOf = ({ live }: Coordinator, key: RoundKey): Round | undefined =>
  live.sessions.get(key.sessionId)?.round;

async function appraise(
  models: ModelShelf,
  coordinator: Coordinator,
  combiner: Name,
  offered: { readonly key: RoundKey; readonly leaseEpoch: number },
  body: Uint8Array,
): Promise<
  | { readonly refusals: readonly Refusal[] }
  | { readonly partial: AdmittedPartial; readonly sums: Uint8Array }
> {
  const round = roundOf(coordinator, offered.key);
  const session = coordinator.state.sessions.get(offered.key.sessionId);
  assertInvariant(round !== undefined && session !== undefined, "an offer that fits has a round");
  const base = await models.model(session.modelHash);
  const read = readPartial(body);
  if ("refusals" in read) return read;
  const { federationId } = coordinator.state;
  assertInvariant(federationId !== undefined, "a running reducer has a federation");
  const { settings, grid } = session;
  const result = admitPartial(read.partial, {
    federationId,
    combiner,
    round,
    baseModelHash: session.modelHash,
    gridExponent: grid.gridExponent,
    weightCap: settings.weightCap,
    updateSizeBytes: base.trainable.sizeBytes,
    publicKeyOf: (member) =>
      fromHex(coordinator.state.members.get(memberKey("client", member))?.publicKey ?? "-"),
  });
  if ("refusals" in result) return result;
  const { elementBound, weightCap } = settings;
  const limits = { elementBound, weightCap, gridExponent: grid.gridExponent };
  const { weightSum } = result.admitted;
  const refusals = validatePartial(read.sums, base.trainable, limits, weightSum);
  return refusals.length > 0 ? { refusals } : { partial: result.admitted, sums: read.sums };
}

function readPartial(
  body: Uint8Array,
):
  | { readonly partial: UnverifiedPartial; readonly sums: Uint8Array }
  | { readonly refusals: readonly Refusal[] } {
  try {
    const { index, sums } = parsePartialFile(body);
    const message = fedclave.v1.PartialIndex.decode(index);
    needVersion(message.version);
    if (message.headers.length > MAX_COHORT) {
      throw refused("malformed-partial", `${message.headers.length} headers`, MAX_COHORT);
    }
    const partial = {
      federationId: message.federationId,
      combiner: message.combiner,
      key: needRoundKey(message.roundKey),
      leaseEpoch: message.leaseEpoch,
      gridExponent: message.gridExponent,
      weightSum: message.weightSum,
      headers: message.headers.map(parseUpdateHeader),
    };
    return { partial, sums };
  } catch (error) {
    if (error instanceof RefusedError) return { refusals: error.refusals };
    const seen = error instanceof FederationError ? error.message : "an unreadable index";
    return { refusals: [refusal("malformed-partial", seen, "a partial aggregate, version 1")] };
  }
}
