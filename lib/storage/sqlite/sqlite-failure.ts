import { accessSync, constants } from "node:fs";
import path from "node:path";
import { StorageError, storageFailed, storageFull, storageReadOnly } from "../storage-error.ts";
import { sqliteCode } from "./driver.ts";

/** Turns what the driver threw about a database file into a StorageError; StorageErrors pass unchanged. */
export function describeSqliteFailure(file: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const code = sqliteCode(cause) ?? "";
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) {
    return new StorageError(
      "already-open",
      `${file}: another process, or another part of this one, has this ledger open; stop it first`,
      { cause },
    );
  }
  if (code === "SQLITE_FULL") return storageFull(file, cause);
  if (code.startsWith("SQLITE_NOTADB") || code.startsWith("SQLITE_CORRUPT")) {
    return new StorageError(
      "ledger-broken",
      `${file}: not a ledger database, or damaged (${code}); restore it from a copy`,
      { cause },
    );
  }
  // On a read-only mount SQLite reports whatever failed first; asking the folder tells the reason.
  if (code.startsWith("SQLITE_READONLY") || !isWritable(file)) return storageReadOnly(file, cause);
  return storageFailed(file, cause);
}

/** Looks only at names: opening and closing the file here would drop the locks SQLite holds on it (POSIX). */
function isWritable(file: string): boolean {
  for (const each of [path.dirname(file), file]) {
    try {
      accessSync(each, constants.W_OK);
    } catch (error) {
      const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!isAbsent) return false;
    }
  }
  return true;
}
