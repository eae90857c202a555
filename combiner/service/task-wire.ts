/** The Attend stream between wire and core: tasks out, what clients say in. */
import { digestBytes, type Name } from "../../lib/base/ids.ts";
import { refused } from "../../lib/base/refusal.ts";
import type { RequestOf, ResponseOf } from "../../lib/transport/rpcs.ts";
import {
  needDigest,
  needInteger,
  needMetrics,
  needRoundKey,
  needSessionRound,
  needVersion,
  readRefusals,
  WIRE_VERSION,
} from "../../lib/transport/wire-fields.ts";
import type { fedclave } from "../../proto/generated/fedclave.js";
import type { Input, Report, Task } from "../core/state.ts";

export type TaskMessage = ResponseOf<"Tasks.Attend">;
export type ClientMessage = RequestOf<"Tasks.Attend">;

/** A task as it travels. */
export function taskMessage(task: Task): TaskMessage {
  switch (task.kind) {
    case "welcome":
      return { kind: "welcome", welcome: { version: WIRE_VERSION } };
    case "train":
      return { kind: "train", train: trainMessage(task) };
    case "validate": {
      const { kind: _, modelHash, packageDigest, ...rest } = task;
      const digests = {
        modelHash: digestBytes(modelHash),
        packageDigest: digestBytes(packageDigest),
      };
      return { kind: "validate", validate: { ...rest, ...digests } };
    }
    case "cancel":
      return { kind: "cancel", cancel: { roundKey: task.key, reason: task.reason } };
    case "committed": {
      const modelHash = digestBytes(task.modelHash);
      return { kind: "committed", committed: { roundKey: task.key, modelHash } };
    }
    case "reassign":
      return { kind: "reassign", reassign: { reason: task.reason } };
  }
}

function trainMessage({ key, terms, remainingMs }: Extract<Task, { kind: "train" }>) {
  const { deadlineMs: _, baseModelHash, packageDigest, sessionSeed, ...rest } = terms;
  return {
    ...rest,
    roundKey: key,
    baseModelHash: digestBytes(baseModelHash),
    packageDigest: digestBytes(packageDigest),
    sessionSeed: digestBytes(sessionSeed),
    hyperparameters: [...terms.hyperparameters],
    remainingMs: Math.floor(remainingMs),
  };
}

/** The first message of a client. @throws RefusedError "hello-missing" | "unknown-version" */
export function checkHello(message: ClientMessage | undefined): void {
  if (message?.kind !== "hello") {
    throw refused("hello-missing", message?.kind ?? "nothing", "ClientHello first");
  }
  needVersion(message.hello.version);
}

/**
 * A later message of a client, as an input.
 * @param member  the name in the client's certificate: no message says whose it is
 * @throws RefusedError for anything malformed
 */
export function clientInput(member: Name, message: ClientMessage): Input {
  switch (message.kind) {
    case "taskStarted":
      return { kind: "task-started", member, key: needRoundKey(message.taskStarted.roundKey) };
    case "taskFailed": {
      const { roundKey, refusals } = message.taskFailed;
      const reasons = readRefusals(refusals);
      if (reasons.length === 0) throw refused("malformed-report", "no reason", "a reason");
      return { kind: "task-failed", member, key: needRoundKey(roundKey), reasons };
    }
    case "validationReport":
      return { kind: "model-validated", member, report: parseReport(message.validationReport) };
    default:
      throw refused("unexpected-message", message.kind ?? "nothing", "a message about a task");
  }
}

const parseReport = (message: fedclave.v1.ValidationReport.$Properties): Report => ({
  ...needSessionRound(message),
  modelHash: needDigest(message.modelHash),
  exampleCount: needInteger(message.exampleCount, 1, Number.MAX_SAFE_INTEGER),
  metrics: needMetrics(message.metrics),
});
