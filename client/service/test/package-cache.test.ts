import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Digest, digestOf } from "../../../lib/base/ids.ts";
import { type FakeClock, fakeClock } from "../../../lib/base/testing/fake-clock.ts";
import { MAX_CACHED_PACKAGES, openPackageCache, type PackageCache } from "../package-cache.ts";

let directory = "";
let clock: FakeClock;
let cache: PackageCache;
beforeEach(async () => {
  directory = path.join(await mkdtemp(path.join(tmpdir(), "fedclave-cache-")), "packages");
  clock = fakeClock();
  cache = openPackageCache(directory, clock);
});
afterEach(() => rm(path.dirname(directory), { recursive: true, force: true }));

const archiveOf = (index: number) => Uint8Array.from({ length: 64 }, (_, at) => at ^ index);
const fileOf = (digest: Digest) => path.join(directory, `${digest}.tgz`);

async function put(index: number): Promise<Digest> {
  const archive = archiveOf(index);
  const digest = digestOf(archive);
  await cache.write(digest, archive);
  return digest;
}

test("gives back what was put in, also after a restart", async () => {
  const digest = await put(1);
  expect(await cache.read(digest)).toEqual(archiveOf(1));
  expect(await openPackageCache(directory, clock).read(digest)).toEqual(archiveOf(1));
});

test("what was never put in is not there", async () => {
  expect(await cache.read(digestOf(archiveOf(1)))).toBeUndefined();
});

test("a file cut at any byte, lengthened or changed is not accepted, and removed", async () => {
  const digest = await put(1);
  const whole = await readFile(fileOf(digest));
  const damaged = Array.from({ length: whole.byteLength }, (_, length) =>
    whole.subarray(0, length),
  );
  damaged.push(Buffer.concat([whole, Buffer.of(0)]));
  for (let at = 0; at < whole.byteLength; at += 7) {
    const flipped = Buffer.from(whole);
    flipped[at]! ^= 1;
    damaged.push(flipped);
  }
  for (const bytes of damaged) {
    await writeFile(fileOf(digest), bytes);
    expect(await cache.read(digest)).toBeUndefined();
    expect(await readdir(directory)).toEqual([]);
  }
});

test("what a killed client left half written is neither read nor in the way", async () => {
  const digest = await put(1);
  await rm(fileOf(digest));
  await writeFile(`${fileOf(digest)}.tmp`, archiveOf(1).subarray(0, 20));
  await writeFile(`${fileOf(digestOf(archiveOf(9)))}.tmp`, archiveOf(9));
  expect(await cache.read(digest)).toBeUndefined();
  await put(1);
  expect(await cache.read(digest)).toEqual(archiveOf(1));
  expect(await readdir(directory)).toEqual([`${digest}.tgz`]);
});

test("the package used longest ago makes room", async () => {
  const digests: Digest[] = [];
  for (let index = 0; index < MAX_CACHED_PACKAGES; index++) {
    const digest = await put(index);
    await clock.advance(10_000);
    await cache.read(digest);
    digests.push(digest);
  }
  await clock.advance(10_000);
  await cache.read(digests[0]!);
  await put(100);
  const kept = await readdir(directory);
  expect(kept).toHaveLength(MAX_CACHED_PACKAGES);
  expect(kept).toContain(`${digests[0]}.tgz`);
  expect(kept).not.toContain(`${digests[1]}.tgz`);
});

test("packages written at the same time are all kept", async () => {
  const digests = await Promise.all([1, 2, 3, 4].map(put));
  for (const digest of digests) expect(await cache.read(digest)).toBeDefined();
});
