/** ECDSA P-256 signatures as quotes and Intel's documents carry them: r ‖ s, 32 bytes each, big-endian. */
import { type KeyObject, verify } from "node:crypto";
import { readP256Point, readPublicKey } from "../endorsements/signature-algorithm.ts";

/** Reads a point of P-256. @param point  x ‖ y, 64 bytes @returns undefined if it is not on the curve */
export const readPoint = (point: Uint8Array): KeyObject | undefined =>
  undefinedIfThrown(() => readP256Point(point));

/** Reads the key of a certificate. @returns undefined if it is none, such as a point off its curve */
export const readKey = (publicKeyDer: Uint8Array): KeyObject | undefined =>
  undefinedIfThrown(() => readPublicKey(publicKeyDer));

/**
 * Whether the key made the signature over SHA-256 of the bytes. Signatures are malleable (r, n − s verifies too): no
 * one may take one, or what contains it, for an identifier.
 * @param key  false for undefined, and for one that is not of P-256
 */
export const verifyRaw = (
  key: KeyObject | undefined,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean =>
  key?.asymmetricKeyDetails?.namedCurve === "prime256v1" &&
  verify("sha256", bytes, { key, dsaEncoding: "ieee-p1363" }, signature);

/** `verifyRaw` with the key of a certificate. @param publicKeyDer  SubjectPublicKeyInfo */
export const isRawSignatureOf = (
  publicKeyDer: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean => verifyRaw(readKey(publicKeyDer), bytes, signature);

/** OpenSSL throws for hostile bytes: points off their curve, encodings of no key. */
function undefinedIfThrown(read: () => KeyObject): KeyObject | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
