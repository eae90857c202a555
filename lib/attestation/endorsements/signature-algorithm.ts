/** How certificates and CRLs are signed, and whether they are. */
import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";
import { toHex } from "../../base/bytes.ts";
import type { DerReader } from "../encoding/der.ts";

/** "unknown" is read, so that other reasons are found too, but never verifies. */
export type SignatureAlgorithm =
  | "ecdsa-sha256"
  | "ecdsa-sha384"
  | "ecdsa-sha512"
  | "rsa-sha256"
  | "rsa-sha384"
  | "rsa-sha512"
  | "rsa-pss-sha384"
  | "unknown";

const BY_OID: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  ["1.2.840.10045.4.3.2", "ecdsa-sha256"],
  ["1.2.840.10045.4.3.3", "ecdsa-sha384"],
  ["1.2.840.10045.4.3.4", "ecdsa-sha512"],
  ["1.2.840.113549.1.1.11", "rsa-sha256"],
  ["1.2.840.113549.1.1.12", "rsa-sha384"],
  ["1.2.840.113549.1.1.13", "rsa-sha512"],
  ["1.2.840.113549.1.1.10", "rsa-pss-sha384"],
]);

const NULL = "0500";
const SHA384 = "300d06096086480165030402020500";
/** RSASSA-PSS-params (RFC 4055 §3.1) of SHA-384, MGF1 with SHA-384 and a salt of 48 bytes. */
const PSS_PARAMETERS = `a00f${SHA384}a11c301a06092a864886f70d010108${SHA384}a203020130`;
/** AMD writes the trailer's default out in most certificates. */
const PSS_TRAILER = "a303020101";
/** Parameters of PSS as they may stand in signatures and keys, hex of DER. */
export const PSS_SHA384_PARAMETERS: readonly string[] = [
  `3034${PSS_PARAMETERS}`,
  `3039${PSS_PARAMETERS}${PSS_TRAILER}`,
];

/** Reads the content of an AlgorithmIdentifier of a signature. @throws EvidenceError of the reader's code */
export function readSignatureAlgorithm(content: DerReader): SignatureAlgorithm {
  const algorithm = BY_OID.get(content.oid("algorithm")) ?? "unknown";
  const parameters = content.isAtEnd ? "" : toHex(content.any("parameters").encoded);
  content.end();
  if (algorithm === "unknown") return algorithm;
  if (!permittedParameters(algorithm).includes(parameters)) {
    throw content.error(`parameters of ${algorithm} that it does not have`);
  }
  return algorithm;
}

/** ECDSA has none (RFC 5758 §3.2), but mbedTLS, hence Gramine, writes NULL. */
const permittedParameters = (algorithm: SignatureAlgorithm): readonly string[] => {
  if (algorithm === "rsa-pss-sha384") return PSS_SHA384_PARAMETERS;
  return algorithm.startsWith("rsa") ? [NULL] : ["", NULL];
};

/** What a signature is over, and by which algorithm. */
export type Signed = {
  readonly toBeSigned: Uint8Array;
  readonly signature: Uint8Array;
  readonly signatureAlgorithm: SignatureAlgorithm;
};

/** Below this a modulus does not count as a key. */
const MIN_RSA_BITS = 2048;
/** Verification with larger ones is slow, and the key is the peer's. */
const MAX_RSA_BITS = 8192;

/** More than a modulus and an exponent of that size; OpenSSL takes long to read and to describe larger ones. */
const MAX_KEY_BYTES = 4096;

/**
 * Whether the signature is by that key; false also for a key that is unreadable, past 4096 bytes, of another kind than
 * the algorithm's, or an RSA key outside 2048 to 8192 bits.
 *
 * @param issuerKey  SubjectPublicKeyInfo, or what was read from one: reading takes longer than verifying
 */
export function verifySignature(signed: Signed, issuerKey: Uint8Array | KeyObject): boolean {
  if (issuerKey instanceof Uint8Array && issuerKey.byteLength > MAX_KEY_BYTES) return false;
  try {
    const key = issuerKey instanceof Uint8Array ? readPublicKey(issuerKey) : issuerKey;
    return verifyWith(key, signed);
  } catch {
    // OpenSSL throws for points off their curve, and for some signatures that it cannot even try.
    return false;
  }
}

/** SubjectPublicKeyInfo of a P-256 key up to the coordinates of its point (RFC 5480 §2). */
const P256_PREFIX = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");
const P256_COORDINATE_BYTES = 32;

/** Reads a SubjectPublicKeyInfo of a parsed certificate. @throws what OpenSSL throws, as for points off their curve */
export function readPublicKey(der: Uint8Array): KeyObject {
  const pointOffset = P256_PREFIX.byteLength;
  const isP256 =
    der.byteLength === pointOffset + 2 * P256_COORDINATE_BYTES &&
    P256_PREFIX.equals(der.subarray(0, pointOffset));
  return isP256
    ? readP256Point(der.subarray(pointOffset))
    : createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
}

/**
 * Reads a point of P-256. As coordinates it is read three times as fast as OpenSSL's decoders read DER.
 * @param point  x ‖ y, 64 bytes
 * @throws what OpenSSL throws for a point off the curve
 */
export function readP256Point(point: Uint8Array): KeyObject {
  const coordinate = (offset: number) =>
    Buffer.from(point.buffer, point.byteOffset + offset, P256_COORDINATE_BYTES).toString(
      "base64url",
    );
  const [x, y] = [coordinate(0), coordinate(P256_COORDINATE_BYTES)];
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
}

function verifyWith(key: KeyObject, signed: Signed): boolean {
  const { toBeSigned, signature, signatureAlgorithm } = signed;
  const keyKind = key.asymmetricKeyType;
  switch (signatureAlgorithm) {
    case "unknown":
      return false;
    case "ecdsa-sha256":
    case "ecdsa-sha384":
    case "ecdsa-sha512":
      // OpenSSL writes r and s again and refuses any encoding but that one.
      return (
        keyKind === "ec" &&
        verify(hashOf(signatureAlgorithm), toBeSigned, { key, dsaEncoding: "der" }, signature)
      );
    case "rsa-sha256":
    case "rsa-sha384":
    case "rsa-sha512": {
      const padding = constants.RSA_PKCS1_PADDING;
      return (
        keyKind === "rsa" &&
        isWholeRsaSignature(key, signature) &&
        verify(hashOf(signatureAlgorithm), toBeSigned, { key, padding }, signature)
      );
    }
    case "rsa-pss-sha384": {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return (
        (keyKind === "rsa" || keyKind === "rsa-pss") &&
        isWholeRsaSignature(key, signature) &&
        verify("sha384", toBeSigned, { key, padding, saltLength: 48 }, signature)
      );
    }
  }
}

const hashOf = (algorithm: SignatureAlgorithm): string => algorithm.slice(-6);

/** OpenSSL also takes signatures whose leading zeros were cut off: a second spelling. */
function isWholeRsaSignature(key: KeyObject, signature: Uint8Array): boolean {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return (
    bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS && signature.byteLength === Math.ceil(bits / 8)
  );
}
