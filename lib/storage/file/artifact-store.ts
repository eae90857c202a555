import path from "node:path";
import { toHex } from "../../base/bytes.ts";
import type { Digest } from "../../base/ids.ts";
import type { Randomness } from "../../base/randomness.ts";
import {
  type ArtifactKind,
  type ArtifactReader,
  type ArtifactSource,
  type ArtifactStore,
  artifactMeter,
  checkDigest,
  type StoredArtifact,
} from "../artifacts.ts";
import type { Sealer } from "../sealed/sealer.ts";
import { fileStep, StorageError, storeClosed } from "../storage-error.ts";
import { FILE_ID_BYTES, openArtifactFile, writeChunks, writeHeader } from "./artifact-file.ts";
import {
  type FileSystem,
  makeDir,
  moveIntoPlace,
  openExisting,
  removeFile,
  syncDir,
  systemFiles,
  UNFINISHED_SUFFIX,
  unlessItFails,
  writeUnfinished,
} from "./durable-file.ts";

/**
 * Artifacts as sealed files in one folder. The host sees how many there are, their sizes and when they are used.
 * One process per folder: open the ledger, which keeps others out, first.
 * @param dir  made when absent; unfinished files left by a crash are removed
 * @throws StorageError of the medium
 */
export async function openFileArtifacts(given: {
  readonly dir: string;
  readonly sealer: Sealer;
  readonly randomness: Randomness;
  readonly fs?: FileSystem;
}): Promise<ArtifactStore> {
  const folder: Folder = { fs: systemFiles, ...given };
  await makeDir(folder.fs, folder.dir);
  await removeUnfinished(folder);
  let closed = false;
  const opened = () => {
    if (closed) throw storeClosed(`the artifact store ${folder.dir}`);
    return folder;
  };
  return {
    put: async (kind, source, expected) => put(opened(), kind, source, expected),
    open: async (kind, digest) => open(opened(), kind, digest),
    has: async (kind, digest) => {
      const { fs } = opened();
      const handle = await openExisting(fs, pathOf(folder, kind, digest));
      await handle?.close();
      return handle !== undefined;
    },
    delete: async (kind, digest) => {
      const { fs, dir } = opened();
      const removed = await removeFile(fs, pathOf(folder, kind, digest));
      if (removed) await syncDir(fs, dir);
      return removed;
    },
    close: async () => {
      closed = true;
    },
  };
}

type Folder = {
  readonly dir: string;
  readonly sealer: Sealer;
  readonly randomness: Randomness;
  readonly fs: FileSystem;
};

const pathOf = ({ dir, sealer }: Folder, kind: ArtifactKind, digest: Digest): string =>
  path.join(dir, sealer.objectName(kind, digest));

async function put(
  folder: Folder,
  kind: ArtifactKind,
  source: ArtifactSource,
  expected: Digest | undefined,
): Promise<StoredArtifact> {
  const meter = artifactMeter();
  if (!(source instanceof Uint8Array)) {
    return write(folder, kind, source, meter.add, () => checked(meter.finish(), expected));
  }
  meter.add(source);
  const stored = checked(meter.finish(), expected);
  if (await isWhole(folder, kind, stored)) return stored;
  return write(folder, kind, source, ignorePiece, () => stored);
}

/** @param measure  called once all pieces are through, before anything can be seen of the artifact */
async function write(
  folder: Folder,
  kind: ArtifactKind,
  source: ArtifactSource,
  onPiece: (piece: Uint8Array) => void,
  measure: () => StoredArtifact,
): Promise<StoredArtifact> {
  const { fs, dir, sealer, randomness } = folder;
  const fileId = randomness.bytes(FILE_ID_BYTES);
  const unfinished = path.join(dir, `${toHex(randomness.bytes(16))}${UNFINISHED_SUFFIX}`);
  return unlessItFails(fs, unfinished, async () => {
    const stored = await writeUnfinished(fs, unfinished, async (handle) => {
      await writeChunks(handle, source, sealer, fileId, onPiece);
      const measured = measure();
      const name = sealer.objectName(kind, measured.digest);
      await writeHeader(handle, measured.sizeBytes, sealer, fileId, name);
      return measured;
    });
    // Over an object that is there already this puts the same content, and mends one that was broken.
    await moveIntoPlace(fs, { unfinished, final: pathOf(folder, kind, stored.digest) });
    return stored;
  });
}

function checked(stored: StoredArtifact, expected: Digest | undefined): StoredArtifact {
  checkDigest(stored.digest, expected);
  return stored;
}

function ignorePiece(): void {}

async function open(
  folder: Folder,
  kind: ArtifactKind,
  digest: Digest,
): Promise<ArtifactReader | undefined> {
  const handle = await openExisting(folder.fs, pathOf(folder, kind, digest));
  if (handle === undefined) return undefined;
  const name = folder.sealer.objectName(kind, digest);
  return openArtifactFile(handle, digest, folder.sealer, name);
}

/** Whether the object is there with a good header and size, so that writing it again may be spared. */
async function isWhole(
  folder: Folder,
  kind: ArtifactKind,
  stored: StoredArtifact,
): Promise<boolean> {
  try {
    const reader = await open(folder, kind, stored.digest);
    await reader?.close();
    return reader?.sizeBytes === stored.sizeBytes;
  } catch (error) {
    if (error instanceof StorageError && error.code === "artifact-broken") return false;
    throw error;
  }
}

async function removeUnfinished({ fs, dir }: Folder): Promise<void> {
  const names = await fileStep(`listing ${dir}`, () => fs.readdir(dir));
  for (const name of names) {
    if (name.endsWith(UNFINISHED_SUFFIX)) await removeFile(fs, path.join(dir, name));
  }
}
