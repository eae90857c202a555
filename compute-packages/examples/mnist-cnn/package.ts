import { readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { writePackage } from "../../format/archive.ts";
import { MANIFEST_PATH, manifestBytes, validateManifest } from "../../format/manifest.ts";
import { initialModel } from "../../onnx/builder/initial-model.ts";
import type { Network } from "../../onnx/builder/network.ts";
import {
  buildEvaluationGraph,
  buildInferenceGraph,
  buildStepGraph,
} from "../../onnx/builder/step-graph.ts";
import { exampleSeed } from "../mnist/package.ts";

/** 28 × 28 → 8 × 24 × 24 → 8 × 12 × 12 → 16 × 8 × 8 → 16 × 4 × 4 → 10. */
export const MNIST_CNN: Network = {
  features: { name: "x", dtype: "U8", width: 784, divideBy: 255 },
  label: { name: "y", dtype: "U8" },
  layers: [
    { kind: "reshape", shape: [1, 28, 28] },
    { kind: "convolution", name: "conv1", inputs: 1, outputs: 8, kernel: 5, padding: 0 },
    { kind: "max-pool", size: 2 },
    { kind: "relu" },
    { kind: "convolution", name: "conv2", inputs: 8, outputs: 16, kernel: 5, padding: 0 },
    { kind: "max-pool", size: 2 },
    { kind: "relu" },
    { kind: "reshape", shape: [256] },
    { kind: "dense", name: "dense1", inputs: 256, outputs: 10 },
  ],
  classCount: 10,
  optimizer: "momentum",
  hasWeightDecay: true,
};

/**
 * The package's archive; the same seed gives the same bytes.
 * @param exampleDir  this folder, where fedn.yaml is
 * @param seed  integer ≥ 0, decides the seed model
 * @throws PackageError if fedn.yaml is not a manifest
 */
export async function buildMnistCnnPackage(exampleDir: string, seed: number): Promise<Uint8Array> {
  const manifest = validateManifest(
    parse(await readFile(path.join(exampleDir, "fedn.yaml"), "utf8")),
  );
  return writePackage(
    new Map([
      [MANIFEST_PATH, manifestBytes(manifest)],
      ["step.onnx", buildStepGraph(MNIST_CNN, { isProximal: false })],
      ["proximal-step.onnx", buildStepGraph(MNIST_CNN, { isProximal: true })],
      ["evaluation.onnx", buildEvaluationGraph(MNIST_CNN)],
      ["inference.onnx", buildInferenceGraph(MNIST_CNN)],
      ["seed.safetensors", initialModel(MNIST_CNN, exampleSeed("cnn-seed-model", seed))],
    ]),
  );
}
