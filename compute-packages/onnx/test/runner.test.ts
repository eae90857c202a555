import { afterAll, beforeAll, expect, test } from "vitest";
import { layoutOf } from "../../../lib/tensors/layout.ts";
import { parseModel, tensorBytes, writeSafetensors } from "../../../lib/tensors/safetensors.ts";
import type { ExampleSet } from "../data-set.ts";
import { fillMask, maskStream, shuffle, shuffleStream } from "../epoch-randomness.ts";
import { type OnnxRunner, openRunner } from "../runner.ts";
import {
  type Batch,
  type Parameters,
  referenceGradient,
  referenceLoss,
} from "../testing/reference-network.ts";
import { SMALL_NETWORK, smallData, smallExamples, smallPackage } from "../testing/small-package.ts";

const pkg = smallPackage();
const model = pkg.files.get("seed.safetensors")!;
const seed = new Uint8Array(32).fill(1);
/** 4 batches of 4 and 2 examples over. */
const EXAMPLE_COUNT = 18;
const task = { model, seed, hyperparameters: {}, proximalMu: 0 };

let runner: OnnxRunner;
beforeAll(async () => {
  runner = await openRunner(pkg, smallData(EXAMPLE_COUNT));
});
afterAll(() => runner.close());

const code = (text: string) => expect.objectContaining({ code: text });
const refused = (...codes: string[]) =>
  expect.objectContaining({
    refusals: codes.map((each) => expect.objectContaining({ code: each })),
  });

test.each([
  ["plain SGD", 0, 4],
  ["FedProx", 0.5, 4],
  ["fewer examples than a batch: one batch of all", 0, 64],
])("training is the SGD of the reference network: %s", async (_what, proximalMu, batchSize) => {
  const hyperparameters = { localEpochs: 3, batchSize };
  const result = await runner.train({ ...task, proximalMu, hyperparameters });
  const wanted = referenceTraining(smallExamples(EXAMPLE_COUNT), 3, batchSize, proximalMu);
  expect(result.exampleCount).toBe(EXAMPLE_COUNT);
  expect(result.metrics).toEqual([
    { name: "training_loss", value: expect.closeTo(wanted.lastLoss, 5) },
  ]);
  const seen = floatsByName(result.update);
  for (const [name, values] of floatsByName(model)) {
    values.forEach((value, index) => {
      expect(seen.get(name)![index]).toBeCloseTo(wanted.parameters.get(name)![index]! - value, 5);
    });
  }
});

test("an update is canonical and has the model's tensors", async () => {
  const { update } = await runner.train(task);
  expect(parseModel(update).layout).toEqual(parseModel(model).layout);
});

test("two runs give the same bits, in one runner and in two", async () => {
  const other = await openRunner(pkg, smallData(EXAMPLE_COUNT));
  const [first, second] = [await runner.train(task), await runner.train(task)];
  const third = await other.train(task);
  await other.close();
  expect(second).toEqual(first);
  expect(third).toEqual(first);
});

test("tasks that overlap do not touch each other", async () => {
  const alone = await runner.train(task);
  const otherTask = { ...task, seed: seed.with(0, 2) };
  const [first, second] = await Promise.all([runner.train(task), runner.train(otherTask)]);
  expect(first).toEqual(alone);
  expect(second).not.toEqual(alone);
});

test("another seed gives another update", async () => {
  const first = await runner.train(task);
  const second = await runner.train({ ...task, seed: seed.with(31, 0) });
  expect(second.update).not.toEqual(first.update);
});

test("a learning rate of zero changes nothing", async () => {
  const { update } = await runner.train({ ...task, hyperparameters: { learningRate: 0 } });
  for (const values of floatsByName(update).values())
    expect(values.every((v) => v === 0)).toBe(true);
});

