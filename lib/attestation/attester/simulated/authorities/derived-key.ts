/** Elliptic curve keys that one secret and a name determine: an installation keeps one seed, whatever it simulates. */
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { concatBytes } from "../../../../base/bytes.ts";
import type { Secret } from "../../../../base/secret.ts";

/** Of Intel's keys, and of AMD's leafs. */
export type Curve = "P-256" | "P-384";

const CURVES = {
  "P-256": {
    openSslName: "prime256v1",
    bytes: 32,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  "P-384": {
    openSslName: "secp384r1",
    bytes: 48,
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
} as const;
/** More than a scalar has, so that reducing it favours none noticeably (FIPS 186-5 A.2.1). */
const EXTRA_BYTES = 16;
const LABEL = "fedclave/development-key/1\0";

/**
 * The private key of that name under that seed: HKDF-SHA-512 with "fedclave/development-key/1" NUL name as info.
 * @param seed  32 bytes
 * @param name  different for each key
 */
export function deriveKey(seed: Secret<Uint8Array>, curve: Curve, name: string): KeyObject {
  const { openSslName, bytes, order } = CURVES[curve];
  const material = hkdfSync(
    "sha512",
    seed.reveal(),
    new Uint8Array(),
    LABEL + curve + name,
    bytes + EXTRA_BYTES,
  );
  const scalar = (BigInt(`0x${Buffer.from(material).toString("hex")}`) % (order - 1n)) + 1n;
  const d = Buffer.from(scalar.toString(16).padStart(2 * bytes, "0"), "hex");
  const agreement = createECDH(openSslName);
  agreement.setPrivateKey(d);
  const point = agreement.getPublicKey();
  return createPrivateKey({
    format: "jwk",
    key: {
      kty: "EC",
      crv: curve,
      x: point.subarray(1, 1 + bytes).toString("base64url"),
      y: point.subarray(1 + bytes).toString("base64url"),
      d: d.toString("base64url"),
    },
  });
}

/** SubjectPublicKeyInfo of a private key, DER. */
export const publicKeyInfo = (key: KeyObject): Uint8Array =>
  new Uint8Array(createPublicKey(key).export({ type: "spki", format: "der" }));

/** x ‖ y of an elliptic curve key: the end of its SubjectPublicKeyInfo. */
export const publicPoint = (key: KeyObject, curve: Curve): Uint8Array =>
  publicKeyInfo(key).subarray(-2 * CURVES[curve].bytes);

/** The other signature that one P-256 signature gives away: (r, n − s) verifies as well. @param signature  r ‖ s, 64 bytes */
export function otherSignature(signature: Uint8Array): Uint8Array {
  const { bytes, order } = CURVES["P-256"];
  const s = BigInt(`0x${Buffer.from(signature.subarray(bytes)).toString("hex")}`);
  const other = Buffer.from((order - s).toString(16).padStart(2 * bytes, "0"), "hex");
  return concatBytes(signature.subarray(0, bytes), other);
}
