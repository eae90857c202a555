/** Compute packages on disk, by digest. The host can change what is there, so the digest is checked at each read. */
import { readdir, readFile, stat, utimes } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../../lib/base/clock.ts";
import { type Digest, digestOf, parseDigest } from "../../lib/base/ids.ts";
import { MAX_PACKAGE_BYTES } from "../../lib/base/limits.ts";
import {
  makeDir,
  removeFile,
  systemFiles,
  UNFINISHED_SUFFIX,
  writeDurably,
  writeFully,
} from "../../lib/storage/file/durable-file.ts";

/** Packages kept; the one that was used longest ago makes room. */
export const MAX_CACHED_PACKAGES = 8;
const SUFFIX = ".tgz";

export type PackageCache = {
  /** The archive, or undefined if it is not there; one that is damaged is removed. */
  readonly read: (digest: Digest) => Promise<Uint8Array | undefined>;
  /** Keeps an archive whose digest the caller has checked: whole or not at all, whenever the power goes. */
  readonly write: (digest: Digest, archive: Uint8Array) => Promise<void>;
};

/**
 * @param directory  made when first needed; nothing else may be in it
 */
export function openPackageCache(directory: string, clock: Clock): PackageCache {
  const fileOf = (digest: Digest) => path.join(directory, `${digest}${SUFFIX}`);
  let lastWrite: Promise<unknown> = Promise.resolve();

  async function read(digest: Digest): Promise<Uint8Array | undefined> {
    const file = fileOf(digest);
    const archive = await readBounded(file);
    if (archive === undefined) return undefined;
    if (digestOf(archive) !== digest) {
      await removeFile(systemFiles, file);
      return undefined;
    }
    const now = new Date(clock.untrustedNowMs());
    await utimes(file, now, now).catch(() => undefined);
    return archive;
  }

  async function replace(digest: Digest, archive: Uint8Array): Promise<void> {
    await makeDir(systemFiles, directory);
    await makeRoom(directory);
    const final = fileOf(digest);
    const unfinished = `${final}${UNFINISHED_SUFFIX}`;
    // Left by a crash.
    await removeFile(systemFiles, unfinished);
    await writeDurably(systemFiles, { final, unfinished }, (handle) =>
      writeFully(handle, archive, 0, `writing ${final}`),
    );
  }

  return {
    read,
    write: (digest, archive) => {
      const written = lastWrite.then(() => replace(digest, archive));
      lastWrite = written.catch(() => undefined);
      return written;
    },
  };
}

async function readBounded(file: string): Promise<Uint8Array | undefined> {
  try {
    const { size } = await stat(file);
    if (size > MAX_PACKAGE_BYTES) return undefined;
    return new Uint8Array(await readFile(file));
  } catch {
    // Whatever the reason, the reducer has it.
    return undefined;
  }
}

/** Leaves at most one less than the bound, and nothing that a crash left unfinished. */
async function makeRoom(directory: string): Promise<void> {
  const found: { readonly file: string; readonly usedMs: number }[] = [];
  for (const name of await readdir(directory)) {
    const file = path.join(directory, name);
    const isPackage = name.endsWith(SUFFIX) && parseDigest(name.slice(0, -SUFFIX.length));
    if (!isPackage) {
      if (name.endsWith(UNFINISHED_SUFFIX)) await removeFile(systemFiles, file);
      continue;
    }
    const usedMs = await stat(file).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    found.push({ file, usedMs });
  }
  const oldestFirst = found.sort((a, b) => a.usedMs - b.usedMs || (a.file < b.file ? -1 : 1));
  const surplus = oldestFirst.length - (MAX_CACHED_PACKAGES - 1);
  for (const { file } of oldestFirst.slice(0, Math.max(0, surplus))) {
    await removeFile(systemFiles, file);
  }
}
