/** From what an author writes, a folder with `fedn.yaml`, to the one archive of it. */
import { execFile } from "node:child_process";
import { mkdtemp, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { parse as parseYaml } from "yaml";
import { writePackage } from "../compute-packages/format/archive.ts";
import {
  filesNamedBy,
  MANIFEST_PATH,
  manifestBytes,
  validateManifest,
} from "../compute-packages/format/manifest.ts";
import { CliError } from "./cli-error.ts";
import { readFileOr, within } from "./enrol-member.ts";

/** The one example; its graphs are made by a builder, which is in the bundle of the demo. */
const EXAMPLE = path.join("compute-packages", "examples", "mnist");

/**
 * @param source  the folder, or its fedn.yaml
 * @param bundleDirectory  of this installation, whose own example has a builder in the place of graph files
 * @returns the archive: the manifest in canonical form and every file it names, nothing else
 * @throws CliError "unreadable-file", also if the manifest is not one
 */
export async function buildPackage(source: string, bundleDirectory: string): Promise<Uint8Array> {
  const isFolder = (await stat(source).catch(() => undefined))?.isDirectory() === true;
  const folder = isFolder ? source : path.dirname(source);
  const example = path.join(bundleDirectory, "..", EXAMPLE);
  if ((await realPath(folder)) !== (await realPath(example))) {
    return archiveFolder(folder, isFolder ? path.join(source, MANIFEST_PATH) : source);
  }
  const directory = await mkdtemp(path.join(tmpdir(), "fedclave-example-"));
  try {
    const files = path.join(directory, "example");
    const demo = path.join(bundleDirectory, "demo.cjs");
    await promisify(execFile)(process.execPath, [demo, "files", files, "--package-only"]);
    const built = path.join(files, "package");
    return await archiveFolder(built, path.join(built, MANIFEST_PATH));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const realPath = (file: string): Promise<string | undefined> =>
  realpath(file).catch(() => undefined);

async function archiveFolder(folder: string, manifestFile: string): Promise<Uint8Array> {
  const hint = "name a folder with a fedn.yaml in it, or that file";
  const text = Buffer.from(await readFileOr(manifestFile, hint)).toString("utf8");
  const document = readYaml(text, manifestFile);
  if (typeof document === "object" && document !== null && "entry_points" in document) {
    throw new CliError(
      "unreadable-file",
      `${manifestFile} has entry_points: FEDn's packages of commands are not run; a package here is ONNX graphs, such ` +
        "as `fedclave demo files DIR` writes",
    );
  }
  const manifest = within(manifestFile, () => validateManifest(document));
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
