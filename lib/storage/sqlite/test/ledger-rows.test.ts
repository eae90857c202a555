import { copyFile, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../base/bytes.ts";
import { type Ledger, MAX_EVENT_BYTES } from "../../ledger.ts";
import { openLedger } from "../../open-ledger.ts";
import { canMount, mountSmallDisk, type SmallDisk } from "../../testing/small-disk.ts";
import { collect, testFederation, testSealer, withTempDir } from "../../testing/storage-fixture.ts";
import { openSqlite } from "../driver.ts";
import { openSqliteRows } from "../ledger-rows.ts";

const open = async (file: string): Promise<Ledger> =>
  openLedger({
    rows: await openSqliteRows(file),
    sealer: testSealer(),
    federationId: testFederation,
  });

const fileIn = (dir: string): string => path.join(dir, "ledger.sqlite");

const withLedgerFile = (use: (file: string) => Promise<void>) =>
  withTempDir(async (dir) => {
    const ledger = await open(fileIn(dir));
    await ledger.append(0, ["one", "two", "three", "four"].map(utf8));
    await ledger.close();
    await use(fileIn(dir));
  });

/** What a host does with its own tools while the ledger is closed. */
function changeFile(file: string, sql: string): void {
  const database = openSqlite(file);
  database.exec(sql);
  database.close();
}

describe("a ledger in SQLite", () => {
  it("is refused while it is open, and may be opened again at once after it was closed", async () => {
    await withLedgerFile(async (file) => {
      for (let times = 0; times < 3; times += 1) {
        const ledger = await open(file);
        await expect(open(file)).rejects.toMatchObject({ code: "already-open" });
        await ledger.append((await ledger.head()).seq, [utf8("still the only writer")]);
        await ledger.close();
      }
    });
  });

  it("is one file for its owner only once it was closed", async () => {
    await withLedgerFile(async (file) => {
      expect(await readdir(path.dirname(file))).toEqual(["ledger.sqlite"]);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const ledger = await open(file);
      await ledger.append(4, [utf8("x")]);
      expect((await stat(`${file}-wal`)).mode & 0o777).toBe(0o600);
      expect(await readdir(path.dirname(file))).not.toContain("ledger.sqlite-shm");
      await ledger.close();
    });
  });

  it.each([
    ["a newer schema", "update schema_version set version = 2", "newer-version"],
    ["an older schema", "update schema_version set version = 0", "newer-version"],
    ["rows removed from the middle", "delete from entries where seq = 2", "ledger-broken"],
    [
      "the last row under another number",
      "update entries set seq = 9 where seq = 4",
      "ledger-broken",
    ],
    ["a negative row", "insert into entries values (-5, x'00')", undefined],
    ["only a negative row", "update entries set seq = -seq", "ledger-broken"],
    ["an empty row", "update entries set sealed = x'' where seq = 3", "ledger-broken"],
    [
      "a row too large to have been written",
      `insert into entries values (5, zeroblob(${MAX_EVENT_BYTES + 2048}))`,
      "ledger-broken",
    ],
  ])("with %s opens and reads with this result", async (_, sql, code) => {
    await withLedgerFile(async (file) => {
      changeFile(file, sql);
      const reading = open(file).then((ledger) => collect(ledger.read(1)));
      if (code === undefined) expect(await reading).toHaveLength(4);
      else await expect(reading).rejects.toMatchObject({ code });
    });
  });

  it("leaves a newer schema as it found it", async () => {
    await withLedgerFile(async (file) => {
      changeFile(file, "update schema_version set version = 2");
      await expect(open(file)).rejects.toMatchObject({ code: "newer-version" });
      changeFile(file, "update schema_version set version = 1");
      expect((await (await open(file)).head()).seq).toBe(4);
    });
  });

  it("is refused by name when the file is no database, or a folder, or in no folder", async () => {
    await withTempDir(async (dir) => {
      await writeFile(fileIn(dir), new Uint8Array(9000).fill(7));
      await expect(open(fileIn(dir))).rejects.toMatchObject({ code: "ledger-broken" });
      await mkdir(path.join(dir, "folder"));
      const folder = open(path.join(dir, "folder"));
      await expect(folder).rejects.toMatchObject({ code: "storage-failed" });
      const nowhere = open(path.join(dir, "none", "ledger.sqlite"));
      await expect(nowhere).rejects.toMatchObject({ code: "storage-failed" });
    });
  });

  it("reads pages of many small and of few large rows in order", async () => {
    await withTempDir(async (dir) => {
      const ledger = await open(fileIn(dir));
      await ledger.append(0, new Array<Uint8Array>(600).fill(utf8("small")));
      await ledger.append(600, new Array<Uint8Array>(5).fill(new Uint8Array(3_000_000)));
      await ledger.append(605, [utf8("last")]);
      const sizes = (await collect(ledger.read(1))).map((entry) => entry.event.byteLength);
      expect(sizes).toEqual([
        ...new Array<number>(600).fill(5),
        ...new Array<number>(5).fill(3_000_000),
        4,
      ]);
      await ledger.close();
    });
  });
});

describe.skipIf(!canMount())("a ledger on a small disk", () => {
  const withSmallDisk = async (use: (disk: SmallDisk) => Promise<void>) => {
    const disk = mountSmallDisk(256);
    if (disk === undefined) throw new Error("could be mounted a moment ago");
    try {
      await use(disk);
    } finally {
      disk.unmount();
    }
  };

  it("says when the disk is full, keeps what was acknowledged, and goes on when there is room", async () => {
    await withSmallDisk(async ({ dir }) => {
      const ballast = path.join(dir, "ballast");
      await writeFile(ballast, new Uint8Array(100_000));
      const ledger = await open(fileIn(dir));
      let { seq } = await ledger.head();
      let failure: unknown;
      while (failure === undefined) {
        try {
          seq = (await ledger.append(seq, [new Uint8Array(5000), utf8("pair")])).seq;
        } catch (error) {
          failure = error;
        }
      }
      expect(failure).toMatchObject({ code: "storage-full" });
      expect(seq).toBeGreaterThan(2);
      expect((await ledger.head()).seq).toBe(seq);
      expect(await collect(ledger.read(1))).toHaveLength(seq);
      await rm(ballast);
      expect((await ledger.append(seq, [utf8("fits")])).seq).toBe(seq + 1);
      await ledger.close();
      const again = await open(fileIn(dir));
      expect(await collect(again.read(1))).toHaveLength(seq + 1);
      await again.close();
    });
  });

  it("says when the disk is full from the start", async () => {
    await withSmallDisk(async ({ dir }) => {
      await writeFile(path.join(dir, "ballast"), new Uint8Array(256 * 1024)).catch(() => undefined);
      await expect(open(fileIn(dir))).rejects.toMatchObject({ code: "storage-full" });
    });
  });

  it("says when the disk is read-only, with and without a ledger on it", async () => {
    await withSmallDisk(async (disk) => {
      // Made elsewhere: the driver's lingering handle would keep the disk from becoming read-only.
      await withLedgerFile((file) => copyFile(file, fileIn(disk.dir)));
      disk.remount("ro");
      const readOnly = { code: "storage-read-only" };
      await expect(open(fileIn(disk.dir))).rejects.toMatchObject(readOnly);
      await expect(open(path.join(disk.dir, "new.sqlite"))).rejects.toMatchObject(readOnly);
      disk.remount("rw");
      const again = await open(fileIn(disk.dir));
      expect((await again.head()).seq).toBe(4);
      await again.close();
    });
  });
});
