import { describe, expect, test } from "vitest";
import { digestBytes } from "../../../lib/base/ids.ts";
import { MAX_HYPERPARAMETERS } from "../../../lib/base/limits.ts";
import type { ResponseOf } from "../../../lib/transport/rpcs.ts";
import { clientCodec, type ReceivedResponseOf, serverCodec } from "../../../lib/transport/rpcs.ts";
import { fakeDigest, roundKey, trainTask, validateTask } from "../../testing/client-world.ts";
import { pushCancel, pushCommitted, pushTrain, pushValidate } from "../../testing/wire-tasks.ts";
import { parseAssignment, parseTask, reportMessage } from "../wire.ts";

type Push = ResponseOf<"Tasks.Attend">;
type TrainChanges = Parameters<typeof pushTrain>[2];

const task = { model: fakeDigest("model"), modelSizeBytes: 100, package: fakeDigest("package") };

/** As it comes out of the codec at the other end. */
function travelled(message: Push): ReceivedResponseOf<"Tasks.Attend"> {
  const bytes = serverCodec("Tasks.Attend").encode(message);
  const decoded = clientCodec("Tasks.Attend").decode(bytes);
  if (!("message" in decoded)) throw new Error(decoded.malformed);
  return decoded.message;
}
const parse = (message: Push) => parseTask(travelled(message));

describe("tasks that cannot be", () => {
  test.each<[string, TrainChanges]>([
    ["round_key", { roundKey: { ...roundKey(1), sessionId: "short" } }],
    ["round_key", { roundKey: { ...roundKey(1), round: 0 } }],
    ["round_key", { roundKey: { ...roundKey(1), attempt: 0 } }],
    ["base_model_hash", { baseModelHash: new Uint8Array(31) }],
    ["model_size_bytes", { modelSizeBytes: 0 }],
    ["model_size_bytes", { modelSizeBytes: 2 ** 31 + 1 }],
    ["package_digest", { packageDigest: new Uint8Array() }],
    ["session_seed", { sessionSeed: new Uint8Array(33) }],
    ["proximal_mu", { proximalMu: -1 }],
    ["proximal_mu", { proximalMu: Number.NaN }],
    ["limits", { limits: { elementBound: 0, weightCap: 1, gridExponent: 1 } }],
    [
      "limits",
      { limits: { elementBound: Number.POSITIVE_INFINITY, weightCap: 1, gridExponent: 1 } },
    ],
    ["limits", { limits: { elementBound: 1, weightCap: 0, gridExponent: 1 } }],
    ["limits", { limits: { elementBound: 1, weightCap: 1, gridExponent: 1, normBound: -3 } }],
    ["hyperparameters", { hyperparameters: [{ name: "", value: 1 }] }],
    [
      "hyperparameters",
      {
        hyperparameters: [
          { name: "lr", value: 1 },
          { name: "lr", value: 2 },
        ],
      },
    ],
    ["hyperparameters", { hyperparameters: [{ name: "lr", value: Number.NaN }] }],
    [
      "hyperparameters",
      {
        hyperparameters: Array.from({ length: MAX_HYPERPARAMETERS + 1 }, (_, index) => ({
          name: `h${index}`,
          value: 1,
        })),
      },
    ],
  ])("a wrong %s", (field, changes) => {
    const read = () => parse(pushTrain(roundKey(1), task, changes));
    expect(read).toThrow(expect.objectContaining({ code: "malformed-task" }));
    expect(read).toThrow(`whose ${field} cannot be`);
  });

  test.each<[string, Push]>([
    ["a cancellation of nothing", { cancel: {} }],
    ["a commit of nothing", { committed: {} }],
    ["an empty training", { train: {} }],
    ["an empty validation", { validate: {} }],
    ["a welcome of another version", { welcome: { version: 2 } }],
  ])("%s", (_, message) => {
    expect(() => parse(message)).toThrow(expect.objectContaining({ code: "malformed-task" }));
  });
});

