import { copyFile, mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { concatBytes, utf8 } from "../../../base/bytes.ts";
import { type Digest, digestOf } from "../../../base/ids.ts";
import { MIB } from "../../../base/limits.ts";
import { systemRandomness } from "../../../base/randomness.ts";
import { type ArtifactStore, readAll } from "../../artifacts.ts";
import { failingFiles } from "../../testing/failing-files.ts";
import { canMount, mountSmallDisk } from "../../testing/small-disk.ts";
import {
  otherStateKey,
  patternBytes,
  testSealer,
  withTempDir,
} from "../../testing/storage-fixture.ts";
import { openFileArtifacts } from "../artifact-store.ts";
import type { FileSystem } from "../durable-file.ts";

const sealer = testSealer();
const openIn = (dir: string, fs?: FileSystem): Promise<ArtifactStore> =>
  openFileArtifacts({ dir, sealer, randomness: systemRandomness, ...(fs && { fs }) });

/** Digest of what is really there; comparing megabytes with toEqual takes seconds. */
async function readDigest(store: ArtifactStore, digest: Digest): Promise<Digest | undefined> {
  const reader = await store.open("model", digest);
  try {
    return reader && digestOf(await readAll(reader));
  } finally {
    await reader?.close();
  }
}

const SEAL_BYTES = 31;
const HEADER_BYTES = 8 + 40 + SEAL_BYTES;
const SEALED_CHUNK_BYTES = MIB + SEAL_BYTES;
/** Two full chunks and a short one. */
const content = patternBytes(2 * MIB + 10);
const digest = digestOf(content);
const pathIn = (dir: string) => path.join(dir, sealer.objectName("model", digest));

/** A store with the artifact, its file, and a way to see what a changed file gives. */
async function withArtifact(
  use: (file: Uint8Array, readChanged: (bytes: Uint8Array) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const store = await openIn(dir);
    await store.put("model", content);
    const file = new Uint8Array(await readFile(pathIn(dir)));
    await use(file, async (bytes) => {
      await writeFile(pathIn(dir), bytes);
      return readDigest(store, digest);
    });
  });
}

const broken = { code: expect.stringMatching(/^(artifact-broken|newer-version)$/) };

describe("what a host can do to the file of an artifact", () => {
  const chunk = (file: Uint8Array, index: number) =>
    file.subarray(
      HEADER_BYTES + index * SEALED_CHUNK_BYTES,
      HEADER_BYTES + (index + 1) * SEALED_CHUNK_BYTES,
    );

  it.each<[string, (file: Uint8Array) => Uint8Array]>([
    ["empties it", () => new Uint8Array(0)],
    ["cuts it within the header", (file) => file.slice(0, HEADER_BYTES - 1)],
    ["leaves the header alone", (file) => file.slice(0, HEADER_BYTES)],
    ["cuts the last byte", (file) => file.slice(0, -1)],
    ["cuts the last chunk", (file) => file.slice(0, HEADER_BYTES + 2 * SEALED_CHUNK_BYTES)],
    ["adds a byte", (file) => concatBytes(file, Uint8Array.of(0))],
    [
      "swaps two chunks",
      (file) =>
        concatBytes(file.subarray(0, HEADER_BYTES), chunk(file, 1), chunk(file, 0), chunk(file, 2)),
    ],
    [
      "repeats a chunk",
      (file) =>
        concatBytes(file.subarray(0, HEADER_BYTES), chunk(file, 0), chunk(file, 0), chunk(file, 2)),
    ],
    ["zeroes it", (file) => new Uint8Array(file.byteLength)],
  ])("is refused when it %s", async (_, change) => {
    await withArtifact(async (file, readChanged) => {
      expect(chunk(file, 2).byteLength).toBe(10 + SEAL_BYTES);
      await expect(readChanged(change(file))).rejects.toMatchObject(broken);
    });
  });

  it("is refused for every flipped byte of header, chunk ends and last chunk", async () => {
    await withArtifact(async (file, readChanged) => {
      const places: number[] = [];
      for (let at = 0; at < HEADER_BYTES + SEAL_BYTES; at += 1) places.push(at);
      for (let i = 0; i <= SEAL_BYTES; i += 5) {
        places.push(HEADER_BYTES + SEALED_CHUNK_BYTES - i, file.byteLength - 1 - i);
      }
      for (const at of places) {
        const flipped = file.slice();
        flipped[at]! ^= 0x40;
        await expect(readChanged(flipped)).rejects.toMatchObject(broken);
      }
      expect(await readChanged(file)).toBe(digest);
    });
  });

  it("is refused when chunks of two writes of the same artifact are mixed", async () => {
    await withTempDir(async (dir) => {
      const store = await openIn(dir);
      await store.put("model", content);
      const first = new Uint8Array(await readFile(pathIn(dir)));
      await store.delete("model", digest);
      await store.put("model", content);
      const second = new Uint8Array(await readFile(pathIn(dir)));
      const mixed = concatBytes(
        second.subarray(0, -SEALED_CHUNK_BYTES),
        first.subarray(-SEALED_CHUNK_BYTES),
      );
      await writeFile(pathIn(dir), mixed);
      await expect(readDigest(store, digest)).rejects.toMatchObject(broken);
    });
  });

  it("is refused when one artifact is put in place of another, or the key is another", async () => {
    await withTempDir(async (dir) => {
      const store = await openIn(dir);
      const other = await store.put("model", patternBytes(2 * MIB + 10, 9));
      await store.put("model", content);
      const otherPath = path.join(dir, sealer.objectName("model", other.digest));
      await copyFile(otherPath, pathIn(dir));
      await expect(readDigest(store, digest)).rejects.toMatchObject(broken);

      const otherSealer = testSealer(otherStateKey);
      await rename(pathIn(dir), path.join(dir, otherSealer.objectName("model", digest)));
      const given = { dir, sealer: otherSealer, randomness: systemRandomness };
      const foreign = await openFileArtifacts(given);
      await expect(readDigest(foreign, digest)).rejects.toMatchObject(broken);
    });
  });

  it("does not spoil ranges that do not touch the changed chunk", async () => {
    await withTempDir(async (dir) => {
      const store = await openIn(dir);
      await store.put("model", content);
      const file = await readFile(pathIn(dir));
      file[HEADER_BYTES + SEALED_CHUNK_BYTES + 500]! ^= 1;
      await writeFile(pathIn(dir), file);
      const reader = (await store.open("model", digest))!;
      expect(await reader.read(100, 50)).toEqual(content.slice(100, 150));
      expect(await reader.read(2 * MIB, 10)).toEqual(content.slice(2 * MIB));
      await expect(reader.read(MIB - 1, 2)).rejects.toMatchObject(broken);
      await reader.close();
    });
  });
});

