import { open } from "node:fs/promises";
import { type LedgerRow, type LedgerRows, MAX_EVENT_BYTES } from "../ledger.ts";
import { fileStep, StorageError, staleWriter, storeClosed, systemCode } from "../storage-error.ts";
import { openSqlite, type SqliteDatabase, type SqliteRow } from "./driver.ts";
import { describeSqliteFailure } from "./sqlite-failure.ts";

/** Of the tables below; a database of a later version is left alone. */
const LEDGER_SCHEMA_VERSION = 1;

/** Rows and bytes held at once while reading; one row may be larger. */
const PAGE_ROWS = 256;
const PAGE_BYTES = 4 * 1024 * 1024;
/** Host-controlled: no row is loaded that could not have been written here (event, chain and seal). */
const MAX_ROW_BYTES = MAX_EVENT_BYTES + 1024;

const SCHEMA = `
  create table if not exists schema_version (kind text primary key, version integer not null) strict;
  create table if not exists entries (seq integer primary key, sealed blob not null) strict;
`;

/**
 * Rows in a SQLite database: write-ahead log, synced on every commit, one process at a time.
 * EXCLUSIVE before WAL, so that SQLite maps no shared memory, which Gramine does not give (facts on Gramine). Locks are
 * emulated inside one Gramine instance: there, whoever starts enclaves must see to it that a ledger has one.
 * @param file  made when absent, its folder not; a journal beside it (`-wal`) belongs to it and must move with it
 * @throws StorageError "already-open" | "newer-version" | "ledger-broken", and those of the medium
 */
export async function openSqliteRows(file: string): Promise<LedgerRows> {
  await createPrivately(file);
  let database: SqliteDatabase | undefined;
  try {
    database = openSqlite(file);
    database.exec("pragma locking_mode = exclusive");
    database.exec("pragma journal_mode = wal");
    database.exec("pragma synchronous = full");
    database.exec("pragma trusted_schema = off");
    database.exec("pragma cell_size_check = on");
    prepareSchema(database, file);
    return sqliteRows(database, file);
  } catch (cause) {
    const failure = describeSqliteFailure(file, cause);
    if (database !== undefined && failure.code !== "already-open") release(database);
    database?.close();
    throw failure;
  }
}

/** The empty file, for its owner only; SQLite gives the journal the same mode. */
async function createPrivately(file: string): Promise<void> {
  await fileStep(`making ${file}`, async () => {
    try {
      await (await open(file, "wx", 0o600)).close();
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
  });
}

function prepareSchema(database: SqliteDatabase, file: string): void {
  database.exec("begin immediate");
  try {
    database.exec(SCHEMA);
    const insert =
      "insert into schema_version values ('fedclave/ledger', ?) on conflict do nothing";
    database.prepare(insert).run(LEDGER_SCHEMA_VERSION);
    checkVersion(database, file);
    database.exec("commit");
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

function checkVersion(database: SqliteDatabase, file: string): void {
  const select = "select version from schema_version where kind = 'fedclave/ledger'";
  const version = database.prepare(select).all()[0]?.version;
  if (version === LEDGER_SCHEMA_VERSION) return;
  throw new StorageError(
    "newer-version",
    `${file}: seen ledger schema ${String(version)}, wanted ${LEDGER_SCHEMA_VERSION}; use the release that wrote it`,
  );
}

function sqliteRows(database: SqliteDatabase, file: string): LedgerRows {
  const selectLast = database.prepare("select max(seq) as seq from entries");
  const insert = database.prepare("insert into entries values (?, ?)");
  const selectSizes = database.prepare(
    `select seq, length(sealed) as size from entries where seq >= ? order by seq limit ${PAGE_ROWS}`,
  );
  const selectPage = database.prepare(
    "select seq, sealed from entries where seq between ? and ? order by seq",
  );
  let unusable: StorageError | undefined;

  /** Runs one step on the database; after a failure of the medium nothing it says is believed any more. */
  function use<T>(step: () => T): T {
    if (unusable !== undefined) throw unusable;
    try {
      return step();
    } catch (cause) {
      const failure = describeSqliteFailure(file, cause);
      if (failure.code !== "stale-writer" && failure.code !== "storage-full") unusable = failure;
      throw failure;
    }
  }

  const lastSeq = () => Number(selectLast.all()[0]?.seq ?? 0);

  function append(expectedSeq: number, sealedRows: readonly Uint8Array[]): void {
    database.exec("begin immediate");
    try {
      const last = lastSeq();
      if (last !== expectedSeq) throw staleWriter(expectedSeq, last);
      sealedRows.forEach((sealed, index) => {
        insert.run(expectedSeq + 1 + index, sealed);
      });
      database.exec("commit");
    } catch (error) {
      rollBack(database);
      throw error;
    }
  }

  async function* read(fromSeq: number): AsyncGenerator<LedgerRow> {
    for (let next = fromSeq; ; ) {
      const page = use(() => {
        const endSeq = pageEnd(selectSizes.all(next), file);
        return endSeq === undefined ? [] : selectPage.all(next, endSeq).map(toLedgerRow);
      });
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      next = last.seq + 1;
    }
  }

  return {
    lastSeq: async () => use(lastSeq),
    append: async (expectedSeq, sealedRows) => use(() => append(expectedSeq, sealedRows)),
    read,
    close: async () => {
      if (unusable?.code === "closed") return;
      unusable = storeClosed(file);
      release(database);
      database.close();
    },
  };
}

/** Last row of the next page, undefined when there is none. */
function pageEnd(sizes: readonly SqliteRow[], file: string): number | undefined {
  let end: number | undefined;
  let pageBytes = 0;
  for (const row of sizes) {
    const [seq, size] = [Number(row.seq), Number(row.size)];
    if (size > MAX_ROW_BYTES) {
      const what = `${file}: ledger entry ${seq}: seen a row of ${size} bytes, wanted ${MAX_ROW_BYTES} at most; restore it from a copy`;
      throw new StorageError("ledger-broken", what);
    }
    pageBytes += size;
    if (end !== undefined && pageBytes > PAGE_BYTES) break;
    end = seq;
  }
  return end;
}

function toLedgerRow(row: SqliteRow): LedgerRow {
  const sealed = row.sealed;
  return {
    seq: Number(row.seq),
    // Another type can only be there if the host changed the table; no bytes open as no row.
    sealed: sealed instanceof ArrayBuffer ? new Uint8Array(sealed) : new Uint8Array(0),
  };
}

function rollBack(database: SqliteDatabase): void {
  try {
    database.exec("rollback");
  } catch {
    // SQLite has rolled back by itself, as it does on a full disk; the first error is the one to tell.
  }
}

/**
 * Gives up the lock now: the driver would keep it until its statements are collected as garbage. Leaves one plain file.
 * On a disk too full to take in the write-ahead log the lock stays until this process ends.
 */
function release(database: SqliteDatabase): void {
  try {
    database.exec("pragma journal_mode = delete");
    database.exec("pragma locking_mode = normal");
    database.exec("select 1 from entries limit 1");
  } catch {
    // Everything acknowledged is durable as it is; the next process to open it goes on from the write-ahead log.
  }
}
