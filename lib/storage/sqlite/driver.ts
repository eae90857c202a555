/** The one place that knows which SQLite this is: libsql, prebuilt and synchronous. */
import Database from "libsql";

/** Integers up to 2^53 − 1, text, and blobs (which come back as ArrayBuffer). */
export type SqliteValue = number | string | Uint8Array;

export type SqliteRow = { readonly [column: string]: unknown };

export type SqliteStatement = {
  readonly run: (...values: readonly SqliteValue[]) => void;
  readonly all: (...values: readonly SqliteValue[]) => readonly SqliteRow[];
};

export type SqliteDatabase = {
  /** Runs statements without parameters and results. */
  readonly exec: (sql: string) => void;
  /** As many values as the statement has marks: the driver stops the process on more. */
  readonly prepare: (sql: string) => SqliteStatement;
  /**
   * Closes the connection once no prepared statement is referred to any more: until then the driver keeps the file open,
   * locks and all, so give up locks first.
   */
  readonly close: () => void;
};

/** Opens or creates a database; a database locked elsewhere fails at its first use, at once. */
export function openSqlite(file: string): SqliteDatabase {
  const database = new Database(file, { timeout: 0 });
  return {
    exec: (sql) => {
      database.exec(sql);
    },
    prepare: (sql) => {
      const statement = database.prepare(sql);
      // Always one array: the driver takes a lone object argument, a blob too, for named parameters.
      return {
        run: (...values) => {
          statement.run(values);
        },
        all: (...values) => statement.all(values) as readonly SqliteRow[],
      };
    },
    close: () => {
      database.close();
    },
  };
}

/** The result code by name, as in "SQLITE_BUSY" or "SQLITE_IOERR_WRITE"; undefined for other errors. */
export function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const code = String(error.code);
  return code.startsWith("SQLITE_") ? code : undefined;
}
