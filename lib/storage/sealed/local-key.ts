/** The state key as a file of the machine: on-prem and development. Whoever reads it reads all state. */
import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import { concatBytes, equalBytes, toHex, utf8 } from "../../base/bytes.ts";
import type { Randomness } from "../../base/randomness.ts";
import { Secret } from "../../base/secret.ts";
import {
  type FileSystem,
  openExisting,
  readUpTo,
  syncDir,
  systemFiles,
  UNFINISHED_SUFFIX,
  writeFully,
  writeUnfinished,
} from "../file/durable-file.ts";
import { fileStep, StorageError, systemCode } from "../storage-error.ts";
import { STATE_KEY_BYTES } from "./local-sealer.ts";

const MAGIC = utf8("FCSKEY1\0");
const OTHERS_MODE_BITS = 0o077;

/**
 * The state key in a file, made on first use. Of several processes that make it at once, all get the same key.
 * @param file  its folder must exist
 * @throws StorageError "key-exposed" when group or others have any right to the file; "key-broken" when it is not 40
 *   bytes that this code wrote; and those of the medium
 */
export async function loadOrCreateStateKey(given: {
  readonly file: string;
  readonly randomness: Randomness;
  readonly fs?: FileSystem;
}): Promise<Secret<Uint8Array>> {
  const { file, randomness, fs = systemFiles } = given;
  const existing = await loadStateKey(file, fs);
  if (existing !== undefined) return existing;
  await createStateKey(file, randomness, fs);
  // Read what is there now: another process may have been first.
  const created = await loadStateKey(file, fs);
  if (created === undefined) throw keyBroken(file, "no file", "the key just written");
  return created;
}

async function loadStateKey(file: string, fs: FileSystem): Promise<Secret<Uint8Array> | undefined> {
  const handle = await openExisting(fs, file);
  if (handle === undefined) return undefined;
  try {
    return await readStateKey(handle, file);
  } finally {
    await handle.close();
  }
}

async function readStateKey(handle: FileHandle, file: string): Promise<Secret<Uint8Array>> {
  const { mode } = await fileStep(`reading ${file}`, () => handle.stat());
  if ((mode & OTHERS_MODE_BITS) !== 0) {
    throw new StorageError(
      "key-exposed",
      `${file}: seen mode ${(mode & 0o777).toString(8)}, wanted 600: others can read every secret of this federation; chmod 600 it, and consider the key known`,
    );
  }
  const wantedBytes = MAGIC.byteLength + STATE_KEY_BYTES;
  const bytes = await readUpTo(handle, wantedBytes + 1, 0, `reading ${file}`);
  if (bytes.byteLength !== wantedBytes) {
    throw keyBroken(file, `${bytes.byteLength} bytes or more`, `${wantedBytes}`);
  }
  if (!equalBytes(bytes.subarray(0, MAGIC.byteLength), MAGIC)) {
    throw keyBroken(file, "another kind of file", "a state key");
  }
  return new Secret(bytes.slice(MAGIC.byteLength));
}

async function createStateKey(file: string, randomness: Randomness, fs: FileSystem): Promise<void> {
  const bytes = concatBytes(MAGIC, randomness.bytes(STATE_KEY_BYTES));
  const unfinished = `${file}.${toHex(randomness.bytes(8))}${UNFINISHED_SUFFIX}`;
  try {
    await writeUnfinished(fs, unfinished, (handle) =>
      writeFully(handle, bytes, 0, `writing ${file}`),
    );
    await publishUnlessPresent(fs, unfinished, file);
    await syncDir(fs, path.dirname(file));
  } finally {
    await fs.unlink(unfinished).catch(() => undefined);
  }
}

/** A link, unlike a rename, does not replace a key that somebody else began to use. */
async function publishUnlessPresent(
  fs: FileSystem,
  unfinished: string,
  file: string,
): Promise<void> {
  try {
    await fs.link(unfinished, file);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") return;
    const hasNoLinks = code === "ENOSYS" || code === "EPERM" || code === "ENOTSUP";
    // Gramine has no links; there the key file has one process.
    await fileStep(`making ${file}`, () =>
      hasNoLinks ? fs.rename(unfinished, file) : Promise.reject(error),
    );
  }
}

const keyBroken = (file: string, seen: string, wanted: string): StorageError =>
  new StorageError(
    "key-broken",
    `${file}: seen ${seen}, wanted ${wanted}; restore the key from its copy. Without it the state cannot be opened`,
  );
