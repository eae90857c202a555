import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { systemRandomness } from "../../../base/randomness.ts";
import { systemFiles } from "../../file/durable-file.ts";
import { failingFiles } from "../../testing/failing-files.ts";
import { withTempDir } from "../../testing/storage-fixture.ts";
import { loadOrCreateStateKey } from "../local-key.ts";

const keyIn = (dir: string) => ({
  file: path.join(dir, "state.key"),
  randomness: systemRandomness,
});

describe("the state key file", () => {
  it.each([0o640, 0o604, 0o610, 0o666])("is refused with mode %o", async (mode) => {
    await withTempDir(async (dir) => {
      await loadOrCreateStateKey(keyIn(dir));
      await chmod(keyIn(dir).file, mode);
      const loading = loadOrCreateStateKey(keyIn(dir));
      await expect(loading).rejects.toMatchObject({ code: "key-exposed" });
    });
  });

  it("is refused, and not replaced, when it is cut, longer, or another kind of file", async () => {
    await withTempDir(async (dir) => {
      const { file } = keyIn(dir);
      await loadOrCreateStateKey(keyIn(dir));
      const good = await readFile(file);
      const bad = [Buffer.concat([good, Buffer.alloc(1)]), Buffer.alloc(good.length)];
      for (let length = 0; length < good.length; length += 1) bad.push(good.subarray(0, length));
      for (const bytes of bad) {
        await writeFile(file, bytes);
        const loading = loadOrCreateStateKey(keyIn(dir));
        await expect(loading).rejects.toMatchObject({ code: "key-broken" });
        expect(await readFile(file)).toEqual(bytes);
      }
    });
  });

  it("is made once, for its owner only, and prints as a secret", async () => {
    await withTempDir(async (dir) => {
      const first = await loadOrCreateStateKey(keyIn(dir));
      const second = await loadOrCreateStateKey(keyIn(dir));
      expect(second.reveal()).toEqual(first.reveal());
      expect(first.reveal().byteLength).toBe(32);
      expect(`${first}`).toBe("[secret]");
      expect((await stat(keyIn(dir).file)).mode & 0o777).toBe(0o600);
      expect(await readdir(dir)).toEqual(["state.key"]);
    });
  });

  it("is the same for all who make it at once", async () => {
    await withTempDir(async (dir) => {
      const makers = Array.from({ length: 8 }, () => loadOrCreateStateKey(keyIn(dir)));
      const keys = (await Promise.all(makers)).map((key) =>
        Buffer.from(key.reveal()).toString("hex"),
      );
      expect(new Set(keys).size).toBe(1);
      expect(await readdir(dir)).toEqual(["state.key"]);
    });
  });

  it("is the key of whoever was first, even by a moment", async () => {
    await withTempDir(async (dir) => {
      let first: Buffer | undefined;
      const link: typeof systemFiles.link = async (from, to) => {
        first = Buffer.from((await loadOrCreateStateKey(keyIn(dir))).reveal());
        await systemFiles.link(from, to);
      };
      const fs = { ...systemFiles, link };
      const key = await loadOrCreateStateKey({ ...keyIn(dir), fs });
      expect(Buffer.from(key.reveal())).toEqual(first);
      expect(await readdir(dir)).toEqual(["state.key"]);
    });
  });

  it("is made where the file system has no links, as in Gramine", async () => {
    await withTempDir(async (dir) => {
      const link = () =>
        Promise.reject(Object.assign(new Error("no links"), { code: "ENOSYS", syscall: "link" }));
      const fs = { ...systemFiles, link };
      const key = await loadOrCreateStateKey({ ...keyIn(dir), fs });
      expect((await loadOrCreateStateKey(keyIn(dir))).reveal()).toEqual(key.reveal());
      expect(await readdir(dir)).toEqual(["state.key"]);
    });
  });

  it("is whole or absent whichever step of making it fails", async () => {
    for (let step = 1; ; step += 1) {
      const done = await withTempDir(async (dir) => {
        const fs = failingFiles();
        fs.failAt(step, "ENOSPC");
        const making = loadOrCreateStateKey({ ...keyIn(dir), fs });
        const failure = await making.then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure !== undefined) expect(failure).toMatchObject({ code: "storage-full" });
        expect((await loadOrCreateStateKey(keyIn(dir))).reveal().byteLength).toBe(32);
        return fs.operationCount() < step;
      });
      if (done) {
        expect(step).toBeGreaterThan(8);
        return;
      }
    }
  });
});
