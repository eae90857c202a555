/** The extensions of RFC 5280 §4.2 and §5.2 that our certificates and revocation lists have. */
import { createHash } from "node:crypto";
import type { CertificateExtension } from "./certificate-writer.ts";
import {
  bitString,
  boolean,
  implicit,
  implicitSequence,
  integer,
  octetString,
  sequence,
} from "./der-writer.ts";

/** Bits of KeyUsage by number (RFC 5280 §4.2.1.3). */
const KEY_USAGE_BITS = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
] as const;
/** A use by its name in RFC 5280 §4.2.1.3. */
export type KeyUsageBit = (typeof KEY_USAGE_BITS)[number];

/** Critical. @param authority  undefined for a leaf; without a path length any number of authorities may follow */
export const basicConstraints = (
  authority: { readonly pathLength?: number } | undefined,
): CertificateExtension => {
  const pathLength = authority?.pathLength;
  const length = pathLength === undefined ? [] : [integer(pathLength)];
  return {
    oid: "2.5.29.19",
    critical: true,
    value: authority === undefined ? sequence() : sequence(boolean(true), ...length),
  };
};

/** Critical. @param usages  at least one */
export function keyUsage(...usages: readonly KeyUsageBit[]): CertificateExtension {
  const bits = usages.map((usage) => KEY_USAGE_BITS.indexOf(usage));
  const byte = bits.reduce((sum, bit) => sum | (0x80 >> bit), 0);
  // DER cuts trailing zero bits of a list of named bits (X.690 §11.2.2).
  return {
    oid: "2.5.29.15",
    critical: true,
    value: bitString(Uint8Array.of(byte), 7 - Math.max(...bits)),
  };
}

/** @param publicKeyDer  SubjectPublicKeyInfo of the certified key */
export const subjectKeyId = (publicKeyDer: Uint8Array): CertificateExtension => ({
  oid: "2.5.29.14",
  critical: false,
  value: octetString(keyId(publicKeyDer)),
});

/** The issuer's subject key identifier (RFC 5280 §4.2.1.1). @param publicKeyDer  SubjectPublicKeyInfo of the issuer */
export const authorityKeyId = (publicKeyDer: Uint8Array): CertificateExtension => ({
  oid: "2.5.29.35",
  critical: false,
  value: sequence(implicit(0, keyId(publicKeyDer))),
});

/** Where the issuer's revocation list is (RFC 5280 §4.2.1.13). @param uri  ASCII */
export const crlDistributionPoint = (uri: string): CertificateExtension => ({
  oid: "2.5.29.31",
  critical: false,
  value: sequence(
    sequence(implicitSequence(0, implicitSequence(0, implicit(6, Buffer.from(uri, "latin1"))))),
  ),
});

/** Of a revocation list; grows with each (RFC 5280 §5.2.3). */
export const crlNumber = (value: number | bigint): CertificateExtension => ({
  oid: "2.5.29.20",
  critical: false,
  value: integer(value),
});

/** First 160 bits of the SHA-256 of the SubjectPublicKeyInfo (RFC 7093 §2, method 4 shortened); a hint, not a check. */
const keyId = (publicKeyDer: Uint8Array): Uint8Array =>
  createHash("sha256").update(publicKeyDer).digest().subarray(0, 20);
