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
  const rounded = roundAll(dtype, values);
  into.set(new Uint8Array(rounded.buffer, rounded.byteOffset, rounded.byteLength));
  // x − x is NaN for what is not finite, and NaN stays in a sum.
  let zero = 0;
  if (rounded instanceof Uint16Array) {
    const table = smallFloats(dtype === "F16" ? "F16" : "BF16");
    for (const bits of rounded) zero += (table[bits] ?? 0) * 0;
  } else {
    for (let i = 0; i < rounded.length; i++) zero += (rounded[i] ?? 0) * 0;
  }
  return zero === 0;
}

/** The same bytes at an address that is a multiple of `unitBytes`; copied only if they are not. */
export function aligned(bytes: Uint8Array, unitBytes: number): Uint8Array {
  return bytes.byteOffset % unitBytes === 0 ? bytes : new Uint8Array(bytes);
}

function roundAll(
  dtype: TrainableDtype,
  values: Float64Array,
): Uint16Array | Float32Array | Float64Array {
  if (dtype === "F32") return new Float32Array(values);
  if (dtype === "F64") return values;
  const format = dtype === "F16" ? BINARY16 : BFLOAT16;
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) bits[i] = encodeSmallFloat(values[i] ?? 0, format);
  return bits;
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
