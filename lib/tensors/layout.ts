/** Where each tensor of a canonical safetensors file lies. The header bytes of a layout are its identity. */
import { concatBytes, utf8 } from "../base/bytes.ts";
import { printable } from "../base/refusal.ts";
import { type Dtype, dtypeSizeBytes, isTrainable } from "./dtype.ts";
import {
  MAX_FILE_BYTES,
  MAX_HEADER_BYTES,
  MAX_RANK,
  MAX_TENSOR_ELEMENTS,
  MAX_TENSORS,
} from "./limits.ts";
import { TensorError } from "./tensor-error.ts";
import { checkTensorName, compareNames } from "./tensor-name.ts";

/** Name, element type and shape; [] is a scalar, an axis of 0 makes an empty tensor. */
export type TensorSpec = {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
};

export type PlacedTensor = TensorSpec & {
  readonly elementCount: number;
  /** From the start of the file. A multiple of the element's size only if those before it allow that. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
};

export type TensorLayout = {
  /** Sorted by the UTF-8 bytes of their names; data lies in this order without gaps. */
  readonly tensors: readonly PlacedTensor[];
  /** The file's first bytes: 8-byte little-endian length, then JSON padded with spaces to a multiple of 8. */
  readonly header: Uint8Array;
  /** Of the whole file. */
  readonly sizeBytes: number;
  /** Of all tensors. */
  readonly elementCount: number;
};

/**
 * The one canonical layout of a set of tensors, whatever order they are given in.
 * @throws TensorError "bad-name" | "duplicate-name" | "shape-out-of-range" | "too-many-tensors" | "header-too-large" |
 *   "too-large"
 */
export function layoutOf(specs: readonly TensorSpec[]): TensorLayout {
  checkTensorCount(specs.length);
  for (const spec of specs) checkTensorName(spec.name);
  const sorted = [...specs].sort((a, b) => compareNames(a.name, b.name));
  const relative = sorted.map(({ name, dtype, shape }, index) => {
    if (sorted[index - 1]?.name === name) {
      throw new TensorError("duplicate-name", `two tensors are named ${printable(name)}`);
    }
    const elementCount = elementCountOf(shape);
    return { name, dtype, shape: [...shape], elementCount };
  });
  let end = 0;
  const placed = relative.map((tensor): PlacedTensor => {
    const sizeBytes = tensor.elementCount * dtypeSizeBytes(tensor.dtype);
    end += sizeBytes;
    return { ...tensor, offsetBytes: end - sizeBytes, sizeBytes };
  });
  const header = headerOf(placed);
  const sizeBytes = header.byteLength + end;
  if (sizeBytes > MAX_FILE_BYTES) {
    throw new TensorError("too-large", `${sizeBytes} bytes of tensors, at most ${MAX_FILE_BYTES}`);
  }
  const tensors = placed.map((tensor) => ({
    ...tensor,
    offsetBytes: tensor.offsetBytes + header.byteLength,
  }));
  return { tensors, header, sizeBytes, elementCount: sum(tensors.map((t) => t.elementCount)) };
}

/**
 * The layout of an update: the tensors that training changes, with their names, types and shapes.
 * @throws TensorError "nothing-trainable" if all are integers or Booleans
 */
export function trainableLayout(layout: TensorLayout): TensorLayout {
  const tensors = layout.tensors.filter((tensor) => isTrainable(tensor.dtype));
  if (tensors.length === 0) {
    throw new TensorError("nothing-trainable", "no tensor is of type F16, BF16, F32 or F64");
  }
  return layoutOf(tensors);
}

/** The layout of the sums over updates: the trainable tensors, each of type F64. Throws as trainableLayout. */
export function sumLayout(layout: TensorLayout): TensorLayout {
  return layoutOf(trainableLayout(layout).tensors.map((tensor) => ({ ...tensor, dtype: "F64" })));
}

/**
 * Product of the axes; 1 for [].
 * @throws TensorError "shape-out-of-range" past 8 axes, 2^31 elements, or for an axis that is no integer ≥ 0
 */
export function elementCountOf(shape: readonly number[]): number {
  let count = 1;
  for (const axis of shape) {
    if (!Number.isSafeInteger(axis) || axis < 0 || axis > MAX_TENSOR_ELEMENTS) {
      throw new TensorError(
        "shape-out-of-range",
        `an axis is no integer of 0 to ${MAX_TENSOR_ELEMENTS}`,
      );
    }
    // Both factors are at most 2^31, so a product past 2^53 may round but cannot look small.
    count *= axis;
    if (count > MAX_TENSOR_ELEMENTS) {
      throw new TensorError("shape-out-of-range", `more than ${MAX_TENSOR_ELEMENTS} elements`);
    }
  }
  if (shape.length > MAX_RANK) {
    throw new TensorError("shape-out-of-range", `${shape.length} axes, at most ${MAX_RANK}`);
  }
  return count;
}

/** @throws TensorError "too-many-tensors" */
export function checkTensorCount(count: number): void {
  if (count > MAX_TENSORS) {
    throw new TensorError("too-many-tensors", `${count} tensors, at most ${MAX_TENSORS}`);
  }
}

function headerOf(tensors: readonly PlacedTensor[]): Uint8Array {
  const entries = tensors.map(({ name, dtype, shape, offsetBytes, sizeBytes }) => {
    const offsets = `${offsetBytes},${offsetBytes + sizeBytes}`;
    const place = `"shape":[${shape.join(",")}],"data_offsets":[${offsets}]`;
    return `${JSON.stringify(name)}:{"dtype":"${dtype}",${place}}`;
  });
  const json = utf8(`{${entries.join(",")}}`);
  const padding = utf8(" ".repeat((8 - (json.byteLength % 8)) % 8));
  const lengthBytes = json.byteLength + padding.byteLength;
  if (lengthBytes > MAX_HEADER_BYTES) {
    throw new TensorError("header-too-large", `header of ${lengthBytes} bytes`);
  }
  const length = new Uint8Array(8);
  new DataView(length.buffer).setUint32(0, lengthBytes, true);
  return concatBytes(length, json, padding);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
