/** Elements of trainable tensors as float64 and back. */
import { assertInvariant } from "../base/refusal.ts";
import { dtypeSizeBytes, type TrainableDtype } from "./dtype.ts";
import { BFLOAT16, BINARY16, decodeSmallFloat, encodeSmallFloat } from "./small-float.ts";

// Files are little-endian and typed arrays have the machine's order.
assertInvariant(new Uint8Array(new Uint16Array([1]).buffer)[0] === 1, "a little-endian machine");

/** Every value of a 16-bit type by its bits; made when first needed, 512 KiB each. */
const tables = new Map<"F16" | "BF16", Float64Array>();

/**
 * Exact values of all elements.
 * @param bytes  little-endian elements at any alignment
 * @param into  as many numbers as there are elements
 */
export function readFloats(dtype: TrainableDtype, bytes: Uint8Array, into: Float64Array): void {
  assertInvariant(bytes.byteLength === into.length * dtypeSizeBytes(dtype), "elements fill bytes");
  const { buffer, byteOffset } = aligned(bytes, dtypeSizeBytes(dtype));
  const count = into.length;
  if (dtype === "F32") into.set(new Float32Array(buffer, byteOffset, count));
  else if (dtype === "F64") into.set(new Float64Array(buffer, byteOffset, count));
  else {
    const table = smallFloats(dtype);
    const bits = new Uint16Array(buffer, byteOffset, count);
    for (let i = 0; i < count; i++) into[i] = table[bits[i] ?? 0] ?? 0;
  }
}

/**
 * Rounds each number to the type, to nearest with ties to even; past its largest value to infinity.
 * @returns whether every result is finite
 */
export function writeFloats(
  dtype: TrainableDtype,
  values: Float64Array,
  into: Uint8Array,
): boolean {
  const sizeBytes = dtypeSizeBytes(dtype);
  assertInvariant(into.byteLength === values.length * sizeBytes, "elements fill bytes");
  const isAligned = into.byteOffset % sizeBytes === 0;
  const { buffer, byteOffset } = isAligned ? into : new Uint8Array(into.byteLength);
  if (dtype === "F32") new Float32Array(buffer, byteOffset, values.length).set(values);
  else if (dtype === "F64") new Float64Array(buffer, byteOffset, values.length).set(values);
  else roundInto(new Uint16Array(buffer, byteOffset, values.length), values, dtype);
  if (!isAligned) into.set(new Uint8Array(buffer, byteOffset));
  return allFinite(dtype, buffer, byteOffset, values.length);
}

/** The same bytes at an address that is a multiple of `unitBytes`; copied only if they are not. */
export function aligned(bytes: Uint8Array, unitBytes: number): Uint8Array {
  return bytes.byteOffset % unitBytes === 0 ? bytes : new Uint8Array(bytes);
}

function roundInto(bits: Uint16Array, values: Float64Array, dtype: "F16" | "BF16"): void {
  const format = dtype === "F16" ? BINARY16 : BFLOAT16;
  for (let i = 0; i < bits.length; i++) bits[i] = encodeSmallFloat(values[i] as number, format);
}

/** What is not finite has all bits of its exponent set; a float64 has it in its upper word. */
function allFinite(
  dtype: TrainableDtype,
  buffer: ArrayBufferLike,
  byteOffset: number,
  count: number,
): boolean {
  switch (dtype) {
    case "F16":
      return noneHas(0x7c00, new Uint16Array(buffer, byteOffset, count));
    case "BF16":
      return noneHas(0x7f80, new Uint16Array(buffer, byteOffset, count));
    case "F32":
      return noneHas(0x7f800000, new Uint32Array(buffer, byteOffset, count));
    case "F64":
      return noneHas(0x7ff00000, new Uint32Array(buffer, byteOffset, count * 2), 1, 2);
  }
}

function noneHas(mask: number, words: Uint16Array | Uint32Array, first = 0, stride = 1): boolean {
  for (let i = first; i < words.length; i += stride) {
    if (((words[i] as number) & mask) === mask) return false;
  }
  return true;
}

function smallFloats(dtype: "F16" | "BF16"): Float64Array {
  let table = tables.get(dtype);
  if (table === undefined) {
    const format = dtype === "F16" ? BINARY16 : BFLOAT16;
    table = Float64Array.from({ length: 65_536 }, (_, bits) => decodeSmallFloat(bits, format));
    tables.set(dtype, table);
  }
  return table;
}
