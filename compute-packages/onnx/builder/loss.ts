/** Both ends of a classifier: features in, negative log-likelihood out. */
import { ELEMENT_TYPES } from "../onnx-file.ts";
import type { GraphWriter, Value } from "./graph-writer.ts";
import { featureShape } from "./layer-shapes.ts";
import type { Signal } from "./layers.ts";
import type { Network } from "./network.ts";

const toFloat = { attributes: { to: { int: ELEMENT_TYPES.F32.code } } };
const toInt64 = { attributes: { to: { int: ELEMENT_TYPES.I64.code } } };

/** The features as float32; their division is left to the first layer that multiplies. */
export function featureInput(graph: GraphWriter, network: Network): Signal {
  const { features } = network;
  const raw = graph.batchInput(features.name, features.dtype, [features.width]);
  const value = features.dtype === "F32" ? raw : graph.node("Cast", [raw], toFloat);
  return { value, factor: 1 / features.divideBy, shape: featureShape(network) };
}

/** Log-probabilities of the classes, and what the labels say about them. */
export type Likelihood = {
  /** [batch, classCount] */
  readonly logProbabilities: Value;
  /** [batch, classCount], 1 at the label and 0 elsewhere; all 0 for a label outside the classes. */
  readonly oneHot: Value;
  /** [batch] int64 */
  readonly labels: Value;
  /** Scalar: Σ over the batch of log-probability at the label. */
  readonly sum: Value;
};

/** Log-softmax of the last layer's output, read at the labels. */
export function likelihood(graph: GraphWriter, network: Network, logits: Value): Likelihood {
  const { label, classCount } = network;
  const raw = graph.batchInput(label.name, label.dtype, []);
  const labels = label.dtype === "I64" ? raw : graph.node("Cast", [raw], toInt64);
  const depth = graph.ints(`${label.name}.classes`, [1], [classCount]);
  const offOn = graph.floats(`${label.name}.off_on`, [2], [0, 1]);
  const oneHot = graph.node("OneHot", [labels, depth, offOn], { attributes: { axis: { int: 1 } } });
  const logProbabilities = graph.node("LogSoftmax", [logits], { attributes: { axis: { int: 1 } } });
  const atLabel = graph.node("Mul", [logProbabilities, oneHot]);
  return { logProbabilities, oneHot, labels, sum: sumOf(graph, atLabel) };
}

/** Number of examples in the batch, as a float32 scalar. */
export const batchSize = (graph: GraphWriter, labels: Value): Value =>
  graph.node("Cast", [graph.node("Size", [labels])], toFloat);

/** Scalar: how many labels are the class of the largest output. */
export function correctCount(
  graph: GraphWriter,
  logits: Value,
  labels: Value,
  name: string,
): Value {
  const attributes = { axis: { int: 1 }, keepdims: { int: 0 } };
  const best = graph.node("ArgMax", [logits], { attributes });
  const isCorrect = graph.node("Equal", [best, labels]);
  return sumOf(graph, graph.node("Cast", [isCorrect], toFloat), name);
}

/** Scalar: Σ over all elements. */
function sumOf(graph: GraphWriter, value: Value, name?: string): Value {
  const attributes = { keepdims: { int: 0 } };
  return graph.node(
    "ReduceSum",
    [value],
    name === undefined ? { attributes } : { attributes, name },
  );
}
