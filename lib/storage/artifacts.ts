/** Port: large immutable objects by digest: models, packages, optimizer states, snapshots. */
import { createHash } from "node:crypto";
import { type Digest, digestOf } from "../base/ids.ts";
import { MIB } from "../base/limits.ts";
import { StorageError } from "./storage-error.ts";

/** One artifact; an optimizer's state in float64 is several times its model. */
export const MAX_ARTIFACT_BYTES = 2 ** 34;

/** What an artifact is for; the same bytes under two kinds are two objects. */
export type ArtifactKind = "model" | "aggregator-state" | "compute-package" | "snapshot";

/** The whole, or its parts in order with any sizes. */
export type ArtifactSource = Uint8Array | AsyncIterable<Uint8Array>;

export type StoredArtifact = { readonly digest: Digest; readonly sizeBytes: number };

export type ArtifactStore = {
  /**
   * Stores bytes under their SHA-256; durable once it resolves, and until then not visible at all. An object that is
   * there already stays. An async source is taken piece by piece: memory does not grow with the artifact. A source
   * that throws ends the put with its own error.
   * @param source  0 to 2^34 bytes; the pieces are not kept
   * @param expected  what the caller believes the digest to be
   * @throws StorageError "digest-mismatch" | "too-large" | "closed", and those of the medium
   */
  readonly put: (
    kind: ArtifactKind,
    source: ArtifactSource,
    expected?: Digest,
  ) => Promise<StoredArtifact>;
  /**
   * A reader, or undefined when there is no such artifact.
   * @throws StorageError "artifact-broken" | "newer-version" | "closed", and those of the medium
   */
  readonly open: (kind: ArtifactKind, digest: Digest) => Promise<ArtifactReader | undefined>;
  /** Whether open() would look at something; says nothing about its being whole. */
  readonly has: (kind: ArtifactKind, digest: Digest) => Promise<boolean>;
  /** @returns whether there was one; open readers keep working */
  readonly delete: (kind: ArtifactKind, digest: Digest) => Promise<boolean>;
  /** Idempotent; everything else then fails with "closed". Open readers keep working. */
  readonly close: () => Promise<void>;
};

export type ArtifactReader = {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /**
   * @param offset  0 to sizeBytes
   * @param length  up to sizeBytes − offset
   * @returns exactly `length` bytes, each part of it authenticated
   * @throws RangeError outside the artifact; StorageError "artifact-broken", and those of the medium
   */
  readonly read: (offset: number, length: number) => Promise<Uint8Array>;
  /** Idempotent. */
  readonly close: () => Promise<void>;
};

/**
 * The artifact from `offset` to its end in pieces of at most `pieceBytes`.
 * @throws those of ArtifactReader.read
 */
export async function* readPieces(
  reader: ArtifactReader,
  offset = 0,
  pieceBytes = MIB,
): AsyncGenerator<Uint8Array> {
  for (let at = offset; at < reader.sizeBytes; at += pieceBytes) {
    yield await reader.read(at, Math.min(pieceBytes, reader.sizeBytes - at));
  }
}

/**
 * The whole artifact, its SHA-256 computed again.
 * @throws StorageError "digest-mismatch", and those of ArtifactReader.read
 */
export async function readAll(reader: ArtifactReader): Promise<Uint8Array> {
  const whole = new Uint8Array(reader.sizeBytes);
  let filled = 0;
  for await (const piece of readPieces(reader)) {
    whole.set(piece, filled);
    filled += piece.byteLength;
  }
  checkDigest(digestOf(whole), reader.digest);
  return whole;
}

/** @throws StorageError "digest-mismatch" unless nothing was expected or it was this */
export function checkDigest(seen: Digest, expected: Digest | undefined): void {
  if (expected === undefined || seen === expected) return;
  throw new StorageError("digest-mismatch", `artifact: seen digest ${seen}, wanted ${expected}`);
}

/** SHA-256 and size of what flows through, held to MAX_ARTIFACT_BYTES; for adapters. */
export type ArtifactMeter = {
  /** @throws StorageError "too-large" */
  readonly add: (piece: Uint8Array) => void;
  readonly finish: () => StoredArtifact;
};

/** Counts and hashes a body as it passes, so that every adapter refuses the same. */
export function artifactMeter(): ArtifactMeter {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  return {
    add: (piece) => {
      sizeBytes += piece.byteLength;
      if (sizeBytes > MAX_ARTIFACT_BYTES) {
        const what = `artifact: seen more than ${MAX_ARTIFACT_BYTES} bytes, wanted that at most`;
        throw new StorageError("too-large", what);
      }
      hash.update(piece);
    },
    finish: () => ({ digest: hash.digest("hex") as Digest, sizeBytes }),
  };
}

/** @throws RangeError unless 0 ≤ offset, 0 ≤ length and offset + length ≤ sizeBytes, all integers */
export function checkRange(sizeBytes: number, offset: number, length: number): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (valid && offset >= 0 && length >= 0 && offset + length <= sizeBytes) return;
  throw new RangeError(`artifact of ${sizeBytes} bytes: no ${length} bytes at ${offset}`);
}
