import { parseModel, tensorBytes } from "../../../lib/tensors/safetensors.ts";

/** The model after one update of one client. */
export function trainedModel(model: Uint8Array, update: Uint8Array): Uint8Array {
  const sum = model.slice();
  for (const tensor of parseModel(model).layout.tensors) {
    const values = new Float32Array(tensorBytes(model, tensor).slice().buffer);
    const deltas = new Float32Array(tensorBytes(update, tensor).slice().buffer);
    const next = values.map((value, index) => value + (deltas[index] ?? Number.NaN));
    tensorBytes(sum, tensor).set(new Uint8Array(next.buffer));
  }
  return sum;
}
