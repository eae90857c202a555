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
import { utf8 } from "../lib/base/bytes.ts";
import { CliError } from "./cli-error.ts";
import { readFileOr, within } from "./enrol-member.ts";
import { EXAMPLE_NAMES, type ExampleName } from "./example-names.ts";
import { buildFednPackage, type FednChoices, isFednDocument } from "./fedn-package.ts";
import { type FednSource, isArchiveName, readFednArchive, readFednFolder } from "./fedn-source.ts";

/** The examples; their graphs are made by builders, which are in the bundle of the demo. */
const EXAMPLES = path.join("compute-packages", "examples");

export type BuiltPackage = {
  readonly archive: Uint8Array;
  /** What the author should know, in sentences. */
  readonly notes: readonly string[];
};

/**
 * @param source  the folder, its fedn.yaml, or an archive that FEDn made
 * @param bundleDirectory  of this installation, whose own examples have a builder in the place of graph files
 * @returns the archive: the manifest in canonical form, and of graphs the files it names, of commands all there are
 * @throws CliError "unreadable-file", also if the manifest is not one
 */
export async function buildPackage(
  source: string,
  bundleDirectory: string,
  choices: FednChoices = {},
): Promise<BuiltPackage> {
  const isFolder = (await stat(source).catch(() => undefined))?.isDirectory() === true;
  if (!isFolder && isArchiveName(source)) return buildFednArchive(source, choices);
  const folder = isFolder ? await packageFolder(source) : path.dirname(source);
  const example = await exampleAt(folder, path.join(bundleDirectory, "..", EXAMPLES));
  if (example === undefined) {
    return archiveFolder(folder, isFolder ? path.join(folder, MANIFEST_PATH) : source, choices);
  }
  const directory = await mkdtemp(path.join(tmpdir(), "fedclave-example-"));
  try {
    const files = path.join(directory, "example");
    const demo = path.join(bundleDirectory, "demo.cjs");
    const args = [demo, "files", files, "--package-only", "--example", example];
    await promisify(execFile)(process.execPath, args);
    const built = path.join(files, "package");
    return await archiveFolder(built, path.join(built, MANIFEST_PATH), choices);
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

/** The folder itself, or FEDn's usual place within a project. */
async function packageFolder(source: string): Promise<string> {
  const usual = path.join(source, "client");
  const has = (folder: string): Promise<boolean> =>
    stat(path.join(folder, MANIFEST_PATH)).then(
      () => true,
      () => false,
    );
  return !(await has(source)) && (await has(usual)) ? usual : source;
}

async function buildFednArchive(file: string, choices: FednChoices): Promise<BuiltPackage> {
  return fromFedn(file, await readFednArchive(file), choices);
}

function fromFedn(where: string, source: FednSource, choices: FednChoices): BuiltPackage {
  const text = Buffer.from(source.files.get(MANIFEST_PATH) ?? []).toString("utf8");
  const document = readYaml(text, where);
  if (!isFednDocument(document)) {
    throw new CliError("unreadable-file", `${where}: ${MANIFEST_PATH} has no entry_points`);
  }
  const { archive, ignoredKeys } = buildFednPackage(where, source, document, choices);
  const notes: string[] = [];
  if (source.leftOut.length > 0) notes.push(`Left out: ${source.leftOut.join(", ")}.`);
  if (ignoredKeys.length > 0) notes.push(`Not read in fedn.yaml: ${ignoredKeys.join(", ")}.`);
  return { archive, notes };
}

const realPath = (file: string): Promise<string | undefined> =>
  realpath(file).catch(() => undefined);

async function archiveFolder(
  folder: string,
  manifestFile: string,
  choices: FednChoices,
): Promise<BuiltPackage> {
  const hint = "name a folder with a fedn.yaml in it, or that file";
  const text = Buffer.from(await readFileOr(manifestFile, hint)).toString("utf8");
  const document = readYaml(text, manifestFile);
  if (isFednDocument(document)) {
    const { files, ...source } = await readFednFolder(folder);
    const all = new Map([...files, [MANIFEST_PATH, utf8(text)]]);
    return fromFedn(manifestFile, { ...source, files: all }, choices);
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
  return { archive: writePackage(files), notes: [] };
}

function readYaml(text: string, file: string): unknown {
  try {
    return parseYaml(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "unreadable";
    throw new CliError("unreadable-file", `${file} is not YAML: ${why}`, { cause });
  }
}
