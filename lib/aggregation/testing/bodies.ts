/** Small models and updates for tests. */
import type { TrainableDtype } from "../../tensors/dtype.ts";
import { readFloats, writeFloats } from "../../tensors/floats.ts";
import { layoutOf, type TensorLayout } from "../../tensors/layout.ts";
import { type TensorData, writeSafetensors } from "../../tensors/safetensors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { plainKernel } from "../kernel/plain.ts";
import { wasmKernel } from "../kernel/wasm.ts";
import { wasmEngine } from "../kernel/wasm-engine.ts";

const SIZE = { F16: 2, BF16: 2, F32: 4, F64: 8 } as const;

/** Both adapters of the kernel's port. */
export function bothKernels(): readonly [Kernel, Kernel] {
  const engine = wasmEngine();
  if (engine === undefined) throw new Error("these tests want WebAssembly");
  return [wasmKernel(engine), plainKernel()];
}

/** Elements of a dtype from numbers, which are rounded to it. */
export function elements(dtype: TrainableDtype, values: readonly number[]): Uint8Array {
  const data = new Uint8Array(values.length * SIZE[dtype]);
  writeFloats(dtype, Float64Array.from(values), data);
  return data;
}

/** One vector of a dtype. */
export const vector = (
  name: string,
  dtype: TrainableDtype,
  values: readonly number[],
): TensorData => ({ name, dtype, shape: [values.length], data: elements(dtype, values) });

/** A canonical file of one vector "x". */
export const bodyOf = (dtype: TrainableDtype, values: readonly number[]): Uint8Array =>
  writeSafetensors([vector("x", dtype, values)]);

/** Its layout. */
export const vectorLayout = (dtype: TrainableDtype, length: number): TensorLayout =>
  layoutOf([{ name: "x", dtype, shape: [length] }]);

/** The numbers of a file of one vector. */
export function valuesOf(dtype: TrainableDtype, file: Uint8Array, layout: TensorLayout): number[] {
  const values = new Float64Array(layout.elementCount);
  readFloats(dtype, file.subarray(layout.header.byteLength), values);
  return [...values];
}

/** The same bytes at an address that is 1 past a multiple of 8. */
export function unaligned(bytes: Uint8Array): Uint8Array {
  const moved = new Uint8Array(bytes.byteLength + 1).subarray(1);
  moved.set(bytes);
  return moved;
}
