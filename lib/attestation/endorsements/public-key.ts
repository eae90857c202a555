/** Public keys as certificates carry them. */
import { toHex } from "../../base/bytes.ts";
import { type DerElement, type DerReader, TAG } from "../encoding/der.ts";
import { PSS_SHA384_PARAMETERS } from "./signature-algorithm.ts";

/** "rsa-pss" is a key that may sign in that way only. */
export type PublicKeyKind = "ec-p256" | "ec-p384" | "ec-p521" | "rsa" | "rsa-pss" | "unknown";

const EC_PUBLIC_KEY = "1.2.840.10045.2.1";
const RSA = "1.2.840.113549.1.1.1";
const RSA_PSS = "1.2.840.113549.1.1.10";

/** Named curves; parameters written out could be another curve on which the key is known. */
const CURVES: ReadonlyMap<string, { kind: PublicKeyKind; pointBytes: number }> = new Map([
  ["1.2.840.10045.3.1.7", { kind: "ec-p256", pointBytes: 65 }],
  ["1.3.132.0.34", { kind: "ec-p384", pointBytes: 97 }],
  ["1.3.132.0.35", { kind: "ec-p521", pointBytes: 133 }],
]);

/**
 * Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). Points must be uncompressed, on curves given by name; whether a
 * point is on its curve is found when the key is used.
 *
 * @param info  the whole value
 * @throws EvidenceError of the reader's code
 */
export function readPublicKeyKind(parent: DerReader, info: DerElement): PublicKeyKind {
  const reader = parent.inside(info.content, "public key");
  const algorithm = reader.sequence("algorithm");
  const oid = algorithm.oid("algorithm");
  const parameters = algorithm.isAtEnd ? undefined : algorithm.any("parameters");
  algorithm.end();
  const key = reader.bitString("key");
  reader.end();
  switch (oid) {
    case EC_PUBLIC_KEY:
      return ecKind(reader, parameters, key);
    case RSA:
      if (parameters?.tag !== TAG.null || parameters.content.byteLength > 0) {
        throw reader.error("RSA wants NULL for parameters");
      }
      checkRsaKey(reader, key);
      return "rsa";
    case RSA_PSS:
      if (parameters === undefined || !PSS_SHA384_PARAMETERS.includes(toHex(parameters.encoded))) {
        throw reader.error("PSS with other parameters than SHA-384's");
      }
      checkRsaKey(reader, key);
      return "rsa-pss";
    default:
      return "unknown";
  }
}

/** RSAPublicKey (RFC 8017 §A.1.1): OpenSSL takes other spellings, and whatever follows. */
function checkRsaKey(parent: DerReader, key: Uint8Array): void {
  const whole = parent.inside(key, "RSA key");
  const numbers = whole.sequence("RSA key");
  whole.end();
  for (const name of ["modulus", "exponent"]) {
    if ((numbers.integer(name)[0] ?? 0) >= 0x80) throw numbers.error(`${name}: negative`);
  }
  numbers.end();
}

function ecKind(
  reader: DerReader,
  parameters: DerElement | undefined,
  key: Uint8Array,
): PublicKeyKind {
  if (parameters?.tag !== TAG.oid) throw reader.error("a curve that is not given by name");
  const curve = CURVES.get(reader.inside(parameters.encoded, "curve").oid("name"));
  if (curve === undefined) return "unknown";
  if (key[0] !== 0x04 || key.byteLength !== curve.pointBytes) {
    throw reader.error("not an uncompressed point");
  }
  return curve.kind;
}
