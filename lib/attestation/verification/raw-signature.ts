/** ECDSA P-256 signatures as quotes and Intel's documents carry them: r ‖ s, 32 bytes each, big-endian. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";

/** Reads a point of P-256. @param point  x ‖ y, 64 bytes @returns undefined if it is not on the curve */
export function readPoint(point: Uint8Array): KeyObject | undefined {
  const coordinate = (offset: number) =>
    Buffer.from(point.buffer, point.byteOffset + offset, 32).toString("base64url");
  try {
    return createPublicKey({
      key: { kty: "EC", crv: "P-256", x: coordinate(0), y: coordinate(32) },
      format: "jwk",
    });
  } catch {
    // Hostile bytes: OpenSSL refuses what is not a point.
    return undefined;
  }
}

/**
 * Whether the key made the signature over SHA-256 of the bytes. Signatures are malleable (r, n − s verifies too): no
 * one may take one, or what contains it, for an identifier.
 */
export const verifyRaw = (key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean =>
  key.asymmetricKeyDetails?.namedCurve === "prime256v1" &&
  verify("sha256", bytes, { key, dsaEncoding: "ieee-p1363" }, signature);
