/** A package whose model has about a thousand parameters: what a round costs when there is next to nothing to move. */

import type { Name } from "../../../lib/base/ids.ts";
import { layoutOf } from "../../../lib/tensors/layout.ts";
import { parseModel, tensorBytes } from "../../../lib/tensors/safetensors.ts";
import { writePackage } from "../../format/archive.ts";
import { MANIFEST_PATH, manifestBytes, type OnnxManifest } from "../../format/manifest.ts";
import { initialModel } from "../../onnx/builder/initial-model.ts";
import { declarations, type Network } from "../../onnx/builder/network.ts";
import {
  buildEvaluationGraph,
  buildStepGraph,
  CLASSIFIER_METRICS,
} from "../../onnx/builder/step-graph.ts";

const NETWORK: Network = {
  features: { name: "x", dtype: "U8", width: 31, divideBy: 255 },
  label: { name: "y", dtype: "U8" },
  layers: [{ kind: "dense", name: "dense1", inputs: 31, outputs: 32 }],
  classCount: 32,
};

export function smallPackage(): Uint8Array {
  const { data, state, masks } = declarations(NETWORK);
  const manifest: OnnxManifest = {
    kind: "fedclave/compute-package",
    version: 1,
    name: "small" as Name,
    runtime: "onnx",
    data,
    onnx: {
      step: { graph: "step.onnx" },
      evaluation: { graph: "evaluation.onnx", metrics: [...CLASSIFIER_METRICS] },
      state,
      masks,
      hyperparameters: {
        batchSize: { default: 4, minimum: 1, maximum: 64 },
        localEpochs: { default: 1, minimum: 1, maximum: 10 },
        learningRate: { default: 0.1, minimum: 0.0001, maximum: 1 },
      },
    },
  };
  return writePackage(
    new Map([
      [MANIFEST_PATH, manifestBytes(manifest)],
      ["step.onnx", buildStepGraph(NETWORK, { isProximal: false })],
      ["evaluation.onnx", buildEvaluationGraph(NETWORK)],
    ]),
  );
}

/** Its seed model, about 4 KB. */
export const smallModel = (): Uint8Array => initialModel(NETWORK, new Uint8Array(32).fill(7));

/** An update to it: the same small change of every parameter. */
export function smallUpdate(): Uint8Array {
  const { layout } = parseModel(smallModel());
  const { header, sizeBytes, tensors } = layoutOf(layout.tensors);
  const body = new Uint8Array(sizeBytes);
  body.set(header);
  for (const tensor of tensors) {
    const change = new Float32Array(tensor.elementCount).fill(1e-6);
    tensorBytes(body, tensor).set(new Uint8Array(change.buffer));
  }
  return body;
}
