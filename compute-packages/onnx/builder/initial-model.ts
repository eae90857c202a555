import { type TensorData, writeSafetensors } from "../../../lib/tensors/safetensors.ts";
import { createKeystream, type Keystream } from "../keystream.ts";
import { biasName, isLearning, type Network, weightName, weightShape } from "./network.ts";

/**
 * A seed model: weights and biases uniform between ± 1/√inputs, as PyTorch starts its linear
 * layers and its convolutions; inputs are the numbers that one output is made of.
 * @param seed  32 bytes; the same seed gives the same bytes
 * @returns canonical safetensors of the network's state
 */
export function initialModel(network: Network, seed: Uint8Array): Uint8Array {
  const tensors = network.layers.filter(isLearning).flatMap((layer): TensorData[] => {
    const kernelSize = layer.kind === "convolution" ? layer.kernel ** 2 : 1;
    const bound = 1 / Math.sqrt(layer.inputs * kernelSize);
    const uniform = (name: string, shape: readonly number[]): TensorData => {
      const stream = createKeystream(seed, `initial/${name}`, 0);
      return { name, dtype: "F32", shape, data: uniformFloats(shape, bound, stream) };
    };
    return [
      uniform(weightName(layer), weightShape(layer)),
      uniform(biasName(layer), [layer.outputs]),
    ];
  });
  return writeSafetensors(tensors);
}

function uniformFloats(shape: readonly number[], bound: number, stream: Keystream): Uint8Array {
  const count = shape.reduce((a, b) => a * b, 1);
  const floats = Float32Array.from({ length: count }, () => (2 * stream.unit() - 1) * bound);
  return new Uint8Array(floats.buffer);
}
