/** From what an author writes, a folder with `fedn.yaml`, to the one archive of it. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { parse as parseYaml } from "yaml";
import { writePackage } from "../compute-packages/format/archive.ts";
import {
  filesNamedBy,
  MANIFEST_PATH,
  manifestBytes,
  validateManifest,
} from "../compute-packages/format/manifest.ts";
import { CliError } from "./cli-error.ts";
import { readFileOr } from "./enrol-member.ts";

/**
 * @param source  the folder, or its fedn.yaml
 * @returns the archive: the manifest in canonical form and every file it names, nothing else
 * @throws CliError "unreadable-file"
 * @throws PackageError if the manifest is not one
 */
export async function buildPackage(source: string): Promise<Uint8Array> {
  const isFolder = (await stat(source).catch(() => undefined))?.isDirectory() === true;
  const manifestFile = isFolder ? path.join(source, MANIFEST_PATH) : source;
  const folder = path.dirname(manifestFile);
  const text = Buffer.from(
    await readFileOr(manifestFile, "name a folder with a fedn.yaml in it, or that file"),
  ).toString("utf8");
  const manifest = validateManifest(readYaml(text, manifestFile));
  const files = new Map([[MANIFEST_PATH, manifestBytes(manifest)]]);
  for (const name of filesNamedBy(manifest)) {
    const content = await readFileOr(
      path.join(folder, name),
      `${MANIFEST_PATH} names it; put it there, or mend the manifest`,
    );
    files.set(name, content);
  }
  return writePackage(files);
}

function readYaml(text: string, file: string): unknown {
  try {
    return parseYaml(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "unreadable";
    throw new CliError("unreadable-file", `${file} is not YAML: ${why}`, { cause });
  }
}
