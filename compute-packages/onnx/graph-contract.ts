/** What the graphs of a package must take and give, derived from its manifest. */
import type { InferenceSpec, OnnxManifest } from "../format/manifest.ts";
import { BATCH_AXIS, type Dimension, type ElementDtype } from "./onnx-file.ts";

export type ContractValue = {
  readonly name: string;
  readonly dtype: ElementDtype;
  /** First "batch" where there is one element, row, … per example. */
  readonly dimensions: readonly Dimension[];
};

/** Exactly these inputs and outputs, in any order. */
export type GraphContract = {
  readonly inputs: readonly ContractValue[];
  readonly outputs: readonly ContractValue[];
  /** Most examples the graph is ever given at once. */
  readonly maxBatchSize: number;
};

/** Name of a step graph's output that replaces a tensor of the state or the local state. */
export const nextName = (state: string): string => `${state}/next`;
/** Name of a proximal step graph's input that holds the global model's tensor. */
export const globalName = (state: string): string => `${state}/global`;
/** Output of a step graph: the batch's mean loss. */
export const LOSS = "loss";
/** Input of a proximal step graph: FedProx's mu. */
export const PROXIMAL_MU = "proximalMu";

/** Hyperparameters the runner itself obeys; all others are scalar inputs of the step graph. */
const RUNNER_HYPERPARAMETERS = ["batchSize", "localEpochs"];

/** Hyperparameters that are inputs of the step graph. */
export const graphHyperparameters = (manifest: OnnxManifest): readonly string[] =>
  Object.keys(manifest.onnx.hyperparameters)
    .filter((name) => !RUNNER_HYPERPARAMETERS.includes(name))
    .sort();

/** One training step: inputs, masks, state, local state and hyperparameters in; mean loss and next states out. */
export function stepContract(manifest: OnnxManifest, isProximal: boolean): GraphContract {
  const state = stateValues(manifest);
  const carried = [...state, ...localStateValues(manifest)];
  const masks = Object.entries(manifest.onnx.masks).map(([name, mask]) =>
    value(name, "U8", [BATCH_AXIS, ...mask.shape]),
  );
  const scalars = graphHyperparameters(manifest).map((name) => value(name, "F32", []));
  const proximal = isProximal
    ? [value(PROXIMAL_MU, "F32", []), ...state.map((each) => renamed(each, globalName(each.name)))]
    : [];
  return {
    inputs: [...dataValues(manifest), ...masks, ...carried, ...scalars, ...proximal],
    outputs: [value(LOSS, "F32", []), ...carried.map((each) => renamed(each, nextName(each.name)))],
    maxBatchSize: manifest.onnx.hyperparameters.batchSize.maximum,
  };
}

/** Evaluation: inputs and state in; per metric its sum over the examples out. */
export function evaluationContract(manifest: OnnxManifest, maxBatchSize: number): GraphContract {
  return {
    inputs: [...dataValues(manifest), ...stateValues(manifest)],
    outputs: manifest.onnx.evaluation.metrics.map((name) => value(name, "F32", [])),
    maxBatchSize,
  };
}

/** Inference: the inputs it names and state in; its outputs, each with an example axis, out. */
export function inferenceContract(
  manifest: OnnxManifest,
  { inputs, outputs }: InferenceSpec,
  maxBatchSize: number,
): GraphContract {
  const given = dataValues(manifest).filter(({ name }) => inputs.includes(name));
  return {
    inputs: [...given, ...stateValues(manifest)],
    outputs: Object.entries(outputs).map(([name, spec]) =>
      value(name, spec.dtype, [BATCH_AXIS, ...spec.shape]),
    ),
    maxBatchSize,
  };
}

const dataValues = (manifest: OnnxManifest): ContractValue[] =>
  Object.entries(manifest.data).map(([name, input]) =>
    value(name, input.dtype, [BATCH_AXIS, ...input.shape]),
  );

const stateValues = ({ onnx }: OnnxManifest): ContractValue[] =>
  Object.entries(onnx.state).map(([name, spec]) => value(name, spec.dtype, spec.shape));

const localStateValues = ({ onnx }: OnnxManifest): ContractValue[] =>
  Object.entries(onnx.localState ?? {}).map(([name, spec]) => value(name, spec.dtype, spec.shape));

const value = (
  name: string,
  dtype: ElementDtype,
  dimensions: readonly Dimension[],
): ContractValue => ({ name, dtype, dimensions });

const renamed = (each: ContractValue, name: string): ContractValue => ({ ...each, name });
