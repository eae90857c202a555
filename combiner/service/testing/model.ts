/** A small model, updates for it, and sums computed another way than lib/aggregation does. */
import { type Digest, digestOf } from "../../../lib/base/ids.ts";
import { writeSafetensors } from "../../../lib/tensors/safetensors.ts";

export const GRID_EXPONENT = 29;
const WEIGHT_COUNT = 3000;
const BIAS_COUNT = 17;

/** Two tensors that train and one that does not. */
export const modelBytes = (seed: number): Uint8Array =>
  writeSafetensors([
    { name: "bias", dtype: "F32", shape: [BIAS_COUNT], data: floats(BIAS_COUNT, seed) },
    { name: "steps", dtype: "I64", shape: [], data: new Uint8Array(8) },
    {
      name: "weight",
      dtype: "F32",
      shape: [WEIGHT_COUNT / 10, 10],
      data: floats(WEIGHT_COUNT, seed + 1),
    },
  ]);

export type TestUpdate = {
  readonly body: Uint8Array;
  readonly digest: Digest;
  readonly exampleCount: number;
  readonly values: { readonly bias: Float32Array; readonly weight: Float32Array };
};

/** Deltas within ±4. @param change  applied to the weights before they are written */
export function updateBytes(
  seed: number,
  exampleCount = 1 + (seed % 7),
  change: (weight: Float32Array) => void = () => {},
): TestUpdate {
  const bias = asFloats(floats(BIAS_COUNT, 100 + seed));
  const weight = asFloats(floats(WEIGHT_COUNT, 200 + seed));
  change(weight);
  const body = writeSafetensors([
    { name: "bias", dtype: "F32", shape: [BIAS_COUNT], data: asBytes(bias) },
    { name: "weight", dtype: "F32", shape: [WEIGHT_COUNT / 10, 10], data: asBytes(weight) },
  ]);
  return { body, digest: digestOf(body), exampleCount, values: { bias, weight } };
}

/** Canonical safetensors of Σ round(w·Δ) on the grid, in big integers: no float64 addition is involved. */
export function expectedSums(updates: readonly TestUpdate[]): Uint8Array {
  const sum = (tensor: "bias" | "weight", count: number) => {
    const sums = Float64Array.from({ length: count }, (_, i) => {
      const total = updates.reduce(
        (steps, { values, exampleCount }) =>
          steps + gridSteps((values[tensor][i] ?? 0) * exampleCount),
        0n,
      );
      return Number(total) * 2 ** -GRID_EXPONENT;
    });
    return new Uint8Array(sums.buffer);
  };
  return writeSafetensors([
    { name: "bias", dtype: "F64", shape: [BIAS_COUNT], data: sum("bias", BIAS_COUNT) },
    {
      name: "weight",
      dtype: "F64",
      shape: [WEIGHT_COUNT / 10, 10],
      data: sum("weight", WEIGHT_COUNT),
    },
  ]);
}

/** The nearest multiple of 2^-q, ties to even, in steps. Scaling by a power of two is exact. */
function gridSteps(value: number): bigint {
  const scaled = value * 2 ** GRID_EXPONENT;
  const floor = Math.floor(scaled);
  const part = scaled - floor;
  const up = part > 0.5 || (part === 0.5 && floor % 2 !== 0);
  return BigInt(up ? floor + 1 : floor);
}

function floats(count: number, seed: number): Uint8Array {
  let state = (seed * 2654435761) >>> 0 || 1;
  const values = Float32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) / 2 ** 32 - 0.5) * 8;
  });
  return asBytes(values);
}

const asBytes = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
const asFloats = (bytes: Uint8Array): Float32Array =>
  new Float32Array(Uint8Array.from(bytes).buffer);
