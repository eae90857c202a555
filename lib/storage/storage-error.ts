import { CodedError } from "../base/refusal.ts";

/**
 * What storage can say besides "done". Codes are explained for operators in docs/errors.md.
 * Refused by content: ledger-broken, artifact-broken, not-authentic, digest-mismatch, newer-version.
 * Refused by circumstance: stale-writer, already-open, closed, too-large, key-exposed, key-broken.
 * Failing medium: storage-full, storage-read-only, storage-failed; nothing of that write was acknowledged.
 */
export type StorageErrorCode =
  | "stale-writer"
  | "ledger-broken"
  | "already-open"
  | "newer-version"
  | "not-authentic"
  | "artifact-broken"
  | "digest-mismatch"
  | "too-large"
  | "key-exposed"
  | "key-broken"
  | "storage-full"
  | "storage-read-only"
  | "storage-failed"
  | "closed";

export class StorageError extends CodedError<StorageErrorCode> {}

/** Somebody else appended, or this writer decided on an old head. */
export const staleWriter = (expectedSeq: number, lastSeq: number): StorageError =>
  new StorageError(
    "stale-writer",
    `ledger append: seen ${lastSeq} as the last entry, wanted ${expectedSeq}; read on from there and decide again`,
  );

/** Use of a store after its close(). */
export const storeClosed = (what: string): StorageError =>
  new StorageError("closed", `${what} is closed; open it again`);

/** The medium is full; the same words whichever layer noticed. */
export const storageFull = (what: string, cause: unknown): StorageError =>
  new StorageError(
    "storage-full",
    `${what}: the disk is full; nothing of this write was kept. Free space or enlarge the volume, then try again`,
    { cause },
  );

/** The medium may not be written. */
export const storageReadOnly = (what: string, cause: unknown): StorageError =>
  new StorageError(
    "storage-read-only",
    `${what}: the operating system does not permit it. Mount the volume writable, or give the folder to the user this process runs as`,
    { cause },
  );

/** Anything else the medium did. */
export const storageFailed = (what: string, cause: unknown): StorageError =>
  new StorageError(
    "storage-failed",
    `${what}: ${cause instanceof Error ? cause.message : "unknown failure"}. Check the disk and its mount, then start again; nothing unacknowledged was promised`,
    { cause },
  );

/**
 * Runs one file operation and turns its operating-system error into a StorageError.
 * Errors without a system code (our own bugs) pass unchanged.
 * @param what  the operation and its path, for people: "writing /data/models/…"
 * @throws StorageError "storage-full" | "storage-read-only" | "storage-failed"
 */
export async function fileStep<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    throw describeSystemError(what, cause);
  }
}

/** The system code ("ENOENT") of anything thrown by node:fs, undefined for other errors. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "syscall" in error && "code" in error
    ? String(error.code)
    : undefined;
}

function describeSystemError(what: string, cause: unknown): unknown {
  switch (systemCode(cause)) {
    case undefined:
      return cause;
    case "ENOSPC":
    case "EDQUOT":
      return storageFull(what, cause);
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return storageReadOnly(what, cause);
    default:
      return storageFailed(what, cause);
  }
}
