import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../lib/base/clock.ts";
import { digestOf } from "../../../lib/base/ids.ts";
import { silentLog } from "../../../lib/base/log.ts";
import {
  TINY_EXAMPLES,
  tinyData,
  tinyManyExamples,
  tinyMisfit,
  tinyModel,
  tinyPackage,
} from "../../testing/tiny-package.ts";
import { bundleForTests } from "../../testing/trainer-bundle.ts";
import { openTrainer, type Trainer } from "../trainer.ts";
import type { DataId, TrainerResult, TrainRequest, ValidateRequest } from "../trainer-messages.ts";

const bundle = bundleForTests({ "client-trainer": "trainer-worker.ts" });
const archive = tinyPackage();
const model = tinyModel();
const packageDigest = digestOf(archive);
const modelHash = digestOf(model);
const never = new AbortController().signal;

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-trainer-"));
  await writeFile(path.join(directory, "good.safetensors"), tinyData());
  await writeFile(path.join(directory, "misfit.safetensors"), tinyMisfit());
  await writeFile(path.join(directory, "many.safetensors"), tinyManyExamples());
  await writeFile(path.join(directory, "torn.npz"), "PK but no archive");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

let trainer: Trainer;
afterEach(() => trainer.close());

async function open(file = "good.safetensors"): Promise<DataId> {
  trainer = openTrainer(bundle("client-trainer"), systemClock(), silentLog);
  const data = await trainer.loadData(path.join(directory, file));
  await hold();
  return data;
}

async function hold(): Promise<void> {
  await trainer.hold("package", packageDigest, async () => archive.slice());
  await trainer.hold("model", modelHash, async () => model.slice());
}

const trainRequest = (data: DataId, changes: Partial<TrainRequest> = {}): TrainRequest => ({
  kind: "train",
  home: directory,
  data,
  packageDigest,
  modelHash,
  seed: new Uint8Array(32).fill(7),
  proximalMu: 0,
  hyperparameters: {},
  limits: { elementBound: 8, weightCap: 1000, gridExponent: 20 },
  ...changes,
});
const validateRequest = (data: DataId): ValidateRequest => ({
  kind: "validate",
  home: directory,
  data,
  packageDigest,
  modelHash,
});
const longRequest = (data: DataId) =>
  trainRequest(data, {
    hyperparameters: { localEpochs: 1000 },
    limits: { elementBound: 1e9, weightCap: 1e6, gridExponent: 1 },
  });

const codesOf = (result: TrainerResult) =>
  result.kind === "failed" ? result.refusals.map(({ code }) => code) : result.kind;

function updateOf(result: TrainerResult) {
  if (result.kind !== "trained") throw new Error(JSON.stringify(result));
  return result.update;
}

describe("training", () => {
  test("gives the same bytes for the same seed, in this trainer and in a fresh one", async () => {
    const data = await open();
    const first = updateOf(await trainer.run(trainRequest(data), never));
    const second = updateOf(await trainer.run(trainRequest(data), never));
    await trainer.close();
    const fresh = await open();
    const third = updateOf(await trainer.run(trainRequest(fresh), never));
    expect(first.digest).toBe(digestOf(first.body));
    expect([second.digest, third.digest]).toEqual([first.digest, first.digest]);
    expect(first.exampleCount).toBe(TINY_EXAMPLES);
    expect(third.body).toEqual(first.body);
  });

  test("another seed gives another update", async () => {
    const data = await open();
    const first = updateOf(await trainer.run(trainRequest(data), never));
    const seed = new Uint8Array(32).fill(8);
    const second = updateOf(await trainer.run(trainRequest(data, { seed }), never));
    expect(second.digest).not.toBe(first.digest);
  });

  test.each<[string, string, Partial<TrainRequest>, readonly string[]]>([
    ["data of another shape", "misfit.safetensors", {}, ["data-shape-differs"]],
    ["a file that only looks like .npz", "torn.npz", {}, ["data-not-readable"]],
    [
      "a package that is not held",
      "good.safetensors",
      { packageDigest: modelHash },
      ["package-not-held"],
    ],
    [
      "a model that is not held",
      "good.safetensors",
      { modelHash: packageDigest },
      ["model-not-held"],
    ],
    [
      "a hyperparameter the package does not know",
      "good.safetensors",
      { hyperparameters: { momentum: 1 } },
      ["hyperparameter-unknown"],
    ],
    [
      "a proximal term without its graph",
      "good.safetensors",
      { proximalMu: 0.1 },
      ["proximal-not-supported"],
    ],
    [
      "more examples than the session weighs",
      "good.safetensors",
      { limits: { elementBound: 8, weightCap: TINY_EXAMPLES - 1, gridExponent: 20 } },
      ["weight-out-of-range"],
    ],
    [
      "an update past the session's bound",
      "good.safetensors",
      { limits: { elementBound: 1e-9, weightCap: 1000, gridExponent: 20 } },
      ["element-too-large"],
    ],
  ])("%s is a refusal with its code", async (_, file, changes, codes) => {
    const data = await open(file);
    expect(codesOf(await trainer.run(trainRequest(data, changes), never))).toEqual(codes);
  });
});

