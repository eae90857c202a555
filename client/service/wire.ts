/** Between the wire and the core: what reducer and combiner say is checked here, whole, before anything acts on it. */
import { type Digest, digestBytes, digestFromBytes, parseName } from "../../lib/base/ids.ts";
import { MAX_MODEL_BYTES } from "../../lib/base/limits.ts";
import { type Refusal, RefusedError } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import { SEED_BYTES } from "../../lib/federation/seeds.ts";
import type { ReceivedResponseOf, SentRequestOf } from "../../lib/transport/rpcs.ts";
import {
  needDigest,
  needFinite,
  needHyperparameters,
  needInteger,
  needSessionRound,
  needUpdateLimits,
  readRoundKey,
  WIRE_VERSION,
} from "../../lib/transport/wire-fields.ts";
import type { fedclave } from "../../proto/generated/fedclave.js";
import type { Assignment } from "../core/attendance.ts";
import type { Report } from "../core/effects.ts";
import type { CombinerMessage } from "../core/inputs.ts";
import type { TrainTask, ValidateTask } from "../core/task.ts";
import { ClientError } from "./client-error.ts";

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
      return { taskFailed: { roundKey: report.key, refusals: report.refusals.map(withoutData) } };
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

/** What was seen of the data, such as its path or the names in it, is the data owner's: only the client's log has it. */
const withoutData = (reason: Refusal): Refusal =>
  reason.code.startsWith("data-") ? { ...reason, seen: "", wanted: "" } : reason;

function trainTask(message: fedclave.v1.TrainTask.$Properties): TrainTask {
  const { sessionSeed, proximalMu, limits } = message;
  check(sessionSeed?.byteLength === SEED_BYTES, "session_seed");
  return {
    kind: "train",
    key: roundKey(message.roundKey),
    baseModelHash: digest(message.baseModelHash, "base_model_hash"),
    modelSizeBytes: modelSize(message.modelSizeBytes),
    packageDigest: digest(message.packageDigest, "package_digest"),
    // A view of the received message otherwise, which would keep it alive.
    sessionSeed: Uint8Array.from(sessionSeed ?? []),
    limits: field("limits", () => needUpdateLimits(limits)),
    proximalMu: field("proximal_mu", () => needFinite(proximalMu, 0)),
    hyperparameters: Object.fromEntries(
      field("hyperparameters", () => needHyperparameters(message.hyperparameters)).map(
        ({ name, value }) => [name, value],
      ),
    ),
  };
}

function validateTask(message: fedclave.v1.ValidateTask.$Properties): ValidateTask {
  return {
    kind: "validate",
    ...field("round", () => needSessionRound(message)),
    modelHash: digest(message.modelHash, "model_hash"),
    modelSizeBytes: modelSize(message.modelSizeBytes),
    packageDigest: digest(message.packageDigest, "package_digest"),
  };
}

function roundKey(message: fedclave.v1.RoundKey.$Properties | null | undefined): RoundKey {
  const key = readRoundKey(message);
  check(key !== undefined, "round_key");
  return key;
}

function digest(bytes: Uint8Array | null | undefined, name: string): Digest {
  return field(name, () => needDigest(bytes));
}

function modelSize(sizeBytes: number | null | undefined): number {
  return field("model_size_bytes", () => needInteger(sizeBytes, 1, MAX_MODEL_BYTES));
}

/** A refusal to read a field, as the failure of the combiner that it is. */
function field<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RefusedError) throw malformed(name, error);
    throw error;
  }
}

function check(condition: boolean, name: string): asserts condition {
  if (!condition) throw malformed(name);
}

const malformed = (name: string, cause?: RefusedError): ClientError =>
  new ClientError("malformed-task", `the combiner sent a task whose ${name} cannot be`, { cause });
