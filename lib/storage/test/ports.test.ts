import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemRandomness } from "../../base/randomness.ts";
import { openFileArtifacts } from "../file/artifact-store.ts";
import { memoryArtifacts } from "../memory/artifact-store.ts";
import { memoryRows, rowMemory } from "../memory/ledger-rows.ts";
import { openSqliteRows } from "../sqlite/ledger-rows.ts";
import { artifactContract } from "../testing/artifact-contract.ts";
import { ledgerContract } from "../testing/ledger-contract.ts";
import { testSealer } from "../testing/storage-fixture.ts";

const newDir = () => mkdtemp(path.join(tmpdir(), "fedclave-ports-"));

ledgerContract("rows in memory", async () => {
  const memory = rowMemory();
  return { openRows: async () => memoryRows(memory), dispose: async () => undefined };
});

ledgerContract("rows in SQLite", async () => {
  const dir = await newDir();
  return {
    openRows: () => openSqliteRows(path.join(dir, "ledger.sqlite")),
    dispose: () => rm(dir, { recursive: true }),
  };
});

artifactContract("memory", async () => ({
  openStore: async () => memoryArtifacts(),
  dispose: async () => undefined,
}));

artifactContract("a folder", async () => {
  const dir = await newDir();
  return {
    openStore: () => openFileArtifacts({ dir, sealer: testSealer(), randomness: systemRandomness }),
    dispose: () => rm(dir, { recursive: true }),
  };
});
