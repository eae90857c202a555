import type { Digest } from "../../base/ids.ts";
import {
  type ArtifactKind,
  type ArtifactReader,
  type ArtifactSource,
  type ArtifactStore,
  artifactMeter,
  checkDigest,
  checkRange,
} from "../artifacts.ts";
import { storeClosed } from "../storage-error.ts";

/** Artifacts that live as long as the process, unsealed: for tests, and for throw-away federations. */
export function memoryArtifacts(): ArtifactStore {
  const held = new Map<string, Uint8Array>();
  let closed = false;
  const artifacts = () => {
    if (closed) throw storeClosed("the artifact store in memory");
    return held;
  };
  const key = (kind: ArtifactKind, digest: Digest) => `${kind} ${digest}`;
  return {
    put: async (kind, source, expected) => {
      artifacts();
      const bytes = await collect(source);
      const meter = artifactMeter();
      meter.add(bytes);
      const stored = meter.finish();
      checkDigest(stored.digest, expected);
      artifacts().set(key(kind, stored.digest), bytes);
      return stored;
    },
    open: async (kind, digest) => {
      const bytes = artifacts().get(key(kind, digest));
      return bytes === undefined ? undefined : memoryReader(digest, bytes);
    },
    has: async (kind, digest) => artifacts().has(key(kind, digest)),
    delete: async (kind, digest) => artifacts().delete(key(kind, digest)),
    close: async () => {
      closed = true;
    },
  };
}

function memoryReader(digest: Digest, bytes: Uint8Array): ArtifactReader {
  return {
    digest,
    sizeBytes: bytes.byteLength,
    read: async (offset, length) => {
      checkRange(bytes.byteLength, offset, length);
      return bytes.slice(offset, offset + length);
    },
    close: async () => undefined,
  };
}

async function collect(source: ArtifactSource): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source.slice();
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece.slice());
  return new Uint8Array(Buffer.concat(pieces));
}
