/** What X.509 signs: SEQUENCE { what is signed, algorithm, signature }. Signatures are node:crypto's. */
import { constants, type KeyObject, type SignKeyObjectInput, sign } from "node:crypto";
import {
  bitString,
  type DerValue,
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  sequence,
  toDer,
} from "./der-writer.ts";
import { assertInvariant } from "./refusal.ts";

/** Each names its hash; RSA-PSS has MGF1 over the same hash and 48 bytes of salt. */
export type SigningAlgorithm =
  | "ecdsa-sha256"
  | "ecdsa-sha384"
  | "ecdsa-sha512"
  | "rsa-sha256"
  | "rsa-sha384"
  | "rsa-pss-sha384";

/** Whoever signs certificates and lists: a key and its algorithm. */
export type DerSigner = {
  readonly privateKey: KeyObject;
  readonly algorithm: SigningAlgorithm;
};

const SHA384 = "2.16.840.1.101.3.4.2.2";
const PSS_SALT_BYTES = 48;

const ALGORITHMS: Readonly<
  Record<SigningAlgorithm, { readonly oid: string; readonly parameters: readonly DerValue[] }>
> = {
  // RFC 5758 §3.2: no parameters.
  "ecdsa-sha256": { oid: "1.2.840.10045.4.3.2", parameters: [] },
  "ecdsa-sha384": { oid: "1.2.840.10045.4.3.3", parameters: [] },
  "ecdsa-sha512": { oid: "1.2.840.10045.4.3.4", parameters: [] },
  // RFC 4055 §5: NULL.
  "rsa-sha256": { oid: "1.2.840.113549.1.1.11", parameters: [nullValue()] },
  "rsa-sha384": { oid: "1.2.840.113549.1.1.12", parameters: [nullValue()] },
  // The trailer field is written although 1 is its default: AMD's certificates have it.
  "rsa-pss-sha384": { oid: "1.2.840.113549.1.1.10", parameters: [pssParameters()] },
};

/** The curves that have one usual hash, by OpenSSL's names. */
const CURVE_ALGORITHMS = new Map<string, SigningAlgorithm>([
  ["prime256v1", "ecdsa-sha256"],
  ["secp384r1", "ecdsa-sha384"],
]);

/** The signer that hashes as is usual for its curve. @param privateKey  P-256 (SHA-256) or P-384 (SHA-384) */
export function curveSigner(privateKey: KeyObject): DerSigner {
  const algorithm = CURVE_ALGORITHMS.get(privateKey.asymmetricKeyDetails?.namedCurve ?? "");
  assertInvariant(algorithm !== undefined, "keys are P-256 or P-384");
  return { privateKey, algorithm };
}

/** AlgorithmIdentifier, as it stands both inside and outside what is signed. */
export function algorithmIdentifier(algorithm: SigningAlgorithm): DerValue {
  const { oid, parameters } = ALGORITHMS[algorithm];
  return sequence(objectIdentifier(oid), ...parameters);
}

/** The signed whole, DER. ECDSA signatures are not deterministic. */
export function signDer(toBeSigned: DerValue, { privateKey, algorithm }: DerSigner): Uint8Array {
  const key: SignKeyObjectInput =
    algorithm === "rsa-pss-sha384"
      ? {
          key: privateKey,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: PSS_SALT_BYTES,
        }
      : { key: privateKey, dsaEncoding: "der" };
  const hash = algorithm.slice(algorithm.lastIndexOf("-") + 1);
  const signature = sign(hash, toDer(toBeSigned), key);
  return toDer(sequence(toBeSigned, algorithmIdentifier(algorithm), bitString(signature)));
}

function pssParameters(): DerValue {
  const hash = sequence(objectIdentifier(SHA384), nullValue());
  return sequence(
    explicit(0, hash),
    explicit(1, sequence(objectIdentifier("1.2.840.113549.1.1.8"), hash)),
    explicit(2, integer(PSS_SALT_BYTES)),
    explicit(3, integer(1)),
  );
}
