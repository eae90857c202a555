/** The bytes of one artifact on disk: magic, sealed header, sealed chunks (docs/wire-formats.md). */
import type { FileHandle } from "node:fs/promises";
import { concatBytes, equalBytes, uint64Bytes, utf8 } from "../../base/bytes.ts";
import type { Digest } from "../../base/ids.ts";
import { MIB } from "../../base/limits.ts";
import {
  type ArtifactReader,
  type ArtifactSource,
  checkRange,
  MAX_ARTIFACT_BYTES,
} from "../artifacts.ts";
import type { SealContext, Sealer } from "../sealed/sealer.ts";
import { fileStep, StorageError } from "../storage-error.ts";
import { readUpTo, writeFully } from "./durable-file.ts";

/** Plain bytes of every chunk but the last. */
export const ARTIFACT_CHUNK_BYTES = MIB;
/** Random identity of one written file, so that chunks of two files cannot be mixed. */
export const FILE_ID_BYTES = 32;

const MAGIC = utf8("FCARTF1\0");
const HEADER_PLAIN_BYTES = FILE_ID_BYTES + 8;

/** Where the first chunk starts. */
const chunksStart = (sealer: Sealer): number =>
  MAGIC.byteLength + HEADER_PLAIN_BYTES + sealer.overheadBytes;

const chunkCount = (sizeBytes: number): number =>
  Math.max(1, Math.ceil(sizeBytes / ARTIFACT_CHUNK_BYTES));

const chunkContext = (fileId: Uint8Array, index: number, isLast: boolean): SealContext => ({
  kind: "artifact-chunk",
  object: fileId,
  position: index,
  isLast,
});

const headerContext = (name: string): SealContext => ({
  kind: "artifact-header",
  object: utf8(name),
  position: 0,
  isLast: true,
});

/**
 * Streams a source into chunks; the header follows with writeHeader, when size and name are known.
 * Holds one chunk at a time.
 * @param onPiece  sees every piece of the source in order
 * @throws what the source and `onPiece` throw; StorageError of the medium
 */
export async function writeChunks(
  handle: FileHandle,
  source: ArtifactSource,
  sealer: Sealer,
  fileId: Uint8Array,
  onPiece: (piece: Uint8Array) => void,
): Promise<void> {
  let position = chunksStart(sealer);
  for await (const chunk of chunksOf(source, onPiece)) {
    const sealed = sealer.seal(chunkContext(fileId, chunk.index, chunk.isLast), chunk.bytes);
    await writeFully(handle, sealed, position, "writing an artifact");
    position += sealed.byteLength;
  }
}

/** Writes what makes the chunks an artifact, under the name it will have. */
export async function writeHeader(
  handle: FileHandle,
  sizeBytes: number,
  sealer: Sealer,
  fileId: Uint8Array,
  name: string,
): Promise<void> {
  const plain = concatBytes(fileId, uint64Bytes(sizeBytes));
  const header = concatBytes(MAGIC, sealer.seal(headerContext(name), plain));
  await writeFully(handle, header, 0, "writing an artifact");
}

/**
 * Reads and checks header and file size. The handle belongs to the reader from here on, and is closed on failure.
 * @throws StorageError "artifact-broken" | "newer-version", and those of the medium
 */
