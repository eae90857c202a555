/** NumPy's .npz: a zip of .npy members, as np.savez and np.savez_compressed write it and np.load reads it. */
import { MAX_MODEL_BYTES } from "../../base/limits.ts";
import { printable } from "../../base/refusal.ts";
import { checkTensorCount, layoutOf } from "../layout.ts";
import type { TensorData } from "../safetensors.ts";
import { TensorError } from "../tensor-error.ts";
import { checkTensorName } from "../tensor-name.ts";
import { parseNpy, writeNpy } from "./npy.ts";
import { readZip, type ZipMember } from "./zip-reader.ts";
import { writeZip } from "./zip-writer.ts";

const SUFFIX = ".npy";

/**
 * Tensors by member name without ".npy", in the archive's order; elements row-major, some of them views of the
 * archive. Elements of Booleans are taken as they are.
 * @throws TensorError "bad-name" | "duplicate-name" and those of readZip and parseNpy
 */
export function parseNpz(
  archive: Uint8Array,
  maxBytes: number = MAX_MODEL_BYTES,
): readonly TensorData[] {
  const seen = new Set<string>();
  return readZip(archive, maxBytes).map((member) => {
    const name = tensorName(member);
    if (seen.has(name)) throw new TensorError("duplicate-name", `${printable(name)} appears twice`);
    seen.add(name);
    return { name, ...parseNpy(member.data) };
  });
}

/**
 * A deterministic archive that np.load reads: members sorted by name, uncompressed, without times.
 * @throws TensorError "unsupported-dtype" for BF16, "too-large" past 4 GiB, "size-mismatch", those of layoutOf
 */
export function writeNpz(tensors: readonly TensorData[]): Uint8Array {
  checkTensorCount(tensors.length);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const members = layoutOf(tensors).tensors.map(({ name, dtype, shape, sizeBytes }): ZipMember => {
    const data = byName.get(name)?.data;
    if (data?.byteLength !== sizeBytes) {
      throw new TensorError("size-mismatch", `data of ${printable(name)} has another size`);
    }
    return { name: name + SUFFIX, data: writeNpy({ dtype, shape, data }) };
  });
  return writeZip(members);
}

function tensorName(member: ZipMember): string {
  if (!member.name.endsWith(SUFFIX)) {
    throw new TensorError("bad-name", `member ${printable(member.name)} is not an .npy file`);
  }
  const name = member.name.slice(0, -SUFFIX.length);
  checkTensorName(name);
  return name;
}
