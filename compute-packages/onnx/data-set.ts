/** A client's data as the package declares it, from a file. */
import { CodedError, printable } from "../../lib/base/refusal.ts";
import { dtypeSizeBytes } from "../../lib/tensors/dtype.ts";
import { parseNpz } from "../../lib/tensors/helpers/npz.ts";
import { parseSafetensors, type TensorData } from "../../lib/tensors/safetensors.ts";
import { TensorError } from "../../lib/tensors/tensor-error.ts";
import type { InputSpec, OnnxManifest } from "../format/manifest.ts";
import { MAX_EXAMPLES } from "./limits.ts";

export type DataSetErrorCode =
  | "data-not-readable"
  | "data-tensor-missing"
  | "data-tensor-unknown"
  | "data-dtype-differs"
  | "data-shape-differs"
  | "data-counts-differ"
  | "data-empty"
  | "data-too-large"
  | "data-not-finite";

/** A data file that does not fit its package. Messages name tensors, dtypes and shapes, never a value. */
export class DataSetError extends CodedError<DataSetErrorCode> {}

/** One input of all examples: row-major, first axis = examples, aligned for its dtype. */
export type InputData = { readonly spec: InputSpec; readonly bytes: Uint8Array };

/** Examples that belong together: every input of the package, the same number of rows in each. */
export type ExampleSet = {
  readonly exampleCount: number;
  readonly inputs: ReadonlyMap<string, InputData>;
};

/** At least one of the two is there. */
export type DataSet = {
  readonly training: ExampleSet | undefined;
  readonly validation: ExampleSet | undefined;
};

/** Behind an input's name in the file: the examples a model is judged by. */
const VALIDATION_SUFFIX = "_validation";

/** What a zip, and so an .npz, begins with. */
const ZIP_MAGIC = "PK";

/**
 * Reads .safetensors or .npz with a tensor `<input>` for each input of the package, or `<input>_validation`, or
 * both. Nothing else may be in the file: a misspelt name shall not silently leave examples out.
 * @param bytes  the file; the result may share its memory
 * @throws DataSetError for every reason in DataSetErrorCode
 */
export function readDataSet(bytes: Uint8Array, manifest: OnnxManifest): DataSet {
  const tensors = new Map(readTensors(bytes).map((tensor) => [tensor.name, tensor]));
  const names = Object.keys(manifest.data);
  const known = new Set(names.flatMap((name) => [name, name + VALIDATION_SUFFIX]));
  for (const name of tensors.keys()) {
    if (!known.has(name)) {
      const wanted = [...known].join(", ");
      throw new DataSetError(
        "data-tensor-unknown",
        `the file holds ${printable(name)}; the package knows ${wanted}`,
      );
    }
  }
  const training = readExamples(tensors, manifest, "");
  const validation = readExamples(tensors, manifest, VALIDATION_SUFFIX);
  if (training === undefined && validation === undefined) {
    throw new DataSetError("data-tensor-missing", `the file holds none of ${names.join(", ")}`);
  }
  return { training, validation };
}

function readTensors(bytes: Uint8Array): readonly TensorData[] {
  const isZip = Buffer.from(bytes.subarray(0, 2)).toString("latin1") === ZIP_MAGIC;
  try {
    return isZip ? parseNpz(bytes) : parseSafetensors(bytes).tensors;
  } catch (cause) {
    if (!(cause instanceof TensorError)) throw cause;
    const kind = isZip ? ".npz" : ".safetensors";
    throw new DataSetError(
      "data-not-readable",
      `not a ${kind} file we can read: ${cause.message}`,
      {
        cause,
      },
    );
  }
}

function readExamples(
  tensors: ReadonlyMap<string, TensorData>,
  manifest: OnnxManifest,
  suffix: string,
): ExampleSet | undefined {
  const specs = Object.entries(manifest.data);
  const present = specs.filter(([name]) => tensors.has(name + suffix));
  if (present.length === 0) return undefined;
  const inputs = new Map<string, InputData>();
  const counts = new Set<number>();
  for (const [name, spec] of specs) {
    const tensor = tensors.get(name + suffix);
    if (tensor === undefined) {
      throw new DataSetError("data-tensor-missing", `the file does not hold ${name}${suffix}`);
    }
    checkTensor(tensor, spec);
    counts.add(tensor.shape[0] ?? 0);
    inputs.set(name, { spec, bytes: aligned(tensor.data, spec) });
  }
  const [exampleCount = 0, ...others] = counts;
  if (others.length > 0) {
    const seen = [...counts].join(", ");
    throw new DataSetError("data-counts-differ", `inputs${suffix} have ${seen} examples`);
  }
  return { exampleCount, inputs };
}

function checkTensor(tensor: TensorData, spec: InputSpec): void {
  const { name, dtype, shape, data } = tensor;
  if (dtype !== spec.dtype) {
    throw new DataSetError("data-dtype-differs", `${name} is ${dtype}, wanted ${spec.dtype}`);
  }
  const [exampleCount, ...rest] = shape;
  if (exampleCount === undefined || rest.join() !== spec.shape.join()) {
    const wanted = ["examples", ...spec.shape].join(", ");
    throw new DataSetError("data-shape-differs", `${name} is [${shape}], wanted [${wanted}]`);
  }
  if (exampleCount === 0) throw new DataSetError("data-empty", `${name} has no examples`);
  if (exampleCount > MAX_EXAMPLES) {
    throw new DataSetError("data-too-large", `${name} has more than ${MAX_EXAMPLES} examples`);
  }
  if (dtype === "F32" && !isFinite32(data)) {
    throw new DataSetError("data-not-finite", `${name} holds NaN or infinity`);
  }
}

/** The bytes where typed arrays and the runtime can read them. */
function aligned(data: Uint8Array, spec: InputSpec): Uint8Array {
  return data.byteOffset % dtypeSizeBytes(spec.dtype) === 0 ? data : data.slice();
}

function isFinite32(data: Uint8Array): boolean {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < data.byteLength; at += 4) {
    if (!Number.isFinite(view.getFloat32(at, true))) return false;
  }
  return true;
}
