/** Port: what stands between the host's disk and everything the federation stores. */
import type { Digest } from "../../base/ids.ts";

/** What a sealed piece is; a piece of one kind never opens as another. */
export type SealedKind = "ledger-row" | "artifact-header" | "artifact-chunk" | "file";

/** Where a piece belongs. Whoever opens it must say the same, or it does not open. */
export type SealContext = {
  readonly kind: SealedKind;
  /** The object it is part of, up to 1 KiB; empty for the ledger, of which a federation has one. */
  readonly object: Uint8Array;
  /** Sequence number or chunk index within the object; integer, 0 to 2^53 − 1. */
  readonly position: number;
  /** True for the piece that ends its object, so that an end cannot be moved. */
  readonly isLast: boolean;
};

export type Sealer = {
  /** Sealed size minus plain size, the same for every piece. */
  readonly overheadBytes: number;
  /** @param plain  up to 2^31 − 1 bytes; not kept */
  readonly seal: (context: SealContext, plain: Uint8Array) => Uint8Array;
  /** @throws StorageError "not-authentic" | "newer-version" */
  readonly unseal: (context: SealContext, sealed: Uint8Array) => Uint8Array;
  /**
   * Name under which the host keeps an artifact: 64 hex characters that tell it neither the digest (which would
   * let it recognize known models and packages) nor the kind.
   */
  readonly objectName: (artifactKind: string, digest: Digest) => string;
};
