/** A package small enough to train in milliseconds, data that fits it, and data that does not. */

import { writePackage } from "../../compute-packages/format/archive.ts";
import {
  MANIFEST_PATH,
  manifestBytes,
  type OnnxManifest,
} from "../../compute-packages/format/manifest.ts";
import { initialModel } from "../../compute-packages/onnx/builder/initial-model.ts";
import { declarations, type Network } from "../../compute-packages/onnx/builder/network.ts";
import {
  buildEvaluationGraph,
  buildStepGraph,
  CLASSIFIER_METRICS,
} from "../../compute-packages/onnx/builder/step-graph.ts";
import { utf8 } from "../../lib/base/bytes.ts";
import type { Name } from "../../lib/base/ids.ts";
import { type TensorData, writeSafetensors } from "../../lib/tensors/safetensors.ts";

const NETWORK: Network = {
  features: { name: "x", dtype: "U8", width: 4, divideBy: 255 },
  label: { name: "y", dtype: "U8" },
  layers: [
    { kind: "dense", name: "dense1", inputs: 4, outputs: 5 },
    { kind: "relu" },
    { kind: "dropout", name: "dropout1", width: 5, keepPer256: 128 },
    { kind: "dense", name: "dense2", inputs: 5, outputs: 3 },
  ],
  classCount: 3,
};

const MANIFEST: OnnxManifest = {
  kind: "fedclave/compute-package",
  version: 1,
  name: "tiny" as Name,
  runtime: "onnx",
  data: declarations(NETWORK).data,
  onnx: {
    step: { graph: "step.onnx" },
    evaluation: { graph: "evaluation.onnx", metrics: [...CLASSIFIER_METRICS] },
    state: declarations(NETWORK).state,
    masks: declarations(NETWORK).masks,
    hyperparameters: {
      batchSize: { default: 4, minimum: 1, maximum: 64 },
      localEpochs: { default: 2, minimum: 1, maximum: 1000 },
      learningRate: { default: 0.1, minimum: 0.0001, maximum: 100 },
    },
  },
};

/** The archive; the same bytes each time. */
export const tinyPackage = (): Uint8Array =>
  writePackage(
    new Map([
      [MANIFEST_PATH, manifestBytes(MANIFEST)],
      ["step.onnx", buildStepGraph(NETWORK, { isProximal: false })],
      ["evaluation.onnx", buildEvaluationGraph(NETWORK)],
    ]),
  );

/** A model of the package. */
export const tinyModel = (seed = "seed"): Uint8Array =>
  initialModel(NETWORK, utf8(seed.padEnd(32, ".").slice(0, 32)));

export const TINY_EXAMPLES = 20;

/** A data file of the package: 20 examples to train on, 20 to validate with. */
export const tinyData = (): Uint8Array =>
  writeSafetensors([...examples("", TINY_EXAMPLES), ...examples("_validation", TINY_EXAMPLES)]);

/** A data file with examples of another width. */
export const tinyMisfit = (): Uint8Array =>
  writeSafetensors(
    examples("", TINY_EXAMPLES).map((tensor) =>
      tensor.name === "x" ? { ...tensor, shape: [TINY_EXAMPLES * 2, 2] } : tensor,
    ),
  );

/** A data file that keeps the trainer busy for a while at 1000 local epochs. */
export const tinyManyExamples = (): Uint8Array => writeSafetensors(examples("", 20_000));

function examples(suffix: string, count: number): TensorData[] {
  const x = Uint8Array.from({ length: count * 4 }, (_, index) => (index * 37) % 256);
  const y = Uint8Array.from({ length: count }, (_, index) => index % 3);
  return [
    { name: `x${suffix}`, dtype: "U8", shape: [count, 4], data: x },
    { name: `y${suffix}`, dtype: "U8", shape: [count], data: y },
  ];
}
