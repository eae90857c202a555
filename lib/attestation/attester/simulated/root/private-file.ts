/** Small files of secrets: one owner, made whole or not at all, once. */
import { constants } from "node:fs";
import { link, lstat, mkdir, open, readFile, realpath, unlink } from "node:fs/promises";
import path from "node:path";
import { toHex } from "../../../../base/bytes.ts";
import type { Randomness } from "../../../../base/randomness.ts";
import { Secret } from "../../../../base/secret.ts";
import { DevelopmentRootError } from "./development-root-error.ts";

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const OTHERS_MODE_BITS = 0o077;
/** Ours, and those of anybody: what is inside is committed or packed sooner or later. */
const REPOSITORY_MARKS = [".git", "package.json"];

/**
 * The folder, made if it is not there.
 * @returns its real path
 * @throws DevelopmentRootError "root-misplaced" | "root-exposed" | "root-unreadable"
 */
export async function requirePrivateFolder(directory: string): Promise<string> {
  const wanted = path.resolve(directory);
  await refuseRepository(wanted);
  await step(wanted, () => mkdir(wanted, { recursive: true, mode: FOLDER_MODE }));
  const folder = await step(wanted, () => realpath(wanted));
  // Again, for a link that leads into one.
  await refuseRepository(folder);
  const { mode } = await step(folder, () => lstat(folder));
  requirePrivate(folder, mode, FOLDER_MODE);
  return folder;
}

/**
 * The text of a file; where there is none, what `create` gives. Of several processes that create it, all get the same.
 * @throws DevelopmentRootError "root-exposed" | "root-unreadable"
 */
export async function loadOrCreate(
  file: string,
  randomness: Randomness,
  create: () => Promise<Secret<string>>,
): Promise<Secret<string>> {
  const existing = await load(file);
  if (existing !== undefined) return existing;
  const text = await create();
  const unfinished = `${file}.${toHex(randomness.bytes(8))}.tmp`;
  await step(file, () => writeWhole(unfinished, text));
  try {
    await step(file, () => link(unfinished, file).catch(unless("EEXIST")));
  } finally {
    await unlink(unfinished);
  }
  // What is there now: another process may have been first.
  const made = await load(file);
  if (made === undefined) throw unreadable(file, undefined);
  return made;
}

async function load(file: string): Promise<Secret<string> | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
  const handle = await step(file, () => open(file, flags).catch(unless("ENOENT")));
  if (handle === undefined) return undefined;
  try {
    const { mode } = await step(file, () => handle.stat());
    requirePrivate(file, mode, FILE_MODE);
    return new Secret(await step(file, () => handle.readFile("utf8")));
  } finally {
    await handle.close();
  }
}

async function writeWhole(file: string, text: Secret<string>): Promise<void> {
  const handle = await open(file, "wx", FILE_MODE);
  try {
    await handle.writeFile(text.reveal());
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Looks upwards for marks of a repository. A package.json of somebody else's project is none of our business. */
async function refuseRepository(folder: string): Promise<void> {
  for (let each = folder; ; each = path.dirname(each)) {
    for (const mark of REPOSITORY_MARKS) {
      if (await isMark(path.join(each, mark))) {
        throw new DevelopmentRootError(
          "root-misplaced",
          `${folder}: a development root must not be inside a repository or package (${each}): it would be shipped with it`,
        );
      }
    }
    if (path.dirname(each) === each) return;
  }
}

async function isMark(file: string): Promise<boolean> {
  const found = await lstat(file).catch(() => undefined);
  if (found === undefined || path.basename(file) !== "package.json") return found !== undefined;
  const text = await readFile(file, "utf8").catch(() => "");
  return /"name"\s*:\s*"fedclave"/.test(text);
}

function requirePrivate(place: string, mode: number, wanted: number): void {
  if ((mode & OTHERS_MODE_BITS) === 0) return;
  const seen = (mode & 0o777).toString(8);
  throw new DevelopmentRootError(
    "root-exposed",
    `${place}: seen mode ${seen}, wanted ${wanted.toString(8)}: whoever reads it can forge evidence for this installation; remove the root and make another`,
  );
}

async function step<Value>(place: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (cause) {
    throw unreadable(place, cause);
  }
}

/** Turns the one failure that is an answer into undefined. */
const unless =
  (code: string) =>
  (error: unknown): undefined => {
    if (error instanceof Error && "code" in error && error.code === code) return undefined;
    throw error;
  };

const unreadable = (place: string, cause: unknown): DevelopmentRootError =>
  new DevelopmentRootError("root-unreadable", `${place}: cannot be used`, { cause });
