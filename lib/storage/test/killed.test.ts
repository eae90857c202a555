import { readdir } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { Digest } from "../../base/ids.ts";
import { systemRandomness } from "../../base/randomness.ts";
import { readAll } from "../artifacts.ts";
import { openFileArtifacts } from "../file/artifact-store.ts";
import { openLedger } from "../open-ledger.ts";
import { openSqliteRows } from "../sqlite/ledger-rows.ts";
import { bundleChild, startChild } from "../testing/killed-child.ts";
import { collect, testFederation, testSealer, withTempDir } from "../testing/storage-fixture.ts";

const EVENTS_PER_APPEND = 3;

describe("after kill -9 of the process that was storing", () => {
  it("the ledger opens again with everything acknowledged and nothing half, and was kept from others until then", async () => {
    await withTempDir(async (dir) => {
      const bundle = path.join(dir, "child.cjs");
      const file = path.join(dir, "ledger.sqlite");
      await bundleChild(bundle);
      for (const acknowledgedCount of [1, 40, 400]) {
        const child = startChild(bundle, "append", file);
        await child.hasLines(acknowledgedCount);
        await expect(openSqliteRows(file)).rejects.toMatchObject({ code: "already-open" });
        const acknowledged = (await child.kill()).at(-1) ?? "";

        const rows = await openSqliteRows(file);
        const ledger = await openLedger({
          rows,
          sealer: testSealer(),
          federationId: testFederation,
        });
        const entries = await collect(ledger.read(1));
        const [seq, hash] = acknowledged.split(" ");
        expect(entries[Number(seq) - 1]?.hash).toBe(hash);
        expect(entries.length % EVENTS_PER_APPEND).toBe(0);
        entries.forEach((entry, index) => {
          expect(Buffer.from(entry.event).toString()).toContain(`event ${index + 1} `);
        });
        await ledger.close();
      }
    });
  });

  it("the artifacts acknowledged are whole and the unfinished one is gone", async () => {
    await withTempDir(async (dir) => {
      const bundle = path.join(dir, "child.cjs");
      await bundleChild(bundle);
      const folder = path.join(dir, "artifacts");
      for (const acknowledgedCount of [1, 4, 9]) {
        const child = startChild(bundle, "put", folder);
        await child.hasLines(acknowledgedCount);
        const digests = await child.kill();

        const given = { dir: folder, sealer: testSealer(), randomness: systemRandomness };
        const store = await openFileArtifacts(given);
        for (const digest of digests) {
          const reader = await store.open("model", digest as Digest);
          expect((await readAll(reader!)).byteLength).toBe(3 * 1024 * 1024);
          await reader!.close();
        }
        const names = await readdir(folder);
        expect(names.filter((name) => !/^[0-9a-f]{64}$/.test(name))).toEqual([]);
      }
    });
  });
});
