/** Which shapes a layer takes, and what it makes of them; the example axis is left out. */
import { BuilderError } from "./builder-error.ts";
import type { Layer, Network } from "./network.ts";

export type LayerShape = readonly number[];

/** The shape of each example's features. */
export const featureShape = (network: Network): LayerShape => [network.features.width];

/**
 * The shape of a layer's output.
 * @throws BuilderError "layers-do-not-fit" if the layer does not take this input
 */
export function shapeAfter(layer: Layer, input: LayerShape): LayerShape {
  const output = outputShape(layer, input);
  if (output !== undefined) return output;
  const name = "name" in layer ? ` ${layer.name}` : "";
  throw new BuilderError("layers-do-not-fit", `${layer.kind}${name} does not take [${input}]`);
}

/** @throws BuilderError "layers-do-not-fit" if these are not the logits of the network's classes */
export function checkLogits(network: Network, shape: LayerShape): void {
  if (shape.length === 1 && shape[0] === network.classCount) return;
  const wanted = `${network.classCount} classes`;
  throw new BuilderError("layers-do-not-fit", `the last layer gives [${shape}], not ${wanted}`);
}

function outputShape(layer: Layer, input: LayerShape): LayerShape | undefined {
  // Of sequences: steps and inputs. Of images: channels, rows and columns.
  const [first, rows = 0, columns = 0] = input;
  switch (layer.kind) {
    case "dense":
      return input.length === 1 && first === layer.inputs ? [layer.outputs] : undefined;
    case "relu":
      return input;
    case "dropout":
      return input.length === 1 && first === layer.width ? input : undefined;
    case "reshape":
      return layer.shape.reduce((a, b) => a * b, 1) === input.reduce((a, b) => a * b, 1)
        ? layer.shape
        : undefined;
    case "gru":
      return input.length === 2 && rows === layer.inputs ? [layer.outputs] : undefined;
    case "max-pool": {
      const sizes = [rows / layer.size, columns / layer.size];
      const fits = input.length === 3 && sizes.every((size) => size >= 1 && Number.isInteger(size));
      return fits && first !== undefined ? [first, ...sizes] : undefined;
    }
    case "convolution": {
      const { kernel, padding } = layer;
      const sizes = [rows, columns].map((size) => size - kernel + 1 + 2 * padding);
      // The weight's gradient slides the output over the input, and a window may not lie in padding alone.
      const fits = padding >= 0 && padding < kernel && sizes.every((size) => size > padding);
      return input.length === 3 && first === layer.inputs && fits
        ? [layer.outputs, ...sizes]
        : undefined;
    }
  }
}
