/** Each layer's forward nodes, and the backward nodes that belong to them. */
import { globalName, nextName } from "../graph-contract.ts";
import type { GraphWriter, Value } from "./graph-writer.ts";
import { biasName, type DenseLayer, type DropoutLayer, type Layer, weightName } from "./network.ts";

/** FedProx: the step also draws each tensor towards the global model by rate · mu · (w − w₀). */
export type ProximalPull = { readonly pull: Value };

/** What one layer adds to a graph in its forward pass. */
export type ForwardLayer = {
  readonly output: Value;
  /**
   * Adds the backward pass: writes the layer's next state and returns the step with respect to its input, or
   * undefined when nobody asks for it.
   * @param step  learning rate times the gradient of the mean loss with respect to the layer's output; every
   *   gradient here carries the rate, so that an update is one Gemm with no product beside it
   */
  readonly backward: (step: Value, wantsInputStep: boolean) => Value | undefined;
};

/** Forward in training: dropout masks its input. */
export function trainingLayer(
  graph: GraphWriter,
  layer: Layer,
  input: Value,
  proximal: ProximalPull | undefined,
): ForwardLayer {
  switch (layer.kind) {
    case "dense":
      return dense(graph, layer, input, proximal);
    case "relu":
      return relu(graph, input);
    case "dropout":
      return dropout(graph, layer, input);
  }
}

/** Forward in evaluation: dropout passes everything. */
export function evaluationLayer(graph: GraphWriter, layer: Layer, input: Value): Value {
  switch (layer.kind) {
    case "dense":
      return affine(graph, layer, input).output;
    case "relu":
      return graph.node("Relu", [input]);
    case "dropout":
      return input;
  }
}

function affine(graph: GraphWriter, layer: DenseLayer, input: Value) {
  const weight = graph.input(weightName(layer), "F32", [layer.inputs, layer.outputs]);
  const bias = graph.input(biasName(layer), "F32", [layer.outputs]);
  return { weight, bias, output: graph.node("Gemm", [input, weight, bias]) };
}

/** y = xW + b: dW = xᵀdy, db = Σ dy over the batch, dx = dy Wᵀ. */
function dense(
  graph: GraphWriter,
  layer: DenseLayer,
  input: Value,
  proximal: ProximalPull | undefined,
): ForwardLayer {
  const { weight, bias, output } = affine(graph, layer, input);
  return {
    output,
    backward: (step, wantsInputStep) => {
      const weightShape = [layer.inputs, layer.outputs];
      nextState(graph, weight, weightShape, proximal, (options) =>
        graph.node("Gemm", [input, step, weight], {
          ...options,
          attributes: { transA: { int: 1 }, alpha: { float: -1 }, beta: { float: 1 } },
        }),
      );
      nextState(graph, bias, [layer.outputs], proximal, (options) => {
        const axes = graph.ints(`${layer.name}.batch_axis`, [1], [0]);
        const biasStep = graph.node("ReduceSum", [step, axes], {
          attributes: { keepdims: { int: 0 } },
        });
        return graph.node("Sub", [bias, biasStep], options);
      });
      if (!wantsInputStep) return undefined;
      return graph.node("Gemm", [step, weight], { attributes: { transB: { int: 1 } } });
    },
  };
}

/** The descent `descend` gives, less the proximal pull if there is one, as the tensor's next value. */
function nextState(
  graph: GraphWriter,
  current: Value,
  shape: readonly number[],
  proximal: ProximalPull | undefined,
  descend: (options: { readonly name?: string }) => Value,
): void {
  const name = nextName(current.name);
  if (proximal === undefined) {
    graph.output(descend({ name }), "F32", shape);
    return;
  }
  const globalState = graph.input(globalName(current.name), "F32", shape);
  const drift = graph.node("Sub", [current, globalState]);
  const pulled = graph.node("Mul", [proximal.pull, drift]);
  graph.output(graph.node("Sub", [descend({}), pulled], { name }), "F32", shape);
}

/** y = max(x, 0): dx = dy where y > 0, and the sign of y is exactly that 0 or 1. */
function relu(graph: GraphWriter, input: Value): ForwardLayer {
  const output = graph.node("Relu", [input]);
  return {
    output,
    backward: (step, wantsInputStep) =>
      wantsInputStep ? graph.node("Mul", [step, graph.node("Sign", [output])]) : undefined,
  };
}

/** y = x · m/keep with m in {0, 1}: dx = dy · m/keep. */
function dropout(graph: GraphWriter, layer: DropoutLayer, input: Value): ForwardLayer {
  const mask = graph.batchInput(layer.name, "U8", [layer.width]);
  const scale = graph.floats(`${layer.name}.scale`, [], [256 / layer.keepPer256]);
  const kept = graph.node("Cast", [mask], { attributes: { to: { int: 1 } } });
  const factor = graph.node("Mul", [kept, scale]);
  return {
    output: graph.node("Mul", [input, factor]),
    backward: (step, wantsInputStep) =>
      wantsInputStep ? graph.node("Mul", [step, factor]) : undefined,
  };
}
