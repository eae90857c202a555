/** Sealer under a key of this process. The one place where storage meets a cipher. */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { concatBytes, lengthPrefixed, toHex, uint64Bytes, utf8 } from "../../base/bytes.ts";
import { type Digest, digestBytes, type FederationId } from "../../base/ids.ts";
import type { Randomness } from "../../base/randomness.ts";
import { assertInvariant } from "../../base/refusal.ts";
import type { Secret } from "../../base/secret.ts";
import { StorageError } from "../storage-error.ts";
import type { SealContext, SealedKind, Sealer } from "./sealer.ts";

/** Length of the state key from which all others are derived. */
export const STATE_KEY_BYTES = 32;

const VERSION = 1;
const SUITE_AES_256_GCM = 1;
const HEADER_BYTES = 3;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES;

const KIND_CODES: { readonly [K in SealedKind]: number } = {
  "ledger-row": 1,
  "artifact-header": 2,
  "artifact-chunk": 3,
  file: 4,
};

/** Independent keys, so that a limit reached or a mistake made in one use does not touch the others. */
type Purpose = "rows" | "artifacts" | "files" | "names";

const PURPOSES: { readonly [K in SealedKind]: Purpose } = {
  "ledger-row": "rows",
  "artifact-header": "artifacts",
  "artifact-chunk": "artifacts",
  file: "files",
};

/**
 * AES-256-GCM (NIST SP 800-38D) under keys derived from the state key by HKDF-SHA256 (RFC 5869).
 *
 * Nonces are 96 fresh random bits. A counter would have to survive crashes, and a host that puts back yesterday's
 * disk would make it repeat, which is fatal to GCM; random nonces do not depend on state. The price is the bound of
 * SP 800-38D §8.3, 2^32 pieces per key, for a collision chance below 2^-32: 4 billion ledger rows, or 4 PiB of
 * artifacts in 1 MiB chunks. MAX_LEDGER_SEQ holds the rows to it.
 *
 * @param stateKey  32 bytes; read once, not kept
 */
export function localSealer(
  stateKey: Secret<Uint8Array>,
  federationId: FederationId,
  randomness: Randomness,
): Sealer {
  const keys = {
    rows: deriveKey(stateKey, federationId, "rows"),
    artifacts: deriveKey(stateKey, federationId, "artifacts"),
    files: deriveKey(stateKey, federationId, "files"),
    names: deriveKey(stateKey, federationId, "names"),
  };
  return {
    overheadBytes: OVERHEAD_BYTES,
    seal: (context, plain) => {
      const header = sealedHeader(context.kind);
      const nonce = randomness.bytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", keys[PURPOSES[context.kind]], nonce, {
        authTagLength: TAG_BYTES,
      });
      cipher.setAAD(additionalData(federationId, header, context, plain.byteLength));
      const sealed = new Uint8Array(plain.byteLength + OVERHEAD_BYTES);
      sealed.set(header);
      sealed.set(nonce, HEADER_BYTES);
      sealed.set(cipher.update(plain), HEADER_BYTES + NONCE_BYTES);
      cipher.final();
      sealed.set(cipher.getAuthTag(), sealed.byteLength - TAG_BYTES);
      return sealed;
    },
    unseal: (context, sealed) => {
      const header = readHeader(context.kind, sealed);
      const nonceEnd = HEADER_BYTES + NONCE_BYTES;
      const tagStart = sealed.byteLength - TAG_BYTES;
      const decipher = createDecipheriv(
        "aes-256-gcm",
        keys[PURPOSES[context.kind]],
        sealed.subarray(HEADER_BYTES, nonceEnd),
        { authTagLength: TAG_BYTES },
      );
      decipher.setAAD(additionalData(federationId, header, context, tagStart - nonceEnd));
      decipher.setAuthTag(sealed.subarray(tagStart));
      const plain = decipher.update(sealed.subarray(nonceEnd, tagStart));
      try {
        decipher.final();
      } catch (cause) {
        throw notAuthentic(context.kind, { cause });
      }
      return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
    },
    objectName: (artifactKind, digest) => objectName(keys.names, artifactKind, digest),
  };
}

function deriveKey(
  stateKey: Secret<Uint8Array>,
  federationId: FederationId,
  purpose: Purpose,
): KeyObject {
  const input = stateKey.reveal();
  assertInvariant(input.byteLength === STATE_KEY_BYTES, "a state key has 32 bytes");
  const info = utf8(`fedclave/state-key/1\0${purpose}`);
  return createSecretKey(Buffer.from(hkdfSync("sha256", input, utf8(federationId), info, 32)));
}

function sealedHeader(kind: SealedKind): Uint8Array {
  return Uint8Array.of(KIND_CODES[kind], VERSION, SUITE_AES_256_GCM);
}

/** The header again, once it is known to be one that this code writes. */
function readHeader(kind: SealedKind, sealed: Uint8Array): Uint8Array {
  const [kindCode, version = 0, suite = 0] = sealed;
  if (sealed.byteLength < OVERHEAD_BYTES || kindCode !== KIND_CODES[kind]) throw notAuthentic(kind);
  if (version !== VERSION || suite !== SUITE_AES_256_GCM) {
    throw new StorageError(
      "newer-version",
      `sealed ${kind}: seen version ${version} suite ${suite}, wanted version ${VERSION} suite ${SUITE_AES_256_GCM}; use the release that wrote it`,
    );
  }
  return sealed.subarray(0, HEADER_BYTES);
}

/** Everything that must be the same when the piece is opened; injective by its length prefixes. */
function additionalData(
  federationId: FederationId,
  header: Uint8Array,
  context: SealContext,
  plainBytes: number,
): Uint8Array {
  return concatBytes(
    utf8("fedclave/sealed/1\0"),
    lengthPrefixed(utf8(federationId)),
    header,
    lengthPrefixed(context.object),
    uint64Bytes(context.position),
    uint64Bytes(plainBytes),
    Uint8Array.of(context.isLast ? 1 : 0),
  );
}

function objectName(key: KeyObject, artifactKind: string, digest: Digest): string {
  const hmac = createHmac("sha256", key);
  hmac.update(utf8("fedclave/object-name/1\0"));
  hmac.update(lengthPrefixed(utf8(artifactKind)));
  return toHex(hmac.update(digestBytes(digest)).digest());
}

/** One message whatever did not match: nothing to learn from the difference. */
function notAuthentic(kind: SealedKind, options?: { readonly cause: unknown }): StorageError {
  return new StorageError(
    "not-authentic",
    `sealed ${kind}: not what was sealed here under this key, for this federation and place`,
    options,
  );
}
