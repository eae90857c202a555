/** Each layer's forward nodes, and the backward nodes that belong to them. */
import { ELEMENT_TYPES } from "../onnx-file.ts";
import type { GraphWriter, Value } from "./graph-writer.ts";
import { stateInputs } from "./graph-writer.ts";
import { gru, recur } from "./gru.ts";
import {
  convolution,
  convolve,
  maxPool,
  poolLargest,
  reshape,
  trainingReshape,
} from "./image-layers.ts";
import { shapeAfter } from "./layer-shapes.ts";
import { weightAndBias } from "./layer-state.ts";
import type { DenseLayer, DropoutLayer, Layer } from "./network.ts";
import type { Optimizer } from "./optimizer.ts";
import { ofProduct, ofSum } from "./pending-gradients.ts";

/**
 * What flows between layers: `factor` times `value`, factor > 0. Constant factors (pixels divided by 255, what
 * dropout keeps scaled up) wait for the next Gemm, which multiplies by one anyway.
 */
export type Signal = {
  readonly value: Value;
  readonly factor: number;
  /** Without the example axis. */
  readonly shape: readonly number[];
};

const toFloat = { attributes: { to: { int: ELEMENT_TYPES.F32.code } } };

/** What one layer adds to a graph in its forward pass. */
export type ForwardLayer = {
  readonly output: Signal;
  /**
   * Adds the backward pass: has the layer's state learn and returns the gradient with respect to the value (not the
   * signal) that came in, or undefined when nobody asks for it.
   * @param gradient  of the mean loss with respect to the value that went out; every gradient here carries the
   *   optimizer's factor
   */
  readonly backward: (gradient: Value, wantsInputGradient: boolean) => Value | undefined;
};

/** Forward in training: dropout masks its input. */
export function trainingLayer(
  graph: GraphWriter,
  layer: Layer,
  input: Signal,
  optimizer: Optimizer,
): ForwardLayer {
  switch (layer.kind) {
    case "dense":
      return dense(graph, layer, input, optimizer);
    case "convolution":
      return convolution(graph, layer, input, optimizer);
    case "gru":
      return gru(graph, layer, input, optimizer);
    case "max-pool":
      return maxPool(graph, layer, input);
    case "reshape":
      return trainingReshape(graph, layer, input);
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
    case "convolution":
      return convolve(graph, layer, input).output;
    case "gru":
      return recur(graph, layer, input).output;
    case "max-pool":
      return poolLargest(graph, layer, input);
    case "reshape":
      return reshape(graph, layer, input);
    case "relu":
      return { ...input, value: graph.node("Relu", [input.value]) };
    case "dropout":
      return { ...input, shape: shapeAfter(layer, input.shape) };
  }
}

function affine(graph: GraphWriter, layer: DenseLayer, input: Signal) {
  const shape = shapeAfter(layer, input.shape);
  const [weight, bias] = stateInputs(graph, weightAndBias(layer));
  const attributes = { alpha: { float: input.factor } };
  const value = graph.node("Gemm", [input.value, weight, bias], { attributes });
  const output: Signal = { value, factor: 1, shape };
  return { weight, bias, output };
}

/** y = f·vW + b for the signal f·v: dW = f·vᵀdy, db = Σ dy over the batch, dv = f·dy Wᵀ. */
function dense(
  graph: GraphWriter,
  layer: DenseLayer,
  input: Signal,
  optimizer: Optimizer,
): ForwardLayer {
  const { weight, bias, output } = affine(graph, layer, input);
  return {
    output,
    backward: (gradient, wantsInputGradient) => {
      const batchAxis = `${layer.name}.batch_axis`;
      const whole = ofProduct(graph, input.value, gradient, input.factor);
      optimizer.learn(weight, [layer.inputs, layer.outputs], whole);
      optimizer.learn(bias, [layer.outputs], ofSum(graph, gradient, batchAxis, [0]));
      if (!wantsInputGradient) return undefined;
      return graph.node("Gemm", [gradient, weight], {
        attributes: { transB: { int: 1 }, alpha: { float: input.factor } },
      });
    },
  };
}

/** y = max(v, 0), which a positive factor passes through: dv = dy where y > 0, else 0. */
function relu(graph: GraphWriter, input: Signal): ForwardLayer {
  const value = graph.node("Relu", [input.value]);
  return {
    output: { ...input, value },
    backward: (gradient, wantsInputGradient) => {
      if (!wantsInputGradient) return undefined;
      const zero = graph.floats(`${value.name}.zero`, [], [0]);
      // The runtime's Sign would be one node instead of two, and takes longer.
      const isOpen = graph.node("Greater", [value, zero]);
      return graph.node("Mul", [gradient, graph.node("Cast", [isOpen], toFloat)]);
    },
  };
}

/** y = v · m with m in {0, 1}, scaled up by 1/keep: dv = dy · m. */
function dropout(graph: GraphWriter, layer: DropoutLayer, input: Signal): ForwardLayer {
  const mask = graph.batchInput(layer.name, "U8", [layer.width]);
  const kept = graph.node("Cast", [mask], toFloat);
  return {
    output: {
      shape: shapeAfter(layer, input.shape),
      value: graph.node("Mul", [input.value, kept]),
      factor: input.factor * (256 / layer.keepPer256),
    },
    backward: (gradient, wantsInputGradient) =>
      wantsInputGradient ? graph.node("Mul", [gradient, kept]) : undefined,
  };
}