export async function openArtifactFile(
  handle: FileHandle,
  digest: Digest,
  sealer: Sealer,
  name: string,
): Promise<ArtifactReader> {
  try {
    const header = await readHeader(handle, sealer, name);
    return artifactReader(handle, digest, sealer, name, header);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

type Header = { readonly fileId: Uint8Array; readonly sizeBytes: number };

async function readHeader(handle: FileHandle, sealer: Sealer, name: string): Promise<Header> {
  const start = chunksStart(sealer);
  const bytes = await readUpTo(handle, start, 0, `reading artifact ${name}`);
  const magic = bytes.subarray(0, MAGIC.byteLength);
  if (bytes.byteLength !== start || !equalBytes(magic, MAGIC)) {
    throw broken(name, "a header that is not whole", "an artifact file");
  }
  const sealed = bytes.subarray(MAGIC.byteLength);
  const plain = unsealPart(sealer, headerContext(name), sealed, name, "header");
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const sizeBytes = Number(view.getBigUint64(FILE_ID_BYTES));
  if (plain.byteLength !== HEADER_PLAIN_BYTES || sizeBytes > MAX_ARTIFACT_BYTES) {
    throw broken(name, `a header saying ${sizeBytes} bytes`, `${MAX_ARTIFACT_BYTES} at most`);
  }
  const wantedBytes = start + sizeBytes + chunkCount(sizeBytes) * sealer.overheadBytes;
  const { size: fileBytes } = await fileStep(`reading artifact ${name}`, () => handle.stat());
  if (fileBytes !== wantedBytes) {
    throw broken(name, `a file of ${fileBytes} bytes`, `${wantedBytes} bytes`);
  }
  return { fileId: plain.slice(0, FILE_ID_BYTES), sizeBytes };
}

function artifactReader(
  handle: FileHandle,
  digest: Digest,
  sealer: Sealer,
  name: string,
  { fileId, sizeBytes }: Header,
): ArtifactReader {
  const lastIndex = chunkCount(sizeBytes) - 1;
  // Readers ask in order and in smaller pieces than a chunk: the chunk opened last usually serves the next call too.
  let recent: { readonly index: number; readonly bytes: Uint8Array } | undefined;
  let closed = false;

  async function openChunk(index: number): Promise<Uint8Array> {
    if (recent?.index === index) return recent.bytes;
    const isLast = index === lastIndex;
    const plainBytes = isLast ? sizeBytes - lastIndex * ARTIFACT_CHUNK_BYTES : ARTIFACT_CHUNK_BYTES;
    const position = chunksStart(sealer) + index * (ARTIFACT_CHUNK_BYTES + sealer.overheadBytes);
    const what = `reading artifact ${name}`;
    const sealed = await readUpTo(handle, plainBytes + sealer.overheadBytes, position, what);
    const context = chunkContext(fileId, index, isLast);
    const bytes = unsealPart(sealer, context, sealed, name, `chunk ${index}`);
    recent = { index, bytes };
    return bytes;
  }

  return {
    digest,
    sizeBytes,
    read: async (offset, length) => {
      checkRange(sizeBytes, offset, length);
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const index = Math.floor((offset + filled) / ARTIFACT_CHUNK_BYTES);
        const chunk = await openChunk(index);
        const within = offset + filled - index * ARTIFACT_CHUNK_BYTES;
        const part = chunk.subarray(within, within + length - filled);
        if (part.byteLength === 0) throw broken(name, `a short chunk ${index}`, "a whole one");
        bytes.set(part, filled);
        filled += part.byteLength;
      }
      return bytes;
    },
    close: async () => {
      if (closed) return;
      closed = true;
      recent = undefined;
      await handle.close();
    },
  };
}

type Chunk = { readonly index: number; readonly bytes: Uint8Array; readonly isLast: boolean };

/** Cuts a source into full chunks and one last, which is empty only for an empty source. */
async function* chunksOf(
  source: ArtifactSource,
  onPiece: (piece: Uint8Array) => void,
): AsyncGenerator<Chunk> {
  const pending = new Uint8Array(ARTIFACT_CHUNK_BYTES);
  let filled = 0;
  let index = 0;
  for await (const piece of source instanceof Uint8Array ? slicesOf(source) : source) {
    onPiece(piece);
    let taken = 0;
    while (taken < piece.byteLength) {
      // A full chunk is given on only when more follows: only then is it known not to be the last.
      if (filled === ARTIFACT_CHUNK_BYTES) {
        yield { index, bytes: pending, isLast: false };
        index += 1;
        filled = 0;
      }
      const part = piece.subarray(taken, taken + ARTIFACT_CHUNK_BYTES - filled);
      pending.set(part, filled);
      filled += part.byteLength;
      taken += part.byteLength;
    }
  }
  yield { index, bytes: pending.subarray(0, filled), isLast: true };
}

/** Chunk-sized views, so that other work gets its turn between them. */
function* slicesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += ARTIFACT_CHUNK_BYTES) {
    yield bytes.subarray(at, at + ARTIFACT_CHUNK_BYTES);
  }
}

function unsealPart(
  sealer: Sealer,
  context: SealContext,
  sealed: Uint8Array,
  name: string,
  part: string,
): Uint8Array {
  try {
    return sealer.unseal(context, sealed);
  } catch (cause) {
    if (cause instanceof StorageError && cause.code === "newer-version") throw cause;
    throw broken(name, `a ${part} that does not open`, "one sealed here for this place", cause);
  }
}

function broken(name: string, seen: string, wanted: string, cause?: unknown): StorageError {
  return new StorageError(
    "artifact-broken",
    `artifact file ${name}: seen ${seen}, wanted ${wanted}; remove it and store the artifact again, or restore a copy`,
    { cause },
  );
}