test("each epoch is reported, with a loss that falls", async () => {
  const reports: { epoch: number; epochCount: number; loss: number }[] = [];
  const hyperparameters = { localEpochs: 20 };
  const onEpoch = (report: (typeof reports)[number]) => reports.push(report);
  const { metrics } = await runner.train({ ...task, hyperparameters, onEpoch });
  expect(reports.map((each) => each.epoch)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(reports.every((each) => each.epochCount === 20)).toBe(true);
  expect(reports[19]!.loss).toBeLessThan(reports[0]!.loss);
  expect(metrics[0]!.value).toBe(reports[19]!.loss);
});

test("a task that is cancelled stops before the next epoch, and the runner goes on", async () => {
  let epochs = 0;
  const cancelled = runner.train({
    ...task,
    hyperparameters: { localEpochs: 50 },
    onEpoch: () => {
      epochs += 1;
    },
    isCancelled: () => epochs === 3,
  });
  await expect(cancelled).rejects.toThrow(code("cancelled"));
  expect(epochs).toBe(3);
  await expect(runner.validate(model, () => true)).rejects.toThrow(code("cancelled"));
  await expect(runner.train(task)).resolves.toHaveProperty("exampleCount", EXAMPLE_COUNT);
});

test("validation gives the reference loss and the share of right answers, over several batches", async () => {
  const examples = smallExamples(2500);
  const large = await openRunner(pkg, { training: undefined, validation: examples });
  const { exampleCount, metrics } = await large.validate(model);
  const rows = Array.from({ length: 2500 }, (_, index) => index);
  const batch = batchOf(examples, rows, new Map());
  const parameters = floatsByName(model);
  expect(exampleCount).toBe(2500);
  expect(metrics.map((each) => each.name)).toEqual(["loss", "accuracy"]);
  expect(metrics[0]!.value).toBeCloseTo(referenceLoss(SMALL_NETWORK, parameters, batch), 5);
  // A label is right when no other label would have the smaller loss.
  const right = rows.filter((row) => {
    const features = [batch.features[row]!];
    const losses = [0, 1, 2].map((label) =>
      referenceLoss(SMALL_NETWORK, parameters, { features, labels: [label], masks: new Map() }),
    );
    return losses.indexOf(Math.min(...losses)) === batch.labels[row];
  });
  expect(right.length).toBeGreaterThan(0);
  expect(metrics[1]!.value).toBe(right.length / 2500);
  await expect(large.train(task)).rejects.toThrow(code("no-training-data"));
  await large.close();
});

test.each<[string, { readonly [name: string]: number }, number, string[]]>([
  ["an unknown name", { momentum: 0.9 }, 0, ["hyperparameter-unknown"]],
  ["a name of Object.prototype", { constructor: 1 }, 0, ["hyperparameter-unknown"]],
  ["a value past its bound", { learningRate: 10.5 }, 0, ["hyperparameter-out-of-range"]],
  ["NaN", { learningRate: Number.NaN }, 0, ["hyperparameter-out-of-range"]],
  ["half an epoch", { localEpochs: 1.5 }, 0, ["hyperparameter-out-of-range"]],
  ["no example in a batch", { batchSize: 0 }, 0, ["hyperparameter-out-of-range"]],
  ["a negative mu", {}, -1, ["proximal-not-supported"]],
  ["an infinite mu", {}, Number.POSITIVE_INFINITY, ["proximal-not-supported"]],
  [
    "two at once",
    { momentum: 1, batchSize: 65 },
    0,
    ["hyperparameter-unknown", "hyperparameter-out-of-range"],
  ],
])("refuses %s", async (_what, hyperparameters, proximalMu, codes) => {
  const attempt = runner.train({ ...task, hyperparameters, proximalMu });
  await expect(attempt).rejects.toThrow(refused(...codes));
});

test("mu is refused by a package without a proximal graph", async () => {
  const plain = smallPackage((files) => {
    const text = Buffer.from(files.get("fedn.yaml")!).toString();
    files.set("fedn.yaml", Buffer.from(text.replace(',"proximalGraph":"proximal.onnx"', "")));
  });
  const other = await openRunner(plain, smallData(8));
  const attempt = other.train({ ...task, proximalMu: 0.1 });
  await expect(attempt).rejects.toThrow(refused("proximal-not-supported"));
  await other.close();
});

test.each<[string, () => Uint8Array]>([
  ["random bytes", () => new Uint8Array(100)],
  ["a tensor too few", () => writeSafetensors(tensorsOf(model).slice(1))],
  [
    "another shape",
    () =>
      writeSafetensors(
        tensorsOf(model).map((t) => ({ ...t, shape: [t.shape.reduce((a, b) => a * b)] })),
      ),
  ],
  [
    "another name",
    () => writeSafetensors(tensorsOf(model).map((t) => ({ ...t, name: `${t.name}x` }))),
  ],
  ["a trailing byte", () => new Uint8Array([...model, 0])],
])("a model of %s is refused by training and validation", async (_what, other) => {
  await expect(runner.train({ ...task, model: other() })).rejects.toThrow(code("model-mismatch"));
  await expect(runner.validate(other())).rejects.toThrow(code("model-mismatch"));
});

test("training that ends in infinity is an error, not an update", async () => {
  const tensors = tensorsOf(model).map((tensor) => {
    const huge = new Float32Array(tensor.data.byteLength / 4).fill(3e38);
    return { ...tensor, data: new Uint8Array(huge.buffer) };
  });
  const attempt = runner.train({ ...task, model: writeSafetensors(tensors) });
  await expect(attempt).rejects.toThrow(code("diverged"));
});

test("data without validation examples trains and does not validate", async () => {
  const other = await openRunner(pkg, { training: smallExamples(8), validation: undefined });
  await expect(other.train(task)).resolves.toHaveProperty("exampleCount", 8);
  await expect(other.validate(model)).rejects.toThrow(code("no-validation-data"));
  await other.close();
});

test("closing cancels what runs, and a closed runner refuses tasks", async () => {
  const other = await openRunner(pkg, smallData(EXAMPLE_COUNT));
  const running = other.train({ ...task, hyperparameters: { localEpochs: 50 } });
  const outcome = expect(running).rejects.toThrow(code("cancelled"));
  await other.close();
  await outcome;
  await expect(other.train(task)).rejects.toThrow(code("closed"));
  await expect(other.validate(model)).rejects.toThrow(code("closed"));
});

test("a package that the gate refuses is never opened", async () => {
  const hostile = smallPackage((files) => files.set("step.onnx", new Uint8Array([1, 2, 3])));
  await expect(openRunner(hostile, smallData(8))).rejects.toThrow(refused("graph-malformed"));
});

/** SGD with gradients by differences, in float64, over the same shuffles and masks. */
function referenceTraining(
  examples: ExampleSet,
  epochCount: number,
  wantedBatchSize: number,
  mu: number,
): { parameters: Parameters; lastLoss: number } {
  const learningRate = 0.1;
  const batchSize = Math.min(wantedBatchSize, examples.exampleCount);
  const stepCount = Math.floor(examples.exampleCount / batchSize);
  const global = floatsByName(model);
  const parameters = floatsByName(model);
  let lastLoss = 0;
  for (let epoch = 0; epoch < epochCount; epoch++) {
    const order = new Int32Array(examples.exampleCount);
    shuffle(order, shuffleStream(seed, epoch));
    const mask = new Uint8Array(stepCount * batchSize * 5);
    fillMask(mask, 192, maskStream(seed, epoch, "mask"));
    lastLoss = 0;
    for (let step = 0; step < stepCount; step++) {
      const rows = [...order.subarray(step * batchSize, (step + 1) * batchSize)];
      const maskRows = rows.map((_row, index) => {
        const start = (step * batchSize + index) * 5;
        return [...mask.subarray(start, start + 5)];
      });
      const batch = batchOf(examples, rows, new Map([["mask", maskRows]]));
      lastLoss += referenceLoss(SMALL_NETWORK, parameters, batch) / stepCount;
      for (const [name, gradient] of referenceGradient(SMALL_NETWORK, parameters, batch)) {
        const values = parameters.get(name)!;
        gradient.forEach((slope, index) => {
          const drift = values[index]! - global.get(name)![index]!;
          values[index] = values[index]! - learningRate * (slope + mu * drift);
        });
      }
    }
  }
  return { parameters, lastLoss };
}

function batchOf(examples: ExampleSet, rows: readonly number[], masks: Batch["masks"]): Batch {
  const features = new Float32Array(examples.inputs.get("x")!.bytes.buffer);
  const labels = examples.inputs.get("y")!.bytes;
  return {
    features: rows.map((row) => [...features.subarray(row * 3, row * 3 + 3)]),
    labels: rows.map((row) => labels[row]!),
    masks,
  };
}

function tensorsOf(file: Uint8Array) {
  const { layout } = parseModel(file);
  return layoutOf(layout.tensors).tensors.map((tensor) => ({
    name: tensor.name,
    dtype: tensor.dtype,
    shape: tensor.shape,
    data: tensorBytes(file, tensor).slice(),
  }));
}

function floatsByName(file: Uint8Array): Map<string, Float64Array> {
  return new Map(
    tensorsOf(file).map(({ name, data }) => [
      name,
      Float64Array.from(new Float32Array(data.buffer)),
    ]),
  );
}
