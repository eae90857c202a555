import { readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { sha256, uint64Bytes, utf8 } from "../../../lib/base/bytes.ts";
import { writePackage } from "../../format/archive.ts";
import { MANIFEST_PATH, manifestBytes, validateManifest } from "../../format/manifest.ts";
import { initialModel } from "../../onnx/builder/initial-model.ts";
import type { Network } from "../../onnx/builder/network.ts";
import {
  buildEvaluationGraph,
  buildInferenceGraph,
  buildStepGraph,
} from "../../onnx/builder/step-graph.ts";

/** 784-64-32-10 with ReLU, dropout of one half behind the first layer. */
export const MNIST_NETWORK: Network = {
  features: { name: "x", dtype: "U8", width: 784, divideBy: 255 },
  label: { name: "y", dtype: "U8" },
  layers: [
    { kind: "dense", name: "dense1", inputs: 784, outputs: 64 },
    { kind: "relu" },
    { kind: "dropout", name: "dropout1", width: 64, keepPer256: 128 },
    { kind: "dense", name: "dense2", inputs: 64, outputs: 32 },
    { kind: "relu" },
    { kind: "dense", name: "dense3", inputs: 32, outputs: 10 },
  ],
  classCount: 10,
};

/** A seed from a number that people can type. */
export const exampleSeed = (purpose: string, seed: number): Uint8Array =>
  sha256(utf8(`fedclave/example/mnist/${purpose}\0`), uint64Bytes(seed));

/**
 * The package's archive; the same seed gives the same bytes.
 * @param exampleDir  this folder, where fedn.yaml is
 * @param seed  integer ≥ 0, decides the seed model
 * @throws PackageError if fedn.yaml is not a manifest
 */
export async function buildMnistPackage(exampleDir: string, seed: number): Promise<Uint8Array> {
  const manifest = validateManifest(
    parse(await readFile(path.join(exampleDir, "fedn.yaml"), "utf8")),
  );
  return writePackage(
    new Map([
      [MANIFEST_PATH, manifestBytes(manifest)],
      ["step.onnx", buildStepGraph(MNIST_NETWORK, { isProximal: false })],
      ["proximal-step.onnx", buildStepGraph(MNIST_NETWORK, { isProximal: true })],
      ["evaluation.onnx", buildEvaluationGraph(MNIST_NETWORK)],
      ["inference.onnx", buildInferenceGraph(MNIST_NETWORK)],
      ["seed.safetensors", initialModel(MNIST_NETWORK, exampleSeed("seed-model", seed))],
    ]),
  );
}
