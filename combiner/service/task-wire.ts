/** The Attend stream between wire and core: tasks out, what clients say in. */
import { digestBytes, type Name } from "../../lib/base/ids.ts";
import type { RequestOf, ResponseOf } from "../../lib/transport/rpcs.ts";
import type { fedclave } from "../../proto/generated/fedclave.js";
import type { Input, Report, Task } from "../core/state.ts";
import {
  needDigest,
  needInteger,
  needRoundKey,
  needVersion,
  readRefusals,
  refused,
} from "./wire.ts";

export type TaskMessage = ResponseOf<"Tasks.Attend">;
export type ClientMessage = RequestOf<"Tasks.Attend">;

const MAX_METRICS = 32;
const METRIC_NAME = /^[a-z0-9_]{1,63}$/;

export function taskMessage(task: Task): TaskMessage {
  switch (task.kind) {
    case "welcome":
      return { kind: "welcome", welcome: { version: 1 } };
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

function parseReport(message: fedclave.v1.ValidationReport.$Properties): Report {
  const { sessionId = "", round = 0 } = message;
  const given = message.metrics ?? [];
  if (given.length > MAX_METRICS) {
    throw refused("malformed-report", `${given.length} metrics`, `at most ${MAX_METRICS}`);
  }
  const metrics = new Map<string, number>();
  for (const { name = "", value = 0 } of given) {
    if (!METRIC_NAME.test(name) || !Number.isFinite(value) || metrics.has(name)) {
      throw refused("malformed-metric", name, "[a-z0-9_]{1,63}, finite, each once");
    }
    metrics.set(name, value);
  }
  return {
    sessionId: needRoundKey({ sessionId, round, attempt: 1 }).sessionId,
    round,
    modelHash: needDigest(message.modelHash),
    exampleCount: needInteger(message.exampleCount, 1, Number.MAX_SAFE_INTEGER),
    metrics: [...metrics].map(([name, value]) => ({ name, value })),
  };
}
