/** Models between our form, tensors by name, and the files of FEDn's helpers, arrays by number. */
import { printable } from "../../../lib/base/refusal.ts";
import {
  type Dtype,
  dtypeSizeBytes,
  isTrainable,
  type TrainableDtype,
} from "../../../lib/tensors/dtype.ts";
import { readFloats, writeFloats } from "../../../lib/tensors/floats.ts";
import { writeNpy } from "../../../lib/tensors/helpers/npy.ts";
import { parseNpz } from "../../../lib/tensors/helpers/npz.ts";
import { writeZip } from "../../../lib/tensors/helpers/zip-writer.ts";
import type { PlacedTensor, TensorSpec } from "../../../lib/tensors/layout.ts";
import { type TensorData, tensorBytes } from "../../../lib/tensors/safetensors.ts";
import type { CommandHelper, CommandSection } from "../../format/manifest.ts";
import { CommandError } from "../command-error.ts";

/** The tensors of a model in the order in which commands number them. */
export type NumberedTensors = readonly PlacedTensor[];

/** Endings of model files: numpy appends .npz to names without it. */
export const modelFileSuffix = (helper: CommandHelper): string =>
  helper === "numpyhelper" ? ".npz" : ".bin";

/**
 * The order of a model's tensors: that of the manifest, or by the numbers that are their names.
 * @throws CommandError "model-mismatch" if the names are neither
 */
export function numberTensors(
  layout: { readonly tensors: NumberedTensors },
  { tensorNames }: Pick<CommandSection, "tensorNames">,
): NumberedTensors {
  const names = tensorNames ?? layout.tensors.map((_, index) => String(index));
  const byName = new Map(layout.tensors.map((tensor) => [tensor.name, tensor]));
  const numbered = names.map((name) => byName.get(name)).filter((each) => each !== undefined);
  if (numbered.length === names.length && names.length === layout.tensors.length) return numbered;
  const wanted =
    tensorNames === undefined ? `"0" to "${names.length - 1}"` : printable(tensorNames.join(", "));
  throw new CommandError(
    "model-mismatch",
    `the model's tensors are ${printable([...byName.keys()].join(", "))}, the package's ${wanted}`,
  );
}

/**
 * The file a command reads.
 * @param model  canonical safetensors of the numbered tensors
 * @throws CommandError "model-not-expressible" for tensors that the helper's files cannot hold
 */
export function writeModelFile(
  helper: CommandHelper,
  model: Uint8Array,
  tensors: NumberedTensors,
): Uint8Array {
  if (helper !== "numpyhelper") return writeVector(vectorDtype(helper), model, tensors);
  // Members stand in their order: some packages take them as they come, whatever their names.
  return writeZip(
    tensors.map((tensor, index) => {
      const { dtype, shape } = tensor;
      if (dtype === "BF16") throw notExpressible(tensor, "numpy has no BF16");
      return {
        name: `${index}.npy`,
        data: writeNpy({ dtype, shape, data: tensorBytes(model, tensor) }),
      };
    }),
  );
}

/** Arrays by number, as a command left them. */
export type ModelArrays = readonly Pick<TensorData, "dtype" | "shape" | "data">[];

/**
 * Reads a file that a command wrote.
 * @throws CommandError "result-malformed" if it does not hold the arrays "0", "1", …
 * @throws TensorError as parseNpz
 */
export function readModelFile(
  helper: CommandHelper,
  file: Uint8Array,
  tensors: readonly TensorSpec[],
): ModelArrays {
  if (helper !== "numpyhelper") return readVector(vectorDtype(helper), file, tensors);
  const byName = new Map(parseNpz(file).map((tensor) => [tensor.name, tensor]));
  const arrays = tensors
    .map((_, index) => byName.get(String(index)))
    .filter((each) => each !== undefined);
  if (arrays.length === tensors.length && byName.size === tensors.length) return arrays;
  throw new CommandError(
    "result-malformed",
    `the trained model has arrays ${printable([...byName.keys()].join(", "))}, ` +
      `wanted 0 to ${tensors.length - 1}`,
  );
}

/** FEDn's helper for C++ writes float64, that for Android float32. */
const vectorDtype = (helper: "binaryhelper" | "androidhelper"): "F64" | "F32" =>
  helper === "binaryhelper" ? "F64" : "F32";

function writeVector(
  dtype: "F64" | "F32",
  model: Uint8Array,
  tensors: NumberedTensors,
): Uint8Array {
  const elementBytes = dtypeSizeBytes(dtype);
  const count = tensors.reduce((sum, { elementCount }) => sum + elementCount, 0);
  const vector = new Uint8Array(count * elementBytes);
  let at = 0;
  for (const tensor of tensors) {
    const bytes = vector.subarray(at, at + tensor.elementCount * elementBytes);
    const values = floatsOf(tensor.dtype, tensorBytes(model, tensor), tensor.elementCount);
    if (values === undefined) throw notExpressible(tensor, "vectors hold floats only");
    if (!writeFloats(dtype, values, bytes)) throw notExpressible(tensor, `past ${dtype}'s range`);
    at += bytes.byteLength;
  }
  return vector;
}

function readVector(
  dtype: "F64" | "F32",
  file: Uint8Array,
  tensors: readonly TensorSpec[],
): ModelArrays {
  let at = 0;
  const arrays = tensors.map(({ shape }) => {
    const sizeBytes = shape.reduce((a, b) => a * b, 1) * dtypeSizeBytes(dtype);
    at += sizeBytes;
    return { dtype, shape, data: file.subarray(at - sizeBytes, at) };
  });
  if (at === file.byteLength) return arrays;
  throw new CommandError(
    "result-malformed",
    `the trained model has ${file.byteLength} bytes, ${at} are wanted for elements of ${dtype}`,
  );
}

/** Elements as float64; undefined for what is no float. */
export function floatsOf(
  dtype: Dtype,
  bytes: Uint8Array,
  elementCount: number,
): Float64Array | undefined {
  if (!isTrainable(dtype)) return undefined;
  const values = new Float64Array(elementCount);
  readFloats(dtype as TrainableDtype, bytes, values);
  return values;
}

const notExpressible = ({ name }: TensorSpec, why: string): CommandError =>
  new CommandError("model-not-expressible", `${printable(name)} cannot be handed over: ${why}`);
