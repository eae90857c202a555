/** Our arrays as tensors of the runtime; the memory is shared, not copied. */
import type { OrtModule, Session, Tensor } from "./ort.ts";
import { RunnerError } from "./runner-error.ts";

export type Feeds = { readonly [name: string]: Tensor };

/** Little-endian elements, aligned for their dtype, as a tensor of `dims`. */
export function tensorOf(
  ort: OrtModule,
  dtype: "U8" | "I32" | "I64" | "F32",
  bytes: Uint8Array,
  dims: readonly number[],
): Tensor {
  const { buffer, byteOffset, byteLength } = bytes;
  switch (dtype) {
    case "U8":
      return new ort.Tensor("uint8", bytes, dims);
    case "I32":
      return new ort.Tensor("int32", new Int32Array(buffer, byteOffset, byteLength / 4), dims);
    case "I64":
      return new ort.Tensor("int64", new BigInt64Array(buffer, byteOffset, byteLength / 8), dims);
    case "F32":
      return new ort.Tensor("float32", new Float32Array(buffer, byteOffset, byteLength / 4), dims);
  }
}

/** A float32 scalar. */
export const scalarOf = (ort: OrtModule, value: number): Tensor =>
  new ort.Tensor("float32", Float32Array.of(value), []);

/** The elements of a float32 tensor. */
export function floatsOf(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new RunnerError("runtime-failed", "the runtime gave an output that is not float32");
}

/**
 * One call of the runtime; with `fetches`, just those outputs, written in place.
 * @throws RunnerError "runtime-failed"
 */
export async function runSession(
  session: Session,
  feeds: Feeds,
  fetches?: Feeds,
): Promise<{ readonly [name: string]: Tensor }> {
  try {
    return await (fetches ? session.run(feeds, fetches) : session.run(feeds));
  } catch (cause) {
    throw new RunnerError("runtime-failed", "the runtime could not run the graph", { cause });
  }
}
