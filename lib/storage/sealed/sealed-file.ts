/** Small state outside the ledger (CA and receipt keys): one sealed piece in one file, replaced atomically. */
import { concatBytes, equalBytes, utf8 } from "../../base/bytes.ts";
import { MIB } from "../../base/limits.ts";
import {
  type FileSystem,
  openExisting,
  readUpTo,
  removeFile,
  systemFiles,
  UNFINISHED_SUFFIX,
  writeDurably,
  writeFully,
} from "../file/durable-file.ts";
import { StorageError } from "../storage-error.ts";
import type { SealContext, Sealer } from "./sealer.ts";

/** Plain content of one sealed file. */
export const MAX_SEALED_FILE_BYTES = MIB;

const MAGIC = utf8("FCFILE1\0");

/** Where it is, and what it is: the purpose is authenticated, so that one file cannot be put in place of another. */
export type SealedFile = {
  readonly path: string;
  /** Such as "federation-ca"; the same at writing and reading. */
  readonly purpose: string;
  readonly sealer: Sealer;
  readonly fs?: FileSystem;
};

/**
 * Replaces the content: after a crash the file holds the old or the new, whole. One writer at a time.
 * @param plain  up to 1 MiB; not kept
 * @throws StorageError "too-large", and those of the medium
 */
export async function writeSealedFile(file: SealedFile, plain: Uint8Array): Promise<void> {
  if (plain.byteLength > MAX_SEALED_FILE_BYTES) throw tooLarge(file, plain.byteLength);
  const fs = file.fs ?? systemFiles;
  const unfinished = `${file.path}${UNFINISHED_SUFFIX}`;
  // Left by a crash; it may be unreadable, even to a truncating open, on Gramine's encrypted mounts.
  await removeFile(fs, unfinished);
  const bytes = concatBytes(MAGIC, file.sealer.seal(contextOf(file), plain));
  await writeDurably(fs, { final: file.path, unfinished }, (handle) =>
    writeFully(handle, bytes, 0, `writing ${file.path}`),
  );
}

/**
 * The content, or undefined when there is no such file. An older version put back by the host opens: what must not
 * go back belongs into the ledger.
 * @throws StorageError "not-authentic" | "newer-version" | "too-large", and those of the medium
 */
export async function readSealedFile(file: SealedFile): Promise<Uint8Array | undefined> {
  const handle = await openExisting(file.fs ?? systemFiles, file.path);
  if (handle === undefined) return undefined;
  try {
    const maxBytes = MAGIC.byteLength + file.sealer.overheadBytes + MAX_SEALED_FILE_BYTES;
    const bytes = await readUpTo(handle, maxBytes + 1, 0, `reading ${file.path}`);
    if (bytes.byteLength > maxBytes) throw tooLarge(file, bytes.byteLength);
    if (!equalBytes(bytes.subarray(0, MAGIC.byteLength), MAGIC)) {
      throw new StorageError("not-authentic", `${file.path}: not a sealed file`);
    }
    return file.sealer.unseal(contextOf(file), bytes.subarray(MAGIC.byteLength));
  } finally {
    await handle.close();
  }
}

const contextOf = (file: SealedFile): SealContext => ({
  kind: "file",
  object: utf8(file.purpose),
  position: 0,
  isLast: true,
});

const tooLarge = (file: SealedFile, seenBytes: number): StorageError =>
  new StorageError(
    "too-large",
    `${file.path}: seen ${seenBytes} bytes, wanted ${MAX_SEALED_FILE_BYTES} of content at most`,
  );
