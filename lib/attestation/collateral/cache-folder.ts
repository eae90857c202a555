/** Files of a cache: each there whole or not at all, whenever the power goes. What they hold is checked by the reader. */
import * as nodeFs from "node:fs/promises";
import path from "node:path";
import { oneAtATime, type Queue } from "../../base/one-at-a-time.ts";

/** Files of one folder by their names. */
export type CacheFolder = {
  /** For messages. */
  readonly path: (name: string) => string;
  /** The bytes, or undefined if there is no such file. @throws the system's error; RangeError past `maxBytes` */
  readonly read: (name: string, maxBytes: number) => Promise<Uint8Array | undefined>;
  /** Replaces the file. One at a time, so that what is written last stands. @throws the system's error */
  readonly write: (name: string, bytes: Uint8Array) => Promise<void>;
};

/** Port: the file operations used here; tests inject failures. */
export type CacheFiles = Pick<typeof nodeFs, "mkdir" | "open" | "rename" | "unlink">;

/** Beside the file that is being replaced; left behind only by a crash, and overwritten by the next write. */
const UNFINISHED_SUFFIX = ".tmp";
/** Which machines somebody looks at is nobody else's business. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Makes the folder if it is not there. @throws the system's error */
export async function openCacheFolder(
  folder: string,
  files: CacheFiles = nodeFs,
): Promise<CacheFolder> {
  await files.mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  const queue: Queue = oneAtATime();
  const place = (name: string): string => path.join(folder, name);
  return {
    path: place,
    read: (name, maxBytes) => readWhole(files, place(name), maxBytes),
    write: (name, bytes) => queue(() => replace(files, place(name), bytes)),
  };
}

async function readWhole(
  files: CacheFiles,
  file: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const handle = await files.open(file, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  });
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) throw new RangeError(`${file} has ${size} bytes; ${maxBytes} are allowed`);
    return new Uint8Array(await handle.readFile());
  } finally {
    await handle.close();
  }
}

async function replace(files: CacheFiles, file: string, bytes: Uint8Array): Promise<void> {
  const unfinished = file + UNFINISHED_SUFFIX;
  try {
    const handle = await files.open(unfinished, "w", FILE_MODE);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await files.rename(unfinished, file);
  } catch (error) {
    await files.unlink(unfinished).catch(() => undefined);
    throw error;
  }
  const folder = await files.open(path.dirname(file), "r");
  try {
    // Makes the new name durable, not only the bytes behind it.
    await folder.sync();
  } finally {
    await folder.close();
  }
}
