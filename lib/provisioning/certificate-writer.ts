/** Writes X.509 v3 certificates (RFC 5280 §4.1): the fields given, no policy. Signatures are node:crypto's. */
import { type KeyObject, sign } from "node:crypto";
import type { UnixMs } from "../base/ids.ts";
import { assertInvariant } from "../base/refusal.ts";
import {
  bitString,
  boolean,
  type DerValue,
  explicit,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  toDer,
  unsignedInteger,
  utf8String,
} from "./der.ts";

/** Written as CN and OU, each in a relative distinguished name of its own. */
export type CertificateName = { readonly commonName: string; readonly unit: string };

export type CertificateExtension = {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: DerValue;
};

export type CertificateFields = {
  /** Positive, at most 20 bytes, big-endian. */
  readonly serial: Uint8Array;
  readonly issuer: CertificateName;
  readonly subject: CertificateName;
  readonly notBeforeMs: UnixMs;
  readonly notAfterMs: UnixMs;
  /** SubjectPublicKeyInfo, DER, of a P-256 or P-384 key with an uncompressed point. */
  readonly publicKeyDer: Uint8Array;
  readonly extensions: readonly CertificateExtension[];
};

const EC_PUBLIC_KEY = "1.2.840.10045.2.1";
/** By length of the SubjectPublicKeyInfo: its curve, and the bytes of its point. */
const CURVES = new Map([
  [91, { oid: "1.2.840.10045.3.1.7", pointBytes: 65 }],
  [120, { oid: "1.3.132.0.34", pointBytes: 97 }],
]);
/** By OpenSSL's name of the signer's curve (RFC 5758 §3.2). */
const ALGORITHMS = new Map([
  ["prime256v1", { oid: "1.2.840.10045.4.3.2", hash: "sha256" }],
  ["secp384r1", { oid: "1.2.840.10045.4.3.3", hash: "sha384" }],
]);

/**
 * A certificate in DER.
 * @param signer  private key of the issuer: P-256 signs with SHA-256, P-384 with SHA-384
 */
export function writeCertificate(fields: CertificateFields, signer: KeyObject): Uint8Array {
  const algorithm = ALGORITHMS.get(signer.asymmetricKeyDetails?.namedCurve ?? "");
  assertInvariant(algorithm !== undefined, "certificates are signed with P-256 or P-384");
  const algorithmIdentifier = sequence(objectIdentifier(algorithm.oid));
  const toBeSigned = sequence(
    explicit(0, unsignedInteger(Uint8Array.of(2))),
    unsignedInteger(fields.serial),
    algorithmIdentifier,
    distinguishedName(fields.issuer),
    sequence(time(fields.notBeforeMs), time(fields.notAfterMs)),
    distinguishedName(fields.subject),
    publicKeyInfo(fields.publicKeyDer),
    explicit(3, sequence(...fields.extensions.map(extension))),
  );
  const signature = sign(algorithm.hash, toDer(toBeSigned), signer);
  return toDer(sequence(toBeSigned, algorithmIdentifier, bitString(signature)));
}

function distinguishedName(name: CertificateName): DerValue {
  return sequence(
    set(sequence(objectIdentifier("2.5.4.11"), utf8String(name.unit))),
    set(sequence(objectIdentifier("2.5.4.3"), utf8String(name.commonName))),
  );
}

function publicKeyInfo(publicKeyDer: Uint8Array): DerValue {
  const curve = CURVES.get(publicKeyDer.byteLength);
  assertInvariant(curve !== undefined, "certified keys are P-256 or P-384");
  return sequence(
    sequence(objectIdentifier(EC_PUBLIC_KEY), objectIdentifier(curve.oid)),
    bitString(publicKeyDer.subarray(-curve.pointBytes)),
  );
}

function extension({ oid, critical, value }: CertificateExtension): DerValue {
  // DER leaves out a value that equals its default, here critical FALSE.
  const flag = critical ? [boolean(true)] : [];
  return sequence(objectIdentifier(oid), ...flag, octetString(toDer(value)));
}
