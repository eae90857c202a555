import { dtypeSizeBytes, isTrainable } from "./dtype.ts";
import { readFloats } from "./floats.ts";
import type { TensorLayout } from "./layout.ts";
import { tensorBytes } from "./safetensors.ts";

/** Elements looked at in one step. */
const STEP_ELEMENTS = 65_536;

/**
 * The first trainable tensor that holds a NaN or an infinity; undefined if all its numbers are finite. Other tensors
 * cannot hold one.
 * @param file  safetensors of this layout
 */
export function firstNonFinite(file: Uint8Array, layout: TensorLayout): string | undefined {
  for (const tensor of layout.tensors) {
    const { name, dtype } = tensor;
    if (!isTrainable(dtype)) continue;
    const bytes = tensorBytes(file, tensor);
    const stepBytes = STEP_ELEMENTS * dtypeSizeBytes(dtype);
    for (let at = 0; at < bytes.byteLength; at += stepBytes) {
      const part = bytes.subarray(at, at + stepBytes);
      const values = new Float64Array(part.byteLength / dtypeSizeBytes(dtype));
      readFloats(dtype, part, values);
      if (!values.every(Number.isFinite)) return name;
    }
  }
  return undefined;
}
