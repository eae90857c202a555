import type { InferenceSpec } from "../../format/manifest.ts";
import { LOSS } from "../graph-contract.ts";
import { createGraphWriter, type Value } from "./graph-writer.ts";
import { checkLogits } from "./layer-shapes.ts";
import { layerState } from "./layer-state.ts";
import { evaluationLayer, type ForwardLayer, trainingLayer } from "./layers.ts";
import { batchSize, correctCount, featureInput, likelihood } from "./loss.ts";
import type { Network } from "./network.ts";
import { createOptimizer } from "./optimizer.ts";

/**
 * One step of the network's optimizer as an ONNX file; by SGD, w' = w − rate · ∂loss/∂w, loss the batch's mean
 * negative log-likelihood. With `isProximal` the gradient is ∂loss/∂w + mu · (w − w₀) (FedProx; Li et al. 2020,
 * equation 2); the two are separate graphs so that who does without the term pays nothing for it.
 * @throws BuilderError "layers-do-not-fit"
 * @returns a graph whose inputs and outputs are those of stepContract for a manifest with declarations(network)
 */
export function buildStepGraph(
  network: Network,
  options: { readonly isProximal: boolean },
): Uint8Array {
  const graph = createGraphWriter(options.isProximal ? "proximal_step" : "step");
  const optimizer = createOptimizer(graph, network, options.isProximal);

  const layers: ForwardLayer[] = [];
  let signal = featureInput(graph, network);
  for (const layer of network.layers) {
    const forward = trainingLayer(graph, layer, signal, optimizer);
    layers.push(forward);
    signal = forward.output;
  }

  checkLogits(network, signal.shape);
  const { logProbabilities, oneHot, labels, sum } = likelihood(graph, network, signal.value);
  const examples = batchSize(graph, labels);
  const loss = graph.node("Div", [graph.node("Neg", [sum]), examples], { name: LOSS });
  graph.output(loss, "F32", []);

  // ∂loss/∂logits = (softmax − one-hot) / examples
  const excess = graph.node("Sub", [graph.node("Exp", [logProbabilities]), oneHot]);
  const perExample = graph.node("Div", [optimizer.gradientFactor, examples]);
  let gradient: Value | undefined = graph.node("Mul", [excess, perExample]);
  for (const [index, layer] of [...layers.entries()].reverse()) {
    if (gradient === undefined) break;
    gradient = layer.backward(gradient, hasStateBefore(network, index));
  }
  return graph.toBytes();
}

/** Metrics of buildEvaluationGraph, in the order a manifest lists them. */
export const CLASSIFIER_METRICS = ["loss", "accuracy"] as const;

/** Evaluation as an ONNX file: over a batch, the sum of the losses and the number of correct answers. @throws BuilderError */
export function buildEvaluationGraph(network: Network): Uint8Array {
  const graph = createGraphWriter("evaluation");
  let signal = featureInput(graph, network);
  for (const layer of network.layers) signal = evaluationLayer(graph, layer, signal);
  checkLogits(network, signal.shape);
  const { labels, sum } = likelihood(graph, network, signal.value);
  const [loss, accuracy] = CLASSIFIER_METRICS;
  graph.output(graph.node("Neg", [sum], { name: loss }), "F32", []);
  graph.output(correctCount(graph, signal.value, labels, accuracy), "F32", []);
  return graph.toBytes();
}

/** What buildInferenceGraph takes and gives, as a manifest declares it beside the graph's path. */
export const inferenceDeclaration = (network: Network): Omit<InferenceSpec, "graph"> => ({
  inputs: [network.features.name],
  outputs: {
    [PROBABILITIES]: { dtype: "F32", shape: [network.classCount] },
    [ANSWER]: { dtype: "I64", shape: [] },
  },
});

const PROBABILITIES = "probabilities";
const ANSWER = "answer";

/**
 * Inference as an ONNX file: features in, the probability of each class and the likeliest class out.
 * @throws BuilderError "layers-do-not-fit"
 */
export function buildInferenceGraph(network: Network): Uint8Array {
  const graph = createGraphWriter("inference");
  let signal = featureInput(graph, network);
  for (const layer of network.layers) signal = evaluationLayer(graph, layer, signal);
  checkLogits(network, signal.shape);
  const axis = { axis: { int: 1 } };
  const probabilities = graph.node("Softmax", [signal.value], {
    attributes: axis,
    name: PROBABILITIES,
  });
  const answer = graph.node("ArgMax", [signal.value], {
    attributes: { ...axis, keepdims: { int: 0 } },
    name: ANSWER,
  });
  graph.batchOutput(probabilities, "F32", [network.classCount]);
  graph.batchOutput(answer, "I64", []);
  return graph.toBytes();
}

/** Whether any layer in front of this one learns, and so wants the gradient handed on. */
const hasStateBefore = (network: Network, index: number): boolean =>
  network.layers.slice(0, index).some((layer) => layerState(layer).length > 0);
