/** Files that are there whole or not at all, whenever the power goes. */
import type { FileHandle } from "node:fs/promises";
import * as nodeFs from "node:fs/promises";
import path from "node:path";
import { fileStep, systemCode } from "../storage-error.ts";

/** Port: the file operations used here, all of which work inside Gramine; tests inject failures. */
export type FileSystem = Pick<
  typeof nodeFs,
  "open" | "rename" | "unlink" | "readdir" | "mkdir" | "link"
>;

/** The file system itself. */
export const systemFiles: FileSystem = nodeFs;

/** Ending of files that are being written; whoever finds one without knowing its writer may remove it. */
export const UNFINISHED_SUFFIX = ".tmp";

/** Only the owner reads: sealed bytes too tell sizes and times. */
const PRIVATE_FILE_MODE = 0o600;
const PRIVATE_DIR_MODE = 0o700;

/**
 * Writes a new file beside its final place, syncs it, and moves it there; replaces what was there.
 * One writer at a time per `unfinishedPath`.
 * @param write  fills the file; may write at any position
 * @throws what `write` throws, StorageError of the medium; the place is then as before
 */
export async function writeDurably<T>(
  fs: FileSystem,
  paths: { readonly final: string; readonly unfinished: string },
  write: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  return unlessItFails(fs, paths.unfinished, async () => {
    const result = await writeUnfinished(fs, paths.unfinished, write);
    await moveIntoPlace(fs, paths);
    return result;
  });
}

/** Creates `unfinishedPath`, which must not exist, and syncs what `write` puts into it. */
export async function writeUnfinished<T>(
  fs: FileSystem,
  unfinishedPath: string,
  write: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await fileStep(`creating ${unfinishedPath}`, () =>
    fs.open(unfinishedPath, "wx", PRIVATE_FILE_MODE),
  );
  try {
    const result = await write(handle);
    await fileStep(`syncing ${unfinishedPath}`, () => handle.sync());
    return result;
  } finally {
    await handle.close();
  }
}

/** Renames, and syncs the folder so that the new name is durable too. */
export async function moveIntoPlace(
  fs: FileSystem,
  paths: { readonly final: string; readonly unfinished: string },
): Promise<void> {
  await fileStep(`renaming to ${paths.final}`, () => fs.rename(paths.unfinished, paths.final));
  await syncDir(fs, path.dirname(paths.final));
}

/** Runs the steps that make a file and, when one fails, removes what they left. */
export async function unlessItFails<T>(
  fs: FileSystem,
  unfinishedPath: string,
  steps: () => Promise<T>,
): Promise<T> {
  try {
    return await steps();
  } catch (error) {
    // The first failure is the one to tell; what cannot be removed now is removed at the next open.
    await fs.unlink(unfinishedPath).catch(() => undefined);
    throw error;
  }
}

/** All bytes at a position, however the system splits them. */
export async function writeFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
  what: string,
): Promise<void> {
  let written = 0;
  while (written < bytes.byteLength) {
    const { bytesWritten } = await fileStep(what, () =>
      handle.write(bytes, written, bytes.byteLength - written, position + written),
    );
    written += bytesWritten;
  }
}

/** Up to `length` bytes from a position; fewer only where the file ends. */
export async function readUpTo(
  handle: FileHandle,
  length: number,
  position: number,
  what: string,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await fileStep(what, () =>
      handle.read(bytes, filled, length - filled, position + filled),
    );
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** A handle for reading, or undefined when there is no such file. */
export async function openExisting(fs: FileSystem, file: string): Promise<FileHandle | undefined> {
  return fileStep(`opening ${file}`, () => fs.open(file, "r").catch(absentAsUndefined));
}

/** @returns whether there was such a file */
export async function removeFile(fs: FileSystem, file: string): Promise<boolean> {
  const removed = await fileStep(`removing ${file}`, () =>
    fs.unlink(file).then(() => true, absentAsUndefined),
  );
  return removed ?? false;
}

/** Makes the folder, readable by its owner only, with what leads to it. */
export async function makeDir(fs: FileSystem, dir: string): Promise<void> {
  await fileStep(`making ${dir}`, () => fs.mkdir(dir, { recursive: true, mode: PRIVATE_DIR_MODE }));
}

/** Makes creations, renames and removals in a folder durable. */
export async function syncDir(fs: FileSystem, dir: string): Promise<void> {
  await fileStep(`syncing ${dir}`, async () => {
    const handle = await fs.open(dir, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

function absentAsUndefined(error: unknown): undefined {
  if (systemCode(error) !== "ENOENT") throw error;
  return undefined;
}
