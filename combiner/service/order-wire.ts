/** The Attach stream between wire and core: the reducer's orders in, what the combiner says out. */
import { digestBytes, type UnixMs } from "../../lib/base/ids.ts";
import { MAX_COHORT, MAX_MODEL_BYTES } from "../../lib/base/limits.ts";
import { refusal, refused } from "../../lib/base/refusal.ts";
import type { ReceivedResponseOf, SentRequestOf } from "../../lib/transport/rpcs.ts";
import {
  needDigest,
  needFinite,
  needHyperparameters,
  needInteger,
  needName,
  needRoundKey,
  needSessionRound,
  needUpdateLimits,
  needVersion,
  readRefusals,
  WIRE_VERSION,
} from "../../lib/transport/wire-fields.ts";
import type { fedclave } from "../../proto/generated/fedclave.js";
import type { RoundTerms } from "../core/round.ts";
import type { CombinerMessage, Order } from "../core/state.ts";

type OrderMessage = ReceivedResponseOf<"Coordination.Attach">;
type AttachMessage = SentRequestOf<"Coordination.Attach">;

/** What a combiner says of itself when it attaches. */
export type CombinerPresence = {
  readonly address: string;
  /** 16 random bytes of this process. */
  readonly instanceId: Uint8Array;
  readonly maxClients: number;
};

const MAX_REMAINING_MS = 2 ** 40;

/**
 * An order as the core takes it. Not believed more than a client's message: another version may be at the other end.
 * @throws RefusedError for anything malformed
 */
export function parseOrder(message: OrderMessage, untrustedNowMs: UnixMs): Order {
  switch (message.kind) {
    case "attached":
      needVersion(message.attached.version);
      return { kind: "attached" };
    case "openRound":
      return parseOpenRound(message.openRound, untrustedNowMs);
    case "closeRound": {
      const { roundKey, leaseEpoch } = message.closeRound;
      return { kind: "close-round", key: needRoundKey(roundKey), leaseEpoch: epoch(leaseEpoch) };
    }
    case "abortRound": {
      const { roundKey, reason } = message.abortRound;
      return { kind: "abort-round", key: needRoundKey(roundKey), reason: oneReason(reason) };
    }
    case "commitNotice": {
      const { roundKey, modelHash } = message.commitNotice;
      const key = needRoundKey(roundKey);
      return { kind: "commit-notice", key, modelHash: needDigest(modelHash) };
    }
    case "validateModel":
      return parseValidateModel(message.validateModel);
    case "releaseClient": {
      const { member, reason } = message.releaseClient;
      return { kind: "release-client", member: needName(member), reason: oneReason(reason) };
    }
    default:
      throw refused("unexpected-message", "an unknown order", "an order of this version");
  }
}

function parseOpenRound(message: fedclave.v1.OpenRound.$Properties, untrustedNowMs: UnixMs): Order {
  const remainingMs = needInteger(message.remainingMs, 0, MAX_REMAINING_MS);
  const terms: RoundTerms = {
    baseModelHash: needDigest(message.baseModelHash),
    modelSizeBytes: needInteger(message.modelSizeBytes, 1, MAX_MODEL_BYTES),
    packageDigest: needDigest(message.packageDigest),
    sessionSeed: needDigest(message.sessionSeed),
    limits: needUpdateLimits(message.limits),
    deadlineMs: (untrustedNowMs + remainingMs) as UnixMs,
    proximalMu: needFinite(message.proximalMu, 0),
    hyperparameters: needHyperparameters(message.hyperparameters),
  };
  return {
    kind: "open-round",
    key: needRoundKey(message.roundKey),
    leaseEpoch: epoch(message.leaseEpoch),
    members: parseMembers(message.members),
    terms,
  };
}

function parseValidateModel(message: fedclave.v1.ValidateModel.$Properties): Order {
  return {
    kind: "validate-model",
    ...needSessionRound(message),
    modelHash: needDigest(message.modelHash),
    modelSizeBytes: needInteger(message.modelSizeBytes, 1, MAX_MODEL_BYTES),
    packageDigest: needDigest(message.packageDigest),
    members: parseMembers(message.members),
  };
}

function parseMembers(members: readonly string[] | null | undefined) {
  const given = members ?? [];
  if (given.length > MAX_COHORT) throw refused("malformed-number", given.length, MAX_COHORT);
  return given.map(needName);
}

const epoch = (leaseEpoch: number | undefined): number =>
  needInteger(leaseEpoch, 1, Number.MAX_SAFE_INTEGER);

const oneReason = (message: fedclave.v1.Refusal.$Properties | null | undefined) =>
  readRefusals(message == null ? [] : [message])[0] ?? refusal("unnamed", "", "");

/** What the core says, for the Attach stream. */
export function attachMessage(message: CombinerMessage, presence: CombinerPresence): AttachMessage {
  switch (message.kind) {
    case "hello":
      return {
        kind: "hello",
        hello: { version: WIRE_VERSION, ...presence, attending: [...message.attending] },
      };
    case "client-attended":
      return { kind: "clientAttended", clientAttended: { member: message.member } };
    case "client-left":
      return { kind: "clientLeft", clientLeft: { member: message.member } };
    case "round-report": {
      const { key: roundKey, leaseEpoch, folded } = message;
      return { kind: "roundReport", roundReport: { roundKey, leaseEpoch, folded: [...folded] } };
    }
    case "update-folded": {
      const { kind: _, key: roundKey, ...rest } = message;
      return { kind: "updateFolded", updateFolded: { roundKey, ...rest } };
    }
    case "update-refused": {
      const { key: roundKey, member, reasons, final } = message;
      const refusals = [...reasons];
      return { kind: "updateRefused", updateRefused: { roundKey, member, refusals, final } };
    }
    case "client-validation": {
      const { member, report } = message;
      const modelHash = digestBytes(report.modelHash);
      const clientValidation = { ...report, member, modelHash, metrics: [...report.metrics] };
      return { kind: "clientValidation", clientValidation };
    }
    case "task-accepted":
      return {
        kind: "taskAccepted",
        taskAccepted: { roundKey: message.key, member: message.member },
      };
  }
}
