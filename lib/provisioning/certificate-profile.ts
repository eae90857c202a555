/** What federation certificates contain (docs/wire-formats.md, "Certificates"): written here, checked by readers. */
import { basicConstraints as constraints, keyUsage } from "../base/certificate-extensions.ts";
import {
  type CertificateExtension,
  type DistinguishedName,
  NAME_PART,
} from "../base/certificate-writer.ts";
import { implicit, objectIdentifier, sequence } from "../base/der-writer.ts";
import type { FederationId, Name, Role } from "../base/ids.ts";

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

/** Issuer or subject: OU, then CN. */
export const certificateName = (unit: string, commonName: string): DistinguishedName => [
  { oid: NAME_PART.unit, text: unit, kind: "utf8" },
  { oid: NAME_PART.commonName, text: commonName, kind: "utf8" },
];

/** Critical; an authority may issue leaves only (RFC 5280 §4.2.1.9). */
export const basicConstraints = (isAuthority: boolean): CertificateExtension =>
  constraints(isAuthority ? { pathLength: 0 } : undefined);

/** What an authority's key is for. */
export const authorityKeyUsage = keyUsage("keyCertSign", "cRLSign");

/** What a member's key is for. */
export const leafKeyUsage = keyUsage("digitalSignature");

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
