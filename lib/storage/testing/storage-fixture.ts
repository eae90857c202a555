/** What storage tests share: a federation, a key nobody ships, and folders that go away. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { sha256, utf8 } from "../../base/bytes.ts";
import type { FederationId } from "../../base/ids.ts";
import { systemRandomness } from "../../base/randomness.ts";
import { Secret } from "../../base/secret.ts";
import { localSealer } from "../sealed/local-sealer.ts";
import type { Sealer } from "../sealed/sealer.ts";

export const testFederation = "a".repeat(52) as FederationId;
export const otherFederation = `b${"a".repeat(51)}` as FederationId;

export const testStateKey = new Secret(sha256(utf8("state key of storage tests")));
export const otherStateKey = new Secret(sha256(utf8("another state key of storage tests")));

export const testSealer = (
  stateKey: Secret<Uint8Array> = testStateKey,
  federationId: FederationId = testFederation,
): Sealer => localSealer(stateKey, federationId, systemRandomness);

/** Runs with a folder of its own, removed afterwards. */
export async function withTempDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(path.join(tmpdir(), "fedclave-storage-"));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Reproducible bytes that do not repeat within 2^32. */
export function patternBytes(sizeBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < sizeBytes; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state & 0xff;
  }
  return bytes;
}
