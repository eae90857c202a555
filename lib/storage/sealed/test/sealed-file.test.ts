import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { concatBytes, utf8 } from "../../../base/bytes.ts";
import { failingFiles } from "../../testing/failing-files.ts";
import { otherFederation, testSealer, withTempDir } from "../../testing/storage-fixture.ts";
import { MAX_SEALED_FILE_BYTES, readSealedFile, writeSealedFile } from "../sealed-file.ts";

const fileIn = (dir: string) => ({
  path: path.join(dir, "ca.sealed"),
  purpose: "federation-ca",
  sealer: testSealer(),
});

describe("a sealed file", () => {
  it.each([
    ["for another purpose", { purpose: "receipts" }],
    ["for another federation", { sealer: testSealer(undefined, otherFederation) }],
  ])("does not open %s", async (_, change) => {
    await withTempDir(async (dir) => {
      await writeSealedFile(fileIn(dir), utf8("key"));
      const reading = readSealedFile({ ...fileIn(dir), ...change });
      await expect(reading).rejects.toMatchObject({ code: "not-authentic" });
    });
  });

  it("does not open when cut at any byte, lengthened, or with any byte flipped", async () => {
    await withTempDir(async (dir) => {
      const file = fileIn(dir);
      await writeSealedFile(file, utf8("key"));
      const good = new Uint8Array(await readFile(file.path));
      const bad: Uint8Array[] = [concatBytes(good, Uint8Array.of(0))];
      for (let at = 0; at < good.byteLength; at += 1) {
        const flipped = good.slice();
        flipped[at]! ^= 0x81;
        bad.push(good.slice(0, at), flipped);
      }
      const code = expect.stringMatching(/^(not-authentic|newer-version)$/);
      for (const bytes of bad) {
        await writeFile(file.path, bytes);
        await expect(readSealedFile(file)).rejects.toMatchObject({ code });
      }
    });
  });

  it("takes content up to its limit only, and does not read more than that", async () => {
    await withTempDir(async (dir) => {
      const file = fileIn(dir);
      await writeSealedFile(file, new Uint8Array(MAX_SEALED_FILE_BYTES));
      expect((await readSealedFile(file))?.byteLength).toBe(MAX_SEALED_FILE_BYTES);
      const tooLarge = { code: "too-large" };
      const beyond = new Uint8Array(MAX_SEALED_FILE_BYTES + 1);
      await expect(writeSealedFile(file, beyond)).rejects.toMatchObject(tooLarge);
      await writeFile(file.path, new Uint8Array(MAX_SEALED_FILE_BYTES + 1024));
      await expect(readSealedFile(file)).rejects.toMatchObject(tooLarge);
    });
  });

  it("is undefined before it is written, then holds what was written last, for its owner only", async () => {
    await withTempDir(async (dir) => {
      const file = fileIn(dir);
      expect(await readSealedFile(file)).toBeUndefined();
      await writeSealedFile(file, utf8("old"));
      await writeFile(`${file.path}.tmp`, "left by a crash");
      await writeSealedFile(file, utf8("new"));
      expect(await readSealedFile(file)).toEqual(utf8("new"));
      expect(await readdir(dir)).toEqual(["ca.sealed"]);
      expect((await stat(file.path)).mode & 0o777).toBe(0o600);
    });
  });

  it.each([
    ["ENOSPC", "storage-full"],
    ["EROFS", "storage-read-only"],
    ["EIO", "storage-failed"],
  ])("keeps the old or the new content whichever step fails with %s", async (systemCode, code) => {
    await withTempDir(async (dir) => {
      const fs = failingFiles();
      const file = { ...fileIn(dir), fs };
      await writeSealedFile(fileIn(dir), utf8("old"));
      for (let step = 1; ; step += 1) {
        fs.failAt(step, systemCode);
        const result = await writeSealedFile(file, utf8("new")).then(
          () => "done",
          (error: unknown) => error,
        );
        if (fs.operationCount() < step) {
          expect(result).toBe("done");
          expect(step).toBeGreaterThan(5);
          break;
        }
        expect(result).toMatchObject({ code });
        const content = Buffer.from((await readSealedFile(fileIn(dir))) ?? []).toString();
        expect(["old", "new"]).toContain(content);
      }
      expect(await readSealedFile(fileIn(dir))).toEqual(utf8("new"));
    });
  });
});
