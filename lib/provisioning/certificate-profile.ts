/** What federation certificates contain (docs/wire-formats.md, "Certificates"): written here, checked by readers. */
import { createHash } from "node:crypto";
import type { FederationId, Name, Role } from "../base/ids.ts";
import type { CertificateExtension } from "./certificate-writer.ts";
import {
  bitString,
  boolean,
  implicit,
  objectIdentifier,
  octetString,
  sequence,
  unsignedInteger,
} from "./der.ts";

/** Our arc: the UUID 56007fe0-f025-45cd-8f59-5cfd0215899b under 2.25 (ITU-T X.667), which needs no registration. */
export const FEDCLAVE_ARC = "2.25.114316201324952294274730669790339631515";

/** id-kp-serverAuth (RFC 5280 §4.2.1.12). */
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
/** id-kp-clientAuth (RFC 5280 §4.2.1.12). */
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/** Extended key usage of a role's certificate: exactly these. Clients and admins cannot serve. */
export const ROLE_KEY_USAGE: Readonly<Record<Role, readonly string[]>> = {
  reducer: [SERVER_AUTH, CLIENT_AUTH, `${FEDCLAVE_ARC}.1.1`],
  combiner: [SERVER_AUTH, CLIENT_AUTH, `${FEDCLAVE_ARC}.1.2`],
  client: [CLIENT_AUTH, `${FEDCLAVE_ARC}.1.3`],
  admin: [CLIENT_AUTH, `${FEDCLAVE_ARC}.1.4`],
};

/** OU of the subject of a federation CA, of a member in a role, and of a self-signed certificate for joining. */
export const AUTHORITY_UNIT = "fedclave-federation";
/** OU of a certificate that says nothing but its key. */
export const JOINING_UNIT = "fedclave-joining";
/** OU of a member's certificate; for people, nothing rests on it. */
export const memberUnit = (role: Role): string => `fedclave-${role}`;

/** Longest and shortest life of a member's certificate; it joins again well before the end. */
export const MAX_LEAF_LIFETIME_MS = 30 * 24 * 3600 * 1000;
/** Shortest life of a certificate that may be asked for. */
export const MIN_LEAF_LIFETIME_MS = 60 * 1000;
/** Life of a certificate where nobody asks for another. */
export const LEAF_LIFETIME_MS = 24 * 3600 * 1000;
/** 10 years. The federation ends with it: its id is bound to the CA key. */
export const AUTHORITY_LIFETIME_MS = 3652 * 24 * 3600 * 1000;
/** Certificates begin this much before they are made, for peers whose clocks are behind. */
export const BACKDATED_MS = 5 * 60 * 1000;

/** The URI in the subject alternative name of a member. */
export const memberUri = (federationId: FederationId, role: Role, member: Name): string =>
  `fedclave://${federationId}/${role}/${member}`;

/** Critical; an authority may issue leaves only (RFC 5280 §4.2.1.9). */
export const basicConstraints = (isAuthority: boolean): CertificateExtension => ({
  oid: "2.5.29.19",
  critical: true,
  value: isAuthority ? sequence(boolean(true), unsignedInteger(Uint8Array.of(0))) : sequence(),
});

/** keyCertSign and cRLSign (bits 5 and 6). */
export const authorityKeyUsage: CertificateExtension = {
  oid: "2.5.29.15",
  critical: true,
  value: bitString(Uint8Array.of(0b0000_0110), 1),
};

/** digitalSignature (bit 0). */
export const leafKeyUsage: CertificateExtension = {
  oid: "2.5.29.15",
  critical: true,
  value: bitString(Uint8Array.of(0b1000_0000), 7),
};

/** Critical. @param usages  object identifiers, at least one */
export const extendedKeyUsage = (oids: readonly string[]): CertificateExtension => ({
  oid: "2.5.29.37",
  critical: true,
  value: sequence(...oids.map(objectIdentifier)),
});

/** Subject alternative names of the URI form (RFC 5280 §4.2.1.6). */
export const uriAlternativeNames = (...uris: readonly string[]): CertificateExtension => ({
  oid: "2.5.29.17",
  critical: false,
  value: sequence(...uris.map((uri) => implicit(6, Buffer.from(uri, "latin1")))),
});

/** First 160 bits of the SHA-256 of the SubjectPublicKeyInfo (RFC 5280 §4.2.1.2 leaves the method open). */
export const subjectKeyId = (publicKeyDer: Uint8Array): CertificateExtension => ({
  oid: "2.5.29.14",
  critical: false,
  value: octetString(keyId(publicKeyDer)),
});

/** The issuer's subject key identifier (RFC 5280 §4.2.1.1). */
export const authorityKeyId = (publicKeyDer: Uint8Array): CertificateExtension => ({
  oid: "2.5.29.35",
  critical: false,
  value: sequence(implicit(0, keyId(publicKeyDer))),
});

/** First 160 bits of the SHA-256 of the SubjectPublicKeyInfo (RFC 7093 §2, method 4 shortened); a hint, not a check. */
const keyId = (publicKeyDer: Uint8Array): Uint8Array =>
  createHash("sha256").update(publicKeyDer).digest().subarray(0, 20);
