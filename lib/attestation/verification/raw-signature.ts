/** ECDSA P-256 signatures as quotes and Intel's documents carry them: r ‖ s, 32 bytes each, big-endian. */
import { type KeyObject, verify } from "node:crypto";
import { readP256Point } from "../endorsements/signature-algorithm.ts";

/** Reads a point of P-256. @param point  x ‖ y, 64 bytes @returns undefined if it is not on the curve */
export function readPoint(point: Uint8Array): KeyObject | undefined {
  try {
    return readP256Point(point);
  } catch {
    // Hostile bytes: OpenSSL refuses what is not a point.
    return undefined;
  }
}

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