describe("artifacts in a folder", () => {
  it("tell the host neither digest nor content, and are for their owner only", async () => {
    await withTempDir(async (dir) => {
      const store = await openIn(path.join(dir, "made", "here"));
      const secret = utf8("the weights of a model");
      const stored = await store.put("model", secret);
      const [name = ""] = await readdir(path.join(dir, "made", "here"));
      const file = path.join(dir, "made", "here", name);
      expect(name).toMatch(/^[0-9a-f]{64}$/);
      expect(name).not.toBe(stored.digest);
      const bytes = await readFile(file);
      expect(bytes.includes(Buffer.from(secret))).toBe(false);
      expect(bytes.includes(Buffer.from(stored.digest, "hex"))).toBe(false);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
    });
  });

  it("are mended by putting them again when the file was cut", async () => {
    await withTempDir(async (dir) => {
      const store = await openIn(dir);
      await store.put("model", content);
      await writeFile(pathIn(dir), new Uint8Array(50));
      await store.put("model", content);
      expect(await readDigest(store, digest)).toBe(digest);
    });
  });

  it("lose what a crash left unfinished when the folder is opened, and nothing else", async () => {
    await withTempDir(async (dir) => {
      await (await openIn(dir)).put("model", content);
      await writeFile(path.join(dir, "0123.tmp"), "half");
      await writeFile(path.join(dir, "notes"), "of an operator");
      const store = await openIn(dir);
      expect((await readdir(dir)).sort()).toEqual([path.basename(pathIn(dir)), "notes"].sort());
      expect(await readDigest(store, digest)).toBe(digest);
    });
  });

  it("fail by name where a file stands in place of the folder", async () => {
    await withTempDir(async (dir) => {
      await writeFile(path.join(dir, "file"), "");
      await expect(openIn(path.join(dir, "file"))).rejects.toMatchObject({
        code: "storage-failed",
      });
      await mkdir(pathIn(dir));
      const store = await openIn(dir);
      await expect(store.put("model", content)).rejects.toMatchObject({ code: "storage-failed" });
    });
  });

  it.each([
    ["ENOSPC", "storage-full"],
    ["EDQUOT", "storage-full"],
    ["EROFS", "storage-read-only"],
    ["EIO", "storage-failed"],
  ])("are whole or absent whichever step of a put fails with %s", async (systemCode, code) => {
    await withTempDir(async (dir) => {
      const fs = failingFiles();
      const store = await openIn(dir, fs);
      for (let step = 1; ; step += 1) {
        fs.failAt(step, systemCode);
        const failure = await store.put("model", content).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure === undefined) {
          fs.failAt(Number.POSITIVE_INFINITY, "");
          expect(step).toBeGreaterThan(9);
          break;
        }
        expect(failure).toMatchObject({ code });
        fs.failAt(Number.POSITIVE_INFINITY, "");
        const kept = await readDigest(store, digest);
        if (kept !== undefined) {
          expect(kept).toBe(digest);
          await store.delete("model", digest);
        }
        expect(await readdir(dir)).toEqual([]);
      }
      expect(await readDigest(store, digest)).toBe(digest);
    });
  });
});

describe.skipIf(!canMount())("artifacts on a small disk", () => {
  it("say when it is full, keep nothing of that, and go on when there is room", async () => {
    const disk = mountSmallDisk(3 * 1024);
    if (disk === undefined) throw new Error("could be mounted a moment ago");
    try {
      const store = await openIn(disk.dir);
      await store.put("model", content);
      const next = patternBytes(2 * MIB, 3);
      await expect(store.put("model", next)).rejects.toMatchObject({ code: "storage-full" });
      expect(await readdir(disk.dir)).toEqual([path.basename(pathIn(disk.dir))]);
      expect(await readDigest(store, digest)).toBe(digest);
      await store.delete("model", digest);
      await store.put("model", next);
      expect(await readDigest(store, digestOf(next))).toBe(digestOf(next));
      disk.remount("ro");
      const readOnly = { code: "storage-read-only" };
      await expect(store.put("model", content)).rejects.toMatchObject(readOnly);
    } finally {
      disk.unmount();
    }
  });
});
