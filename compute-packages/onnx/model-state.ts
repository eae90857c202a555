/** A model file as the state of a graph, and trained state as an update. */

import { equalBytes } from "../../lib/base/bytes.ts";
import {
  layoutOf,
  type PlacedTensor,
  type TensorLayout,
  type TensorSpec,
} from "../../lib/tensors/layout.ts";
import { parseModel, tensorBytes } from "../../lib/tensors/safetensors.ts";
import { TensorError } from "../../lib/tensors/tensor-error.ts";
import type { OnnxManifest } from "../format/manifest.ts";
import { RunnerError } from "./runner-error.ts";

/** Elements by tensor name. */
export type ModelState = ReadonlyMap<string, Float32Array>;

/** The layout of every model of a package: its declared state, all of it float32. */
export const modelLayout = (manifest: OnnxManifest): TensorLayout =>
  layoutOf(
    Object.entries(manifest.onnx.state).map(([name, spec]): TensorSpec => ({ name, ...spec })),
  );

/**
 * The tensors of a model file, copied.
 * @param layout  modelLayout of the package
 * @throws RunnerError "model-mismatch" if the file is not canonical or holds other tensors
 */
export function readModelState(model: Uint8Array, layout: TensorLayout): ModelState {
  try {
    const header = parseModel(model).layout.header;
    if (!equalBytes(header, layout.header)) {
      throw new RunnerError("model-mismatch", "the model's tensors are not the package's state");
    }
  } catch (cause) {
    if (!(cause instanceof TensorError)) throw cause;
    throw new RunnerError("model-mismatch", `the model cannot be read: ${cause.message}`, {
      cause,
    });
  }
  return new Map(
    layout.tensors.map((tensor) => {
      const elements = new Float32Array(tensor.elementCount);
      bytesOf(elements).set(tensorBytes(model, tensor));
      return [tensor.name, elements];
    }),
  );
}

/**
 * The update: trained − base, element by element in float32, as a canonical file of the model's layout.
 * @throws RunnerError "diverged" if a difference is not finite
 */
export function writeUpdate(
  base: ModelState,
  trained: ModelState,
  layout: TensorLayout,
): Uint8Array {
  const update = new Uint8Array(layout.sizeBytes);
  update.set(layout.header);
  for (const tensor of layout.tensors) {
    const delta = difference(base.get(tensor.name), trained.get(tensor.name), tensor);
    tensorBytes(update, tensor).set(bytesOf(delta));
  }
  return update;
}

function difference(
  base: Float32Array | undefined,
  trained: Float32Array | undefined,
  { name, elementCount }: PlacedTensor,
): Float32Array {
  const delta = new Float32Array(elementCount);
  let isDefined = true;
  for (let index = 0; index < elementCount; index++) {
    const value = Math.fround((trained?.[index] ?? Number.NaN) - (base?.[index] ?? Number.NaN));
    delta[index] = value;
    isDefined = isDefined && Number.isFinite(value);
  }
  if (isDefined) return delta;
  throw new RunnerError("diverged", `training made ${name} infinite or undefined`);
}

const bytesOf = (elements: Float32Array): Uint8Array =>
  new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
