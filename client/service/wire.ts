/** Between the wire and the core: what reducer and combiner say is checked here, whole, before anything acts on it. */
import {
  type Digest,
  digestBytes,
  digestFromBytes,
  parseName,
  parseSessionId,
} from "../../lib/base/ids.ts";
import { MAX_MODEL_BYTES } from "../../lib/base/limits.ts";
import { SEED_BYTES } from "../../lib/federation/seeds.ts";
import type { ReceivedResponseOf, SentRequestOf } from "../../lib/transport/rpcs.ts";
import type { fedclave } from "../../proto/generated/fedclave.js";
import type { Assignment } from "../core/attendance.ts";
import type { Report } from "../core/effects.ts";
import type { CombinerMessage } from "../core/inputs.ts";
import type { RoundKey, TrainTask, ValidateTask } from "../core/task.ts";
import { ClientError } from "./client-error.ts";

export const WIRE_VERSION = 1;
/** Hyperparameters of one task. */
export const MAX_HYPERPARAMETERS = 64;

/** Something that a combiner said, "reassign" included, or undefined for what this release does not know. */
export type ReceivedTask = CombinerMessage | { readonly kind: "reassign"; readonly reason: string };

/**
 * The reducer's answer, if it is for this member.
 * @throws ClientError "wrong-assignment"
 */
export function parseAssignment(
  answer: ReceivedResponseOf<"Assignments.Assign">,
  wanted: { readonly federationId: string; readonly member: string },
): Assignment {
  const { version, federationId, member, address, epoch } = answer;
  const combiner = parseName(answer.combiner ?? "");
  const spkiDigest = digestFromBytes(answer.combinerSpkiDigest ?? new Uint8Array());
  if (
    version !== WIRE_VERSION ||
    federationId !== wanted.federationId ||
    member !== wanted.member ||
    combiner === undefined ||
    spkiDigest === undefined ||
    !address
  ) {
    throw new ClientError(
      "wrong-assignment",
      "the reducer's assignment is not one for this member",
    );
  }
  return { combiner, address, spkiDigest, epoch: epoch ?? 0 };
}

/**
 * A message on the stream of a visit.
 * @throws ClientError "malformed-task" naming the field
 */
export function parseTask(message: ReceivedResponseOf<"Tasks.Attend">): ReceivedTask | undefined {
  switch (message.kind) {
    case "welcome":
      check(message.welcome.version === WIRE_VERSION, "the version of Welcome");
      return { kind: "welcome" };
    case "train":
      return trainTask(message.train);
    case "validate":
      return validateTask(message.validate);
    case "cancel":
      return { kind: "cancel", key: roundKey(message.cancel.roundKey) };
    case "committed":
      return { kind: "committed", key: roundKey(message.committed.roundKey) };
    case "reassign":
      return { kind: "reassign", reason: message.reassign.reason?.code ?? "" };
    default:
      return undefined;
  }
}

/** A report as it travels. */
export function reportMessage(report: Report): SentRequestOf<"Tasks.Attend"> {
  switch (report.kind) {
    case "task-started":
      return { taskStarted: { roundKey: report.key } };
    case "task-failed":
      return { taskFailed: { roundKey: report.key, refusals: [...report.refusals] } };
    case "validation-report": {
      const { sessionId, round, modelHash, exampleCount, metrics } = report;
      return {
        validationReport: {
          sessionId,
          round,
          modelHash: digestBytes(modelHash),
          exampleCount,
          metrics: [...metrics],
        },
      };
    }
  }
}

function trainTask(message: fedclave.v1.TrainTask.$Properties): TrainTask {
  const { sessionSeed, proximalMu, limits } = message;
  check(sessionSeed?.byteLength === SEED_BYTES, "session_seed");
  const mu = proximalMu ?? 0;
  check(Number.isFinite(mu) && mu >= 0, "proximal_mu");
  return {
    kind: "train",
    key: roundKey(message.roundKey),
    baseModelHash: digest(message.baseModelHash, "base_model_hash"),
    modelSizeBytes: modelSize(message.modelSizeBytes),
    packageDigest: digest(message.packageDigest, "package_digest"),
    // A view of the received message otherwise, which would keep it alive.
    sessionSeed: Uint8Array.from(sessionSeed ?? []),
    limits: updateLimits(limits),
    proximalMu: mu,
    hyperparameters: hyperparameters(message.hyperparameters ?? []),
  };
}

function validateTask(message: fedclave.v1.ValidateTask.$Properties): ValidateTask {
  const { sessionId, round } = roundKey({
    sessionId: message.sessionId ?? "",
    round: message.round ?? 0,
    attempt: 1,
  });
  return {
    kind: "validate",
    sessionId,
    round,
    modelHash: digest(message.modelHash, "model_hash"),
    modelSizeBytes: modelSize(message.modelSizeBytes),
    packageDigest: digest(message.packageDigest, "package_digest"),
  };
}

function roundKey(message: fedclave.v1.RoundKey.$Properties | null | undefined): RoundKey {
  const sessionId = parseSessionId(message?.sessionId ?? "");
  const { round, attempt } = message ?? {};
  check(sessionId !== undefined, "session_id");
  check(isPositive(round) && isPositive(attempt), "round_key");
  return { sessionId, round, attempt };
}

function updateLimits(
  message: fedclave.v1.UpdateLimits.$Properties | null | undefined,
): TrainTask["limits"] {
  const { elementBound = 0, weightCap = 0, gridExponent = -1, normBound } = message ?? {};
  check(Number.isFinite(elementBound) && elementBound > 0, "limits.element_bound");
  check(isPositive(weightCap), "limits.weight_cap");
  check(Number.isInteger(gridExponent) && gridExponent >= 0, "limits.grid_exponent");
  const limits = { elementBound, weightCap, gridExponent };
  if (normBound === undefined || normBound === null) return limits;
  check(Number.isFinite(normBound) && normBound > 0, "limits.norm_bound");
  return { ...limits, normBound };
}

function hyperparameters(
  messages: readonly fedclave.v1.Hyperparameter.$Properties[],
): Readonly<Record<string, number>> {
  check(messages.length <= MAX_HYPERPARAMETERS, "hyperparameters");
  const values = new Map<string, number>();
  for (const { name, value } of messages) {
    check(typeof name === "string" && name !== "" && !values.has(name), "hyperparameters.name");
    check(Number.isFinite(value ?? 0), "hyperparameters.value");
    values.set(name, value ?? 0);
  }
  return Object.fromEntries(values);
}

function digest(bytes: Uint8Array | null | undefined, field: string): Digest {
  const found = digestFromBytes(bytes ?? new Uint8Array());
  check(found !== undefined, field);
  return found;
}

function modelSize(sizeBytes: number | null | undefined): number {
  check(isPositive(sizeBytes) && sizeBytes <= MAX_MODEL_BYTES, "model_size_bytes");
  return sizeBytes;
}

const isPositive = (value: number | null | undefined): value is number =>
  Number.isSafeInteger(value) && (value ?? 0) >= 1;

function check(condition: boolean, field: string): asserts condition {
  if (condition) return;
  throw new ClientError("malformed-task", `the combiner sent a task whose ${field} cannot be`);
}
