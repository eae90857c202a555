/** Each layer's forward nodes, and the backward nodes that belong to them. */
import { globalName, nextName } from "../graph-contract.ts";
import { ELEMENT_TYPES } from "../onnx-file.ts";
import type { GraphWriter, Value } from "./graph-writer.ts";
import { biasName, type DenseLayer, type DropoutLayer, type Layer, weightName } from "./network.ts";

/**
 * What flows between layers: `factor` times `value`, factor > 0. Constant factors (pixels divided by 255, what
 * dropout keeps scaled up) wait for the next Gemm, which multiplies by one anyway.
 */
export type Signal = { readonly value: Value; readonly factor: number };

/** FedProx: the step also draws each tensor towards the global model by rate · mu · (w − w₀). */
export type ProximalPull = { readonly pull: Value };

const toFloat = { attributes: { to: { int: ELEMENT_TYPES.F32.code } } };

/** What one layer adds to a graph in its forward pass. */
export type ForwardLayer = {
  readonly output: Signal;
  /**
   * Adds the backward pass: writes the layer's next state and returns the step with respect to the value (not the
   * signal) that came in, or undefined when nobody asks for it.
   * @param step  learning rate times the gradient of the mean loss with respect to the value that went out; every
   *   gradient here carries the rate, so that an update is one Gemm with no product beside it
   */
  readonly backward: (step: Value, wantsInputStep: boolean) => Value | undefined;
};

/** Forward in training: dropout masks its input. */
export function trainingLayer(
  graph: GraphWriter,
  layer: Layer,
  input: Signal,
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
export function evaluationLayer(graph: GraphWriter, layer: Layer, input: Signal): Signal {
  switch (layer.kind) {
    case "dense":
      return affine(graph, layer, input).output;
    case "relu":
      return { ...input, value: graph.node("Relu", [input.value]) };
    case "dropout":
      return input;
  }
}

function affine(graph: GraphWriter, layer: DenseLayer, input: Signal) {
  const weight = graph.input(weightName(layer), "F32", [layer.inputs, layer.outputs]);
  const bias = graph.input(biasName(layer), "F32", [layer.outputs]);
  const attributes = { alpha: { float: input.factor } };
  const value = graph.node("Gemm", [input.value, weight, bias], { attributes });
  return { weight, bias, output: { value, factor: 1 } };
}

/** y = f·vW + b for the signal f·v: dW = f·vᵀdy, db = Σ dy over the batch, dv = f·dy Wᵀ. */
function dense(
  graph: GraphWriter,
  layer: DenseLayer,
  input: Signal,
  proximal: ProximalPull | undefined,
): ForwardLayer {
  const { weight, bias, output } = affine(graph, layer, input);
  return {
    output,
    backward: (step, wantsInputStep) => {
      const weightShape = [layer.inputs, layer.outputs];
      nextState(graph, weight, weightShape, proximal, (options) =>
        graph.node("Gemm", [input.value, step, weight], {
          ...options,
          attributes: {
            transA: { int: 1 },
            alpha: { float: -input.factor },
            beta: { float: 1 },
          },
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
      return graph.node("Gemm", [step, weight], {
        attributes: { transB: { int: 1 }, alpha: { float: input.factor } },
      });
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

/** y = max(v, 0), which a positive factor passes through: dv = dy where y > 0, else 0. */
function relu(graph: GraphWriter, input: Signal): ForwardLayer {
  const value = graph.node("Relu", [input.value]);
  return {
    output: { ...input, value },
    backward: (step, wantsInputStep) => {
      if (!wantsInputStep) return undefined;
      const zero = graph.floats(`${value.name}.zero`, [], [0]);
      // The runtime's Sign would be one node instead of two, and takes longer.
      const isOpen = graph.node("Greater", [value, zero]);
      return graph.node("Mul", [step, graph.node("Cast", [isOpen], toFloat)]);
    },
  };
}

/** y = v · m with m in {0, 1}, scaled up by 1/keep: dv = dy · m. */
function dropout(graph: GraphWriter, layer: DropoutLayer, input: Signal): ForwardLayer {
  const mask = graph.batchInput(layer.name, "U8", [layer.width]);
  const kept = graph.node("Cast", [mask], toFloat);
  return {
    output: {
      value: graph.node("Mul", [input.value, kept]),
      factor: input.factor * (256 / layer.keepPer256),
    },
    backward: (step, wantsInputStep) =>
      wantsInputStep ? graph.node("Mul", [step, kept]) : undefined,
  };
}