describe("tasks", () => {
  test("a training, whole", () => {
    const limits = { elementBound: 2, weightCap: 3, gridExponent: 4, normBound: 5 };
    const hyperparameters = [{ name: "learningRate", value: 0.5 }];
    const changes = { limits, hyperparameters, proximalMu: 0.25 };
    expect(parse(pushTrain(roundKey(2, 3), task, changes))).toEqual({
      ...trainTask(roundKey(2, 3)),
      baseModelHash: task.model,
      sessionSeed: new Uint8Array(32).fill(0xa5),
      limits,
      proximalMu: 0.25,
      hyperparameters: { learningRate: 0.5 },
    });
  });

  test("without a norm bound there is none", () => {
    const parsed = parse(pushTrain(roundKey(1), task));
    expect(parsed?.kind === "train" && parsed.limits).toEqual({
      elementBound: 8,
      weightCap: 1000,
      gridExponent: 20,
    });
  });

  test("validation, cancellation, commit, welcome and leave", () => {
    const validation = { ...validateTask(7), modelHash: task.model };
    expect(parse(pushValidate(roundKey(7), task))).toEqual(validation);
    expect(parse(pushCancel(roundKey(1)))).toEqual({ kind: "cancel", key: roundKey(1) });
    const committed = { kind: "committed", key: roundKey(1) };
    expect(parse(pushCommitted(roundKey(1), task.model))).toEqual(committed);
    expect(parse({ welcome: { version: 1 } })).toEqual({ kind: "welcome" });
    expect(parse({ reassign: {} })).toEqual({ kind: "reassign", reason: "" });
  });

  test("a message of a later release is passed over", () => {
    expect(parse({})).toBeUndefined();
  });
});

describe("assignments", () => {
  const good = {
    version: 1,
    federationId: "federation",
    member: "alice",
    combiner: "combiner-1",
    address: "127.0.0.1:1",
    combinerSpkiDigest: digestBytes(task.model),
    epoch: 4,
  };
  const own = { federationId: "federation", member: "alice" };

  function read(changes: object) {
    const bytes = serverCodec("Assignments.Assign").encode({ ...good, ...changes });
    const decoded = clientCodec("Assignments.Assign").decode(bytes);
    if (!("message" in decoded)) throw new Error(decoded.malformed);
    return parseAssignment(decoded.message, own);
  }

  test.each([
    ["another version", { version: 2 }],
    ["another federation", { federationId: "other" }],
    ["another member", { member: "bob" }],
    ["no combiner", { combiner: "" }],
    ["a combiner that is no name", { combiner: "Combiner 1" }],
    ["no address", { address: "" }],
    ["a short key digest", { combinerSpkiDigest: new Uint8Array(31) }],
  ])("%s is refused", (_, changes) => {
    expect(() => read(changes)).toThrow(expect.objectContaining({ code: "wrong-assignment" }));
  });

  test("a good one is taken", () => {
    expect(read({})).toEqual({
      combiner: "combiner-1",
      address: "127.0.0.1:1",
      spkiDigest: task.model,
      epoch: 4,
    });
  });
});

test("what a data file holds, or where it lies, stays with its owner", () => {
  const refusals = [
    { code: "data-tensor-unknown", seen: "the file holds patients", wanted: "x, y" },
    { code: "model-mismatch", seen: "1", wanted: "2" },
  ];
  expect(reportMessage({ kind: "task-failed", key: roundKey(1), refusals })).toEqual({
    taskFailed: {
      roundKey: roundKey(1),
      refusals: [{ code: "data-tensor-unknown", seen: "", wanted: "" }, refusals[1]],
    },
  });
});

test("a failed task travels with every reason", () => {
  const refusals = [
    { code: "a", seen: "1", wanted: "2" },
    { code: "b", seen: "3", wanted: "4" },
  ];
  expect(reportMessage({ kind: "task-failed", key: roundKey(1), refusals })).toEqual({
    taskFailed: { roundKey: roundKey(1), refusals },
  });
});
