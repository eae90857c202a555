/** Files of a FEDn package as its author has them: a folder, or the archive that FEDn made of it. */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import tar from "tar-stream";
import { MAX_FILE_BYTES } from "../compute-packages/format/limits.ts";
import { MANIFEST_PATH } from "../compute-packages/format/manifest.ts";
import { isPackagePath } from "../compute-packages/format/paths.ts";
import { MAX_PACKAGE_BYTES } from "../lib/base/limits.ts";
import { CliError } from "./cli-error.ts";

export type FednSource = {
  /** Contents by path from where fedn.yaml is, that file among them. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What it is called where it lies. */
  readonly name: string;
  /** Paths that were left out, for a person. */
  readonly leftOut: readonly string[];
};

const IGNORE_FILE = ".fednignore";
const ARCHIVE = /\.(?:tgz|tar\.gz|tar)$/;
const MAX_ARCHIVE_BYTES = 2 * MAX_PACKAGE_BYTES;

/** Whether the name is that of an archive. */
export const isArchiveName = (source: string): boolean =>
  ARCHIVE.test(source) || source.endsWith(".tar.bz2");

/**
 * Reads a folder with fedn.yaml in it, without what FEDn or nobody wants in a package: names that begin with a dot,
 * caches and environments of Python, what .fednignore lists.
 * @throws CliError "unreadable-file"
 */
export async function readFednFolder(folder: string): Promise<FednSource> {
  const patterns = (await readFile(path.join(folder, IGNORE_FILE), "utf8").catch(() => ""))
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const files = new Map<string, Uint8Array>();
  const leftOut: string[] = [];
  async function walk(relative: string): Promise<void> {
    const entries = await readdir(path.join(folder, relative), { withFileTypes: true });
    if (entries.some(({ name }) => name === "pyvenv.cfg")) return void leftOut.push(`${relative}/`);
    for (const entry of entries) {
      const name = relative === "" ? entry.name : `${relative}/${entry.name}`;
      const isWanted = !isUnwanted(entry.name) && !isIgnored(name, patterns);
      if (!isWanted || !(entry.isFile() || entry.isDirectory())) leftOut.push(name);
      else if (entry.isDirectory()) await walk(name);
      else files.set(name, await readBounded(path.join(folder, name)));
    }
  }
  await walk("");
  const absolute = path.resolve(folder);
  const parts = absolute.split(path.sep);
  // FEDn's examples all have their package in a folder of this name.
  const name = (parts.at(-1) === "client" ? parts.at(-2) : parts.at(-1)) ?? "";
  return { files: checked(folder, files), name, leftOut };
}

/**
 * Reads an archive that FEDn made, or somebody by hand: the first folder in it that holds fedn.yaml.
 * @throws CliError "unreadable-file"
 */
export async function readFednArchive(file: string): Promise<FednSource> {
  if (!ARCHIVE.test(file)) {
    throw new CliError("unreadable-file", `${file}: unpack it, and name the folder with fedn.yaml`);
  }
  const { size } = await stat(file);
  if (size > MAX_ARCHIVE_BYTES) throw tooLarge(file, MAX_ARCHIVE_BYTES);
  const bytes = await readFile(file);
  const entries = await readEntries(file, bytes);
  const manifests = [...entries.keys()].filter(
    (name) => path.posix.basename(name) === MANIFEST_PATH,
  );
  const [manifest] = manifests.toSorted((a, b) => a.split("/").length - b.split("/").length);
  if (manifest === undefined)
    throw new CliError("unreadable-file", `${file} has no ${MANIFEST_PATH}`);
  const prefix = manifest.slice(0, -MANIFEST_PATH.length);
  const files = new Map<string, Uint8Array>();
  const leftOut: string[] = [];
  for (const [name, content] of entries) {
    const inside = name.slice(prefix.length);
    const isWanted = name.startsWith(prefix) && !inside.split("/").some(isUnwanted);
    if (isWanted) files.set(inside, content);
    else leftOut.push(name);
  }
  const base = path.basename(file).replace(ARCHIVE, "");
  return { files: checked(file, files), name: base, leftOut };
}

async function readEntries(file: string, bytes: Uint8Array): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  try {
    const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const content = isPacked ? gunzipSync(bytes, { maxOutputLength: MAX_ARCHIVE_BYTES }) : bytes;
    const extract = Readable.from([content]).pipe(tar.extract());
    for await (const entry of extract) {
      const parts: Uint8Array[] = [];
      for await (const part of entry) parts.push(part as Uint8Array);
      const { name, type } = entry.header;
      if (type === "file") files.set(name.replace(/^(?:\.\/)+/, ""), Buffer.concat(parts));
    }
  } catch (cause) {
    throw new CliError("unreadable-file", `${file} is not a readable tar archive`, { cause });
  }
  return files;
}

const isUnwanted = (name: string): boolean => name.startsWith(".") || name === "__pycache__";

/** FEDn's way: a pattern of the shell, on the path or on the name alone. */
function isIgnored(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const wanted = pattern.replace(/\/$/, "");
    const expression = wanted
      .replace(/[.+^${}()|\\]/g, "\\$&")
      .replace(/\*/g, ".*")
      .replace(/\?/g, ".");
    const whole = new RegExp(`^${expression}$`);
    return whole.test(name) || whole.test(path.posix.basename(name));
  });
}

async function readBounded(file: string): Promise<Uint8Array> {
  const { size } = await stat(file);
  if (size > MAX_FILE_BYTES) throw tooLarge(file, MAX_FILE_BYTES);
  return readFile(file);
}

function checked(
  source: string,
  files: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<string, Uint8Array> {
  const odd = [...files.keys()].find((name) => !isPackagePath(name));
  if (odd === undefined) return files;
  throw new CliError(
    "unreadable-file",
    `${source}: ${JSON.stringify(odd)} has a name that packages cannot hold (letters, digits and _.- only, at most 100 ` +
      `characters); rename it, or leave it out by ${IGNORE_FILE}`,
  );
}

const tooLarge = (file: string, maxBytes: number): CliError =>
  new CliError(
    "unreadable-file",
    `${file} has more than ${maxBytes} bytes; data is no part of a package: leave it out by ${IGNORE_FILE}`,
  );
