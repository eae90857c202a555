import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { StorageError } from "../../storage-error.ts";
import { sqliteCode } from "../driver.ts";
import { describeSqliteFailure } from "../sqlite-failure.ts";

const file = path.join(tmpdir(), "ledger.sqlite");
const sqliteError = (code: string) => Object.assign(new Error("message"), { code });

it.each([
  ["SQLITE_BUSY", "already-open"],
  ["SQLITE_BUSY_RECOVERY", "already-open"],
  ["SQLITE_LOCKED", "already-open"],
  ["SQLITE_FULL", "storage-full"],
  ["SQLITE_READONLY", "storage-read-only"],
  ["SQLITE_READONLY_DIRECTORY", "storage-read-only"],
  ["SQLITE_NOTADB", "ledger-broken"],
  ["SQLITE_CORRUPT", "ledger-broken"],
  ["SQLITE_IOERR_FSYNC", "storage-failed"],
  ["SQLITE_CANTOPEN", "storage-failed"],
  ["EWHATEVER", "storage-failed"],
])("%s of the driver becomes %s, with the cause kept", (code, wanted) => {
  const cause = sqliteError(code);
  expect(describeSqliteFailure(file, cause)).toMatchObject({ code: wanted, cause });
});

it("a StorageError passes unchanged, and only codes of SQLite are taken for them", () => {
  const error = new StorageError("stale-writer", "stale");
  expect(describeSqliteFailure(file, error)).toBe(error);
  expect(sqliteCode(sqliteError("SQLITE_FULL"))).toBe("SQLITE_FULL");
  expect(sqliteCode(sqliteError("ENOSPC"))).toBeUndefined();
  expect(sqliteCode("SQLITE_FULL")).toBeUndefined();
});