describe("validation", () => {
  test("gives the package's metrics", async () => {
    const data = await open();
    const result = await trainer.run(validateRequest(data), never);
    expect(result.kind === "validated" && result.exampleCount).toBe(TINY_EXAMPLES);
    expect(result.kind === "validated" && result.metrics.map(({ name }) => name)).toEqual([
      "loss",
      "accuracy",
    ]);
  });

  test("without validation examples is refused", async () => {
    const data = await open("many.safetensors");
    expect(codesOf(await trainer.run(validateRequest(data), never))).toEqual([
      "no-validation-data",
    ]);
  });
});

describe("turns", () => {
  test("validations go before trainings that wait", async () => {
    const data = await open();
    const order: string[] = [];
    const note = (name: string) => (result: TrainerResult) => order.push(`${name} ${result.kind}`);
    await Promise.all([
      trainer.run(trainRequest(data), never).then(note("first")),
      trainer.run(trainRequest(data), never).then(note("second")),
      trainer.run(validateRequest(data), never).then(note("validation")),
    ]);
    expect(order).toEqual(["first trained", "validation validated", "second trained"]);
  });

  test("a running task is cancelled between epochs, a waiting one at once", async () => {
    const data = await open("many.safetensors");
    const [running, waiting] = [new AbortController(), new AbortController()];
    const first = trainer.run(longRequest(data), running.signal);
    const second = trainer.run(trainRequest(data), waiting.signal);
    waiting.abort();
    expect(await second).toEqual({ kind: "cancelled" });
    running.abort();
    expect(await first).toEqual({ kind: "cancelled" });
  });

  test("a task cancelled before it was given is not run", async () => {
    const data = await open();
    expect(await trainer.run(trainRequest(data), AbortSignal.abort())).toEqual({
      kind: "cancelled",
    });
  });

  test("closing cancels what runs and what waits", async () => {
    const data = await open("many.safetensors");
    const results = [trainer.run(longRequest(data), never), trainer.run(trainRequest(data), never)];
    await trainer.close();
    expect(await Promise.all(results)).toEqual([{ kind: "cancelled" }, { kind: "cancelled" }]);
  });

  test("closing in the middle of a training, again and again, does not take the process along", async () => {
    for (let round = 0; round < 6; round++) {
      const data = await open("many.safetensors");
      const result = trainer.run(longRequest(data), never);
      await trainer.close();
      expect(await result).toEqual({ kind: "cancelled" });
    }
  });
});

describe("a trainer that crashes", () => {
  test("fails the task it was at, sends back those that waited, and is started anew", async () => {
    const data = await open();
    // Limits that are none: a bug, which the thread does not survive.
    const broken = trainer.run(trainRequest(data, { limits: null as never }), never);
    const waiting = trainer.run(trainRequest(data), never);
    expect(codesOf(await broken)).toEqual(["trainer-crashed"]);
    await expect(waiting).rejects.toMatchObject({ code: "trainer-crashed" });
    await hold();
    expect(codesOf(await trainer.run(trainRequest(data), never))).toBe("trained");
  });
});

describe("data files", () => {
  test("one that cannot be read is named, with what to do", async () => {
    trainer = openTrainer(bundle("client-trainer"), systemClock(), silentLog);
    const file = path.join(directory, "absent.npz");
    await expect(trainer.loadData(file)).rejects.toMatchObject({
      code: "data-unreadable",
      message: expect.stringContaining(file),
    });
  });
});
