/** A package small enough to check by hand, and data for it. */
import { type OnnxPackage, packageFor, readPackage, writePackage } from "../../format/archive.ts";
import { manifestBytes, validateManifest } from "../../format/manifest.ts";
import { initialModel } from "../builder/initial-model.ts";
import { declarations, type Network } from "../builder/network.ts";
import {
  buildEvaluationGraph,
  buildInferenceGraph,
  buildStepGraph,
  CLASSIFIER_METRICS,
  inferenceDeclaration,
} from "../builder/step-graph.ts";
import type { DataSet, ExampleSet } from "../data-set.ts";

/** Every kind of layer: 3 → 5 → relu → dropout ¾ → 4 → relu → 3. */
export const SMALL_NETWORK: Network = {
  features: { name: "x", dtype: "F32", width: 3, divideBy: 2 },
  label: { name: "y", dtype: "U8" },
  layers: [
    { kind: "dense", name: "first", inputs: 3, outputs: 5 },
    { kind: "relu" },
    { kind: "dropout", name: "mask", width: 5, keepPer256: 192 },
    { kind: "dense", name: "second", inputs: 5, outputs: 4 },
    { kind: "relu" },
    { kind: "dense", name: "third", inputs: 4, outputs: 3 },
  ],
  classCount: 3,
};

export const smallSeed = new Uint8Array(32).fill(9);

/** The network as a package; `change` may replace files or add to them. */
export function smallPackage(
  change: (files: Map<string, Uint8Array>) => void = () => {},
): OnnxPackage {
  const manifest = validateManifest({
    kind: "fedclave/compute-package",
    version: 1,
    name: "small",
    runtime: "onnx",
    data: declarations(SMALL_NETWORK).data,
    onnx: {
      step: { graph: "step.onnx", proximalGraph: "proximal.onnx" },
      evaluation: { graph: "evaluation.onnx", metrics: [...CLASSIFIER_METRICS] },
      inference: { graph: "inference.onnx", ...inferenceDeclaration(SMALL_NETWORK) },
      seedModel: "seed.safetensors",
      state: declarations(SMALL_NETWORK).state,
      masks: declarations(SMALL_NETWORK).masks,
      hyperparameters: {
        batchSize: { default: 4, minimum: 1, maximum: 64 },
        localEpochs: { default: 2, minimum: 1, maximum: 50 },
        learningRate: { default: 0.1, minimum: 0, maximum: 10 },
      },
    },
  });
  const files = new Map([
    ["fedn.yaml", manifestBytes(manifest)],
    ["step.onnx", buildStepGraph(SMALL_NETWORK, { isProximal: false })],
    ["proximal.onnx", buildStepGraph(SMALL_NETWORK, { isProximal: true })],
    ["evaluation.onnx", buildEvaluationGraph(SMALL_NETWORK)],
    ["inference.onnx", buildInferenceGraph(SMALL_NETWORK)],
    ["seed.safetensors", initialModel(SMALL_NETWORK, smallSeed)],
  ]);
  change(files);
  return packageFor("onnx", readPackage(writePackage(files)));
}

/** `count` points around three corners, with their corner as label. */
export function smallExamples(count: number): ExampleSet {
  const labels = Uint8Array.from({ length: count }, (_, index) => index % 3);
  const floats = Float32Array.from({ length: count * 3 }, (_, at) => {
    const corner = labels[Math.floor(at / 3)] === at % 3 ? 2 : 0;
    return corner + Math.sin(at * 12.9898);
  });
  return {
    exampleCount: count,
    inputs: new Map([
      ["x", { spec: { dtype: "F32", shape: [3] }, bytes: new Uint8Array(floats.buffer) }],
      ["y", { spec: { dtype: "U8", shape: [] }, bytes: labels }],
    ]),
  };
}

export const smallData = (count: number): DataSet => ({
  training: smallExamples(count),
  validation: smallExamples(count),
});
