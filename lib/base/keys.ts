/** ECDSA P-256 keys of admins, organizations and members: the one curve that hardware keys and TLS both offer. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { equalBytes, fromHex, toHex } from "./bytes.ts";
import { preAuthEncoding } from "./dsse.ts";
import { type Digest, digestOf } from "./ids.ts";
import { assertInvariant, CodedError } from "./refusal.ts";
import { Secret } from "./secret.ts";

export class KeyError extends CodedError<"unreadable-key" | "wrong-curve"> {}

/** A private key with what others know of it. */
export type SigningKey = {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, DER, 91 bytes. */
  readonly publicKeyDer: Uint8Array;
  /** SHA-256 of publicKeyDer; names the key. */
  readonly spkiDigest: Digest;
};

/** Bytes of a P-256 SubjectPublicKeyInfo with an uncompressed point. */
const PUBLIC_KEY_BYTES = 91;
/** Bytes of an IEEE P1363 signature: r ‖ s, 32 bytes each, big-endian. */
export const SIGNATURE_BYTES = 64;
const MAX_PEM_LENGTH = 4096;
/** SEQUENCE { SEQUENCE { ecPublicKey, prime256v1 }, BIT STRING { 04 … } } up to the two coordinates (RFC 5480 §2). */
const SPKI_PREFIX = fromHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");

/** A fresh P-256 key, from the operating system's generator inside OpenSSL. */
export function generateSigningKey(): SigningKey {
  return signingKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
}

/**
 * The parts of a private key.
 * @throws KeyError "wrong-curve"
 */
export function signingKey(privateKey: KeyObject): SigningKey {
  const der = publicKeyDer(privateKey);
  return { privateKey, publicKeyDer: der, spkiDigest: spkiDigest(der) };
}

/**
 * SubjectPublicKeyInfo of a public or private P-256 key, DER, always 91 bytes with an uncompressed point.
 * @throws KeyError "wrong-curve" for any other key
 */
export function publicKeyDer(key: KeyObject): Uint8Array {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  if (publicKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw wrongCurve();
  const der = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  if (!hasSpkiForm(der)) throw wrongCurve();
  return der;
}

/** SHA-256 of a SubjectPublicKeyInfo: how a key is named in statements, envelopes and lists. */
export function spkiDigest(der: Uint8Array): Digest {
  return digestOf(der);
}

/**
 * Reads a SubjectPublicKeyInfo from outside. One key has one spelling: compressed points and trailing bytes are refused.
 * @throws KeyError "wrong-curve" if it is not a P-256 key in that form | "unreadable-key" if the point is not on the curve
 */
export function parsePublicKey(der: Uint8Array): KeyObject {
  if (!hasSpkiForm(der)) throw wrongCurve();
  try {
    return createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
  } catch (cause) {
    throw new KeyError("unreadable-key", "the public key is not a point of P-256", { cause });
  }
}

/** PKCS#8 PEM, not encrypted; the caller writes it where only its owner reads. */
export function privateKeyPem(key: KeyObject): Secret<string> {
  return new Secret(key.export({ type: "pkcs8", format: "pem" }).toString());
}

/**
 * Reads a PEM private key.
 * @throws KeyError "unreadable-key" | "wrong-curve"
 */
export function parsePrivateKeyPem(pem: Secret<string>): SigningKey {
  let privateKey: KeyObject;
  try {
    const text = pem.reveal();
    if (text.length > MAX_PEM_LENGTH) throw new RangeError("longer than a key");
    privateKey = createPrivateKey({ key: text, format: "pem" });
  } catch {
    // The cause is dropped: nothing derived from the text of a private key goes into a log.
    throw new KeyError("unreadable-key", "the text is not an unencrypted PEM private key");
  }
  return signingKey(privateKey);
}

/** SubjectPublicKeyInfo as PEM. @param der  91 bytes */
export function publicKeyPem(der: Uint8Array): string {
  return parsePublicKey(der).export({ type: "spki", format: "pem" }).toString();
}

/**
 * SubjectPublicKeyInfo DER of a PEM public key.
 * @throws KeyError "unreadable-key" (also for a private key, which has no business here) | "wrong-curve"
 */
export function parsePublicKeyPem(pem: string): Uint8Array {
  if (pem.length > MAX_PEM_LENGTH || !/^-----BEGIN PUBLIC KEY-----\r?\n/.test(pem)) {
    throw new KeyError("unreadable-key", "the text is not a PEM public key");
  }
  try {
    return publicKeyDer(createPublicKey({ key: pem, format: "pem", type: "spki" }));
  } catch (cause) {
    if (cause instanceof KeyError) throw cause;
    throw new KeyError("unreadable-key", "the text is not a PEM public key", { cause });
  }
}

/**
 * ECDSA with SHA-256 over the DSSE pre-authentication encoding, so that a signature means one type of document only.
 * @param payloadType  "application/vnd.fedclave.<what>.v<n>[+json]"
 * @returns IEEE P1363, 64 bytes
 */
export function signDetached(
  privateKey: KeyObject,
  payloadType: string,
  payload: Uint8Array,
): Uint8Array {
  const input = preAuthEncoding(payloadType, payload);
  const signature = sign("sha256", input, { key: privateKey, dsaEncoding: "ieee-p1363" });
  assertInvariant(signature.byteLength === SIGNATURE_BYTES, "documents are signed with P-256");
  return new Uint8Array(signature);
}

/**
 * Whether this key made the signature. Signatures are malleable (r, −s verifies too): never use one as an identifier.
 * @param publicKey  SubjectPublicKeyInfo DER, 91 bytes
 * @throws KeyError as parsePublicKey
 */
export function verifyDetached(
  publicKey: Uint8Array,
  payloadType: string,
  payload: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = parsedKey(publicKey);
  if (signature.byteLength !== SIGNATURE_BYTES) return false;
  const input = preAuthEncoding(payloadType, payload);
  return verify("sha256", input, { key, dsaEncoding: "ieee-p1363" }, signature);
}

/** Reading a key costs as much as verifying with it, and the same members sign round after round. */
const parsedKeys = new Map<string, KeyObject>();
const MAX_PARSED_KEYS = 4096;

function parsedKey(der: Uint8Array): KeyObject {
  const name = toHex(der);
  const known = parsedKeys.get(name);
  if (known !== undefined) return known;
  const key = parsePublicKey(der);
  if (parsedKeys.size >= MAX_PARSED_KEYS) parsedKeys.clear();
  parsedKeys.set(name, key);
  return key;
}

function hasSpkiForm(der: Uint8Array): boolean {
  assertInvariant(SPKI_PREFIX !== undefined, "the prefix is hex");
  return (
    der.byteLength === PUBLIC_KEY_BYTES &&
    equalBytes(der.subarray(0, SPKI_PREFIX.byteLength), SPKI_PREFIX)
  );
}

const wrongCurve = (): KeyError =>
  new KeyError("wrong-curve", "only ECDSA P-256 keys with an uncompressed point are accepted");
