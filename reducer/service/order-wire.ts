/** Orders for combiners, and what combiners say, between the core and the wire. */
import { toHex } from "../../lib/base/bytes.ts";
import { type Digest, digestBytes, type Name, type UnixMs } from "../../lib/base/ids.ts";
import {
  assertInvariant,
  type Refusal,
  RefusedError,
  refusal,
  refused,
} from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import {
  needDigest,
  needInteger,
  needMetrics,
  needName,
  needRoundKey,
  needSessionRound,
  readRefusals,
  WIRE_VERSION,
} from "../../lib/transport/wire-fields.ts";
import type { fedclave } from "../../proto/generated/fedclave.js";
import type { Input } from "../core/coordinator.ts";
import type { CombinerOrder } from "../core/draft.ts";
import type { FederationState, SessionRecord } from "../core/state.ts";
import { hyperparameterMessages } from "./settings-wire.ts";

type OrderMessage = fedclave.v1.ReducerOrder.$Properties;
type CombinerMessage = fedclave.v1.CombinerMessage & fedclave.v1.CombinerMessage.$Shape;

/** Orders for a combiner as they travel. @param state  after the step that gave the order */
export function orderMessage(
  state: FederationState,
  order: CombinerOrder,
  untrustedNowMs: UnixMs,
): OrderMessage {
  switch (order.kind) {
    case "open-round":
      return openRound(state, order, untrustedNowMs);
    case "close-round":
      return {
        kind: "closeRound",
        closeRound: { roundKey: order.key, leaseEpoch: order.leaseEpoch },
      };
    case "abort-round":
      return { kind: "abortRound", abortRound: { roundKey: order.key, reason: order.reason } };
    case "commit-notice": {
      const commitNotice = { roundKey: order.key, modelHash: digestBytes(order.modelHash) };
      return { kind: "commitNotice", commitNotice };
    }
    case "validate-model": {
      const { sessionId, round, modelHash, members } = order;
      const { settings } = sessionOf(state, order.sessionId);
      const validateModel = {
        sessionId,
        round,
        modelHash: digestBytes(modelHash),
        modelSizeBytes: state.models.get(modelHash)?.sizeBytes ?? 0,
        packageDigest: digestBytes(settings.packageDigest),
        members: [...members],
      };
      return { kind: "validateModel", validateModel };
    }
  }
}

function openRound(
  state: FederationState,
  order: Extract<CombinerOrder, { kind: "open-round" }>,
  untrustedNowMs: UnixMs,
): OrderMessage {
  const { settings, grid, modelHash } = sessionOf(state, order.key.sessionId);
  const { elementBound, normBound, weightCap } = settings;
  const openRound = {
    roundKey: order.key,
    leaseEpoch: order.lease.leaseEpoch,
    members: [...order.lease.members],
    baseModelHash: digestBytes(modelHash),
    modelSizeBytes: state.models.get(modelHash)?.sizeBytes ?? 0,
    packageDigest: digestBytes(settings.packageDigest),
    sessionSeed: digestBytes(settings.sessionSeed),
    limits: {
      elementBound,
      weightCap,
      gridExponent: grid.gridExponent,
      ...(normBound === undefined ? {} : { normBound }),
    },
    remainingMs: Math.max(0, order.deadlineMs - untrustedNowMs),
    proximalMu: settings.proximalMu,
    hyperparameters: hyperparameterMessages(settings.hyperparameters),
  };
  return { kind: "openRound", openRound };
}

function sessionOf(state: FederationState, sessionId: RoundKey["sessionId"]): SessionRecord {
  const session = state.sessions.get(sessionId);
  assertInvariant(session !== undefined, "an order is about a session that was started");
  return session;
}

/**
 * What a combiner says, as an input; undefined for what changes nothing.
 * @param combiner  name in the certificate of the connection: what a message claims about its sender is not asked
 * @throws RefusedError for anything malformed
 */
export function combinerInput(combiner: Name, message: CombinerMessage): Input | undefined {
  switch (message.kind) {
    case "clientAttended":
      return { kind: "client-attended", combiner, member: needName(message.clientAttended.member) };
    case "clientLeft":
      return { kind: "client-left", combiner, member: needName(message.clientLeft.member) };
    case "roundReport": {
      const { roundKey, leaseEpoch = 0, folded = [] } = message.roundReport;
      const key = needRoundKey(roundKey);
      return { kind: "round-reported", key, combiner, leaseEpoch, folded: folded.map(needName) };
    }
    case "updateFolded": {
      const {
        roundKey,
        leaseEpoch = 0,
        member,
        exampleCount = 0,
        sizeBytes = 0,
      } = message.updateFolded;
      const key = needRoundKey(roundKey);
      const fold = { exampleCount, sizeBytes };
      return { kind: "update-folded", key, combiner, leaseEpoch, member: needName(member), fold };
    }
    case "updateRefused": {
      const { roundKey, member, refusals, final = false } = message.updateRefused;
      if (!final) return undefined;
      const reasons = readRefusals(refusals);
      const key = needRoundKey(roundKey);
      return { kind: "member-gave-up", key, combiner, member: needName(member), reasons };
    }
    case "clientValidation":
      return validationInput(message.clientValidation);
    case "taskAccepted":
      return undefined;
    default:
      throw refused("unexpected-message", message.kind ?? "none", "a message of this version");
  }
}

const validationInput = (message: fedclave.v1.ClientValidation.$Properties): Input => ({
  kind: "model-validated",
  ...needSessionRound(message),
  modelHash: needDigest(message.modelHash),
  member: needName(message.member),
  exampleCount: needInteger(message.exampleCount, 1, Number.MAX_SAFE_INTEGER),
  metrics: Object.fromEntries(needMetrics(message.metrics).map(({ name, value }) => [name, value])),
});

/** The first message on a combiner's stream. @throws RefusedError */
export function attachInput(
  combiner: Name,
  spkiDigest: Digest,
  message: CombinerMessage | undefined,
): Extract<Input, { kind: "combiner-attached" }> {
  if (message?.kind !== "hello") {
    throw refused("hello-missing", message?.kind ?? "nothing", "CombinerHello first");
  }
  const { version, address = "", instanceId, maxClients = 0, attending = [] } = message.hello;
  const found: Refusal[] = [];
  if (version !== WIRE_VERSION) {
    found.push(refusal("unknown-version", version ?? 0, WIRE_VERSION));
  }
  if (!/^[A-Za-z0-9._:[\]-]{3,300}$/.test(address)) {
    found.push(refusal("malformed-address", address, "host:port"));
  }
  if (instanceId?.byteLength !== 16) {
    found.push(refusal("malformed-instance", instanceId?.byteLength ?? 0, "16 bytes"));
  }
  if (maxClients < 1) found.push(refusal("malformed-max-clients", maxClients, "at least 1"));
  if (found.length > 0 || instanceId == null) throw new RefusedError(...found);
  return {
    kind: "combiner-attached",
    combiner,
    address,
    spkiDigest,
    instanceId: toHex(instanceId),
    maxClients,
    attending: attending.map(needName),
  };
}
