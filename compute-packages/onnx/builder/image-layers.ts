/** Layers over images [batch, channels, rows, columns]. */
import { type GraphWriter, stateInputs, type Value } from "./graph-writer.ts";
import { shapeAfter } from "./layer-shapes.ts";
import { weightAndBias } from "./layer-state.ts";
import type { ForwardLayer, Signal } from "./layers.ts";
import type { ConvolutionLayer, MaxPoolLayer, ReshapeLayer } from "./network.ts";
import type { Optimizer } from "./optimizer.ts";
import { ofSum, separate } from "./pending-gradients.ts";

/** y = W ∗ x + b in training. With N and C swapped dW = x ∗ dy, a convolution; dx is the transposed one of dy by W. */
export function convolution(
  graph: GraphWriter,
  layer: ConvolutionLayer,
  input: Signal,
  optimizer: Optimizer,
): ForwardLayer {
  const { image, weight, bias, attributes, output } = convolve(graph, layer, input);
  return {
    output,
    backward: (gradient, wantsInputGradient) => {
      const swap = { attributes: { perm: { ints: [1, 0, 2, 3] } } };
      const writeWeightGradient = (): Value => {
        const operands = [
          graph.node("Transpose", [image], swap),
          graph.node("Transpose", [gradient], swap),
        ];
        return graph.node("Transpose", [graph.node("Conv", operands, { attributes })], swap);
      };
      const [weightTensor, biasTensor] = weightAndBias(layer);
      const imageAxes = `${layer.name}.image_axes`;
      optimizer.learn(weight, weightTensor.shape, separate(graph, writeWeightGradient));
      optimizer.learn(bias, biasTensor.shape, ofSum(graph, gradient, imageAxes, [0, 2, 3]));
      if (!wantsInputGradient) return undefined;
      return scaled(
        graph,
        graph.node("ConvTranspose", [gradient, weight], { attributes }),
        input.factor,
      );
    },
  };
}

/** What training and evaluation share of a convolution. */
export function convolve(graph: GraphWriter, layer: ConvolutionLayer, input: Signal) {
  const shape = shapeAfter(layer, input.shape);
  const [weight, bias] = stateInputs(graph, weightAndBias(layer));
  const attributes = { pads: { ints: Array(4).fill(layer.padding) } };
  const image = scaled(graph, input.value, input.factor);
  const value = graph.node("Conv", [image, weight, bias], { attributes });
  const output: Signal = { value, factor: 1, shape };
  return { image, weight, bias, attributes, output };
}

/** The largest of each square in training; its gradient goes back to where the largest was. */
export function maxPool(graph: GraphWriter, layer: MaxPoolLayer, input: Signal): ForwardLayer {
  const attributes = square(layer);
  const { output, indices } = graph.maxPool(input.value, { attributes });
  return {
    output: { ...input, value: output, shape: shapeAfter(layer, input.shape) },
    backward: (gradient, wantsInputGradient) =>
      wantsInputGradient ? graph.node("MaxUnpool", [gradient, indices], { attributes }) : undefined,
  };
}

/** The largest of each square in evaluation. */
export function poolLargest(graph: GraphWriter, layer: MaxPoolLayer, input: Signal): Signal {
  const value = graph.node("MaxPool", [input.value], { attributes: square(layer) });
  return { ...input, value, shape: shapeAfter(layer, input.shape) };
}

/** The same numbers in the layer's shape. */
export function reshape(graph: GraphWriter, layer: ReshapeLayer, input: Signal): Signal {
  const shape = shapeAfter(layer, input.shape);
  return { ...input, value: withShape(graph, input.value, shape), shape };
}

/** A reshaping in training: gradients are shaped back. */
export function trainingReshape(
  graph: GraphWriter,
  layer: ReshapeLayer,
  input: Signal,
): ForwardLayer {
  return {
    output: reshape(graph, layer, input),
    backward: (gradient, wantsInputGradient) =>
      wantsInputGradient ? withShape(graph, gradient, input.shape) : undefined,
  };
}

/** 0 keeps the example axis. */
function withShape(graph: GraphWriter, value: Value, shape: readonly number[]): Value {
  const sizes = graph.ints(`${value.name}.shape`, [shape.length + 1], [0, ...shape]);
  return graph.node("Reshape", [value, sizes]);
}

function scaled(graph: GraphWriter, value: Value, factor: number): Value {
  if (factor === 1) return value;
  return graph.node("Mul", [value, graph.floats(`${value.name}.factor`, [], [factor])]);
}

const square = ({ size }: MaxPoolLayer) => ({
  kernel_shape: { ints: [size, size] },
  strides: { ints: [size, size] },
});
