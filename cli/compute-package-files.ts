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
import { EXAMPLE_NAMES, type ExampleName } from "./example-names.ts";

/** The examples; their graphs are made by builders, which are in the bundle of the demo. */
const EXAMPLES = path.join("compute-packages", "examples");

/**
 * @param source  the folder, or its fedn.yaml
 * @param bundleDirectory  of this installation, whose own examples have a builder in the place of graph files
 * @returns the archive: the manifest in canonical form and every file it names, nothing else
 * @throws CliError "unreadable-file", also if the manifest is not one
 */
export async function buildPackage(source: string, bundleDirectory: string): Promise<Uint8Array> {
  const isFolder = (await stat(source).catch(() => undefined))?.isDirectory() === true;
  const folder = isFolder ? source : path.dirname(source);
  const example = await exampleAt(folder, path.join(bundleDirectory, "..", EXAMPLES));
  if (example === undefined) {
    return archiveFolder(folder, isFolder ? path.join(source, MANIFEST_PATH) : source);
  }
  const directory = await mkdtemp(path.join(tmpdir(), "fedclave-example-"));
  try {
    const files = path.join(directory, "example");
    const demo = path.join(bundleDirectory, "demo.cjs");
    const args = [demo, "files", files, "--package-only", "--example", example];
    await promisify(execFile)(process.execPath, args);
    const built = path.join(files, "package");
    return await archiveFolder(built, path.join(built, MANIFEST_PATH));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function exampleAt(folder: string, examples: string): Promise<ExampleName | undefined> {
  const wanted = await realPath(folder);
  for (const name of EXAMPLE_NAMES) {
    if (wanted !== undefined && wanted === (await realPath(path.join(examples, name)))) return name;
  }
  return undefined;
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
