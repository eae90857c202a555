/** Models as people have them (.safetensors, .npz, or inside a package) and as the federation has them. */
import path from "node:path";
import { readPackage } from "../compute-packages/format/archive.ts";
import { parseNpz, writeNpz } from "../lib/tensors/helpers/npz.ts";
import { parseSafetensors, writeSafetensors } from "../lib/tensors/safetensors.ts";
import { CliError } from "./cli-error.ts";

export const MODEL_FORMATS = ["npz", "safetensors"] as const;
export type ModelFormat = (typeof MODEL_FORMATS)[number];

/**
 * Canonical safetensors of whatever the file holds.
 * @param file  its ending says what it is: .npz, .safetensors, or .tgz for a package with a seed model
 * @throws CliError "unreadable-file"
 * @throws TensorError | PackageError for contents that cannot be read
 */
export function readModelFile(file: string, bytes: Uint8Array): Uint8Array {
  switch (path.extname(file)) {
    case ".npz":
      return writeSafetensors(parseNpz(bytes));
    case ".safetensors":
      return writeSafetensors(parseSafetensors(bytes).tensors);
    case ".tgz":
      return seedModelOf(file, bytes);
    default:
      throw new CliError(
        "unreadable-file",
        `${file}: a model is a .safetensors or .npz file, or the .tgz of a package that brings its seed model`,
      );
  }
}

function seedModelOf(file: string, archive: Uint8Array): Uint8Array {
  const { manifest, files } = readPackage(archive);
  const { seedModel } = manifest.runtime === "command" ? manifest.command : manifest.onnx;
  const bytes = seedModel === undefined ? undefined : files.get(seedModel);
  if (bytes === undefined) {
    throw new CliError("unreadable-file", `${file} brings no seed model; import one from a file`);
  }
  return writeSafetensors(parseSafetensors(bytes).tensors);
}

/** The model in a format other tools read. @param model  canonical safetensors */
export function writeModelFile(model: Uint8Array, format: ModelFormat): Uint8Array {
  if (format === "safetensors") return model;
  return writeNpz(parseSafetensors(model).tensors);
}
