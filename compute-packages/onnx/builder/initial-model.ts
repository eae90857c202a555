import { type TensorData, writeSafetensors } from "../../../lib/tensors/safetensors.ts";
import { createKeystream, type Keystream } from "../keystream.ts";
import { sizeOf } from "../operator.ts";
import { layerState } from "./layer-state.ts";
import type { Network } from "./network.ts";

/**
 * A seed model: weights and biases uniform between ± 1/√n, as PyTorch starts these layers; n is the number of inputs
 * that one output is made of, for recurrent layers the number of outputs.
 * @param seed  32 bytes; the same seed gives the same bytes
 * @returns canonical safetensors of the network's state
 */
export function initialModel(network: Network, seed: Uint8Array): Uint8Array {
  const tensors = network.layers.flatMap(layerState).map(({ name, shape, fanIn }): TensorData => {
    const stream = createKeystream(seed, `initial/${name}`, 0);
    return { name, dtype: "F32", shape, data: uniformFloats(shape, 1 / Math.sqrt(fanIn), stream) };
  });
  return writeSafetensors(tensors);
}

function uniformFloats(shape: readonly number[], bound: number, stream: Keystream): Uint8Array {
  const floats = Float32Array.from(
    { length: sizeOf(shape) },
    () => (2 * stream.unit() - 1) * bound,
  );
  return new Uint8Array(floats.buffer);
}
