/** What a member signs about its update, so that nobody else can count anything in its name (docs/wire-formats.md). */
import type { Digest } from "../base/ids.ts";
import { type SigningKey, signDetached, verifyDetached } from "../base/keys.ts";
import type { RoundKey } from "../base/round-key.ts";

/** Payload type under which members sign their update headers (DSSE). */
const UPDATE_HEADER_TYPE = "application/vnd.fedclave.update-header.v1";

/** Longest header that is read, and kept for every folded update. Ours have about 250 bytes; the rest is room. */
export const MAX_UPDATE_HEADER_BYTES = 1024;

/** What a header says, well formed; who said it is the signature's affair. */
export type UpdateHeader = {
  readonly federationId: string;
  readonly key: RoundKey;
  readonly member: string;
  /** Of the global model the delta was taken from. */
  readonly baseModelHash: Digest;
  readonly updateDigest: Digest;
  readonly sizeBytes: number;
  /** Its range is the session's, so whoever admits it refuses it together with everything else. */
  readonly exampleCount: number;
};

/** The exact bytes of an encoded header, and the member's signature over them. */
export type SignedUpdateHeader = {
  readonly bytes: Uint8Array;
  /** ECDSA P-256, IEEE P1363, 64 bytes. */
  readonly signature: Uint8Array;
};

/** Signs the exact bytes of an encoded header. */
export const signHeaderBytes = (bytes: Uint8Array, key: SigningKey): SignedUpdateHeader => ({
  bytes,
  signature: signDetached(key.privateKey, UPDATE_HEADER_TYPE, bytes),
});

/**
 * Whether this member's key signed the header.
 * @param publicKey  SubjectPublicKeyInfo DER, 91 bytes
 * @throws KeyError "wrong-curve" | "unreadable-key"
 */
export const verifyUpdateHeader = (publicKey: Uint8Array, signed: SignedUpdateHeader): boolean =>
  verifyDetached(publicKey, UPDATE_HEADER_TYPE, signed.bytes, signed.signature);
