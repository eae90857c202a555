/** Who a peer is, read from the certificate that TLS has proved it holds the key of. */
import type { KeyObject, X509Certificate } from "node:crypto";
import { sha256 } from "../base/bytes.ts";
import { readCertificate } from "../base/certificate.ts";
import { writeCertificate } from "../base/certificate-writer.ts";
import { curveSigner } from "../base/der-signature.ts";
import {
  type Digest,
  type FederationId,
  isRole,
  type Name,
  parseName,
  type Role,
  type UnixMs,
} from "../base/ids.ts";
import { KeyError, publicKeyDer, spkiDigest } from "../base/keys.ts";
import {
  basicConstraints,
  CLIENT_AUTH,
  certificateName,
  extendedKeyUsage,
  JOINING_UNIT,
  leafKeyUsage,
  ROLE_KEY_USAGE,
} from "./certificate-profile.ts";
import { ProvisioningError } from "./provisioning-error.ts";

export type MemberIdentity = {
  readonly federationId: FederationId;
  readonly role: Role;
  readonly member: Name;
  readonly spkiDigest: Digest;
  /** SubjectPublicKeyInfo, DER, 91 bytes. */
  readonly publicKeyDer: Uint8Array;
  /** Last valid second of the certificate. */
  readonly notAfterMs: UnixMs;
};

/** What a member pins. The id is a hash over the CA key, so neither can be exchanged alone. */
export type FederationTrust = {
  readonly federationId: FederationId;
  /** The self-signed CA certificate, DER. */
  readonly caCertificate: Uint8Array;
};

/** What TLS presents. */
export type CertifiedKey = {
  readonly privateKey: KeyObject;
  /** DER, leaf first. */
  readonly certificateChain: readonly Uint8Array[];
};

/** 2020-01-01 and "no well-defined expiration" (RFC 5280 §4.1.2.5): nobody relies on these dates. */
const JOINING_NOT_BEFORE_MS = Date.UTC(2020, 0, 1) as UnixMs;
const JOINING_NOT_AFTER_MS = Date.UTC(9999, 11, 31, 23, 59, 59) as UnixMs;

/**
 * Reads a member's certificate, which must be one that the federation's authority issues: everything is compared
 * with the profile, nothing is ignored because TLS looked at it already.
 *
 * @param certificate  from `getPeerX509Certificate()` or `readCertificate`, never `new X509Certificate(der)`
 * @throws ProvisioningError "not-issued-by-federation" | "is-authority" | "not-yet-valid" | "expired" |
 *   "bad-member-uri" | "wrong-federation" | "unknown-role" | "bad-member-name" | "wrong-key-usage" | "wrong-curve"
 * @throws CertificateError if the pinned CA certificate itself cannot be read
 */
export function verifyMemberCertificate(
  certificate: X509Certificate,
  trust: FederationTrust,
  untrustedNowMs: UnixMs,
): MemberIdentity {
  const authority = readCertificate(trust.caCertificate);
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) {
    throw refuse("not-issued-by-federation", "the federation's authority did not sign it");
  }
  // The CA's own certificate is signed by the CA too. Node sees an authority where OpenSSL does: CA:TRUE and keyCertSign.
  if (certificate.ca) throw refuse("is-authority", "it is an authority, not a member");
  const notAfterMs = checkedValidity(certificate, untrustedNowMs);
  const { role, member } = parseMemberUri(certificate.subjectAltName ?? "", trust.federationId);
  checkKeyUsage(certificate, role);
  const key = memberKey(certificate);
  return { federationId: trust.federationId, role, member, ...key, notAfterMs };
}

/**
 * Whether a certificate is signed by its own key. OpenSSL's own question (checkIssued) also wants the issuer to be an
 * authority, which a joining certificate must not be.
 */
export const isSelfSigned = (certificate: X509Certificate): boolean =>
  certificate.issuer === certificate.subject && certificate.verify(certificate.publicKey);

/**
 * The key of a peer that has no federation certificate yet. Its self-signed certificate says nothing else that
 * counts: TLS proved the key, and the statement sent to `Provisioning.Join` says whose it is.
 * @throws ProvisioningError "wrong-curve"
 */
export function joiningKey(
  certificate: X509Certificate,
): Pick<MemberIdentity, "publicKeyDer" | "spkiDigest"> {
  return memberKey(certificate);
}

/**
 * What a member presents to join: a self-signed certificate around its key, without a name, good for nothing else.
 * @param privateKey  P-256
 * @throws KeyError "wrong-curve"
 */
export function selfSignedIdentity(privateKey: KeyObject): CertifiedKey {
  const der = publicKeyDer(privateKey);
  const name = certificateName(JOINING_UNIT, "joining");
  const certificate = writeCertificate(
    {
      // Unique for each key and needs no randomness; the mask keeps it positive and 16 bytes long.
      serial: sha256(der)
        .subarray(0, 16)
        .map((byte, index) => (index === 0 ? (byte & 0x7f) | 0x40 : byte)),
      issuer: name,
      subject: name,
      notBeforeMs: JOINING_NOT_BEFORE_MS,
      notAfterMs: JOINING_NOT_AFTER_MS,
      publicKeyDer: der,
      extensions: [basicConstraints(false), leafKeyUsage, extendedKeyUsage([CLIENT_AUTH])],
    },
    curveSigner(privateKey),
  );
  return { privateKey, certificateChain: [certificate] };
}

function checkedValidity(certificate: X509Certificate, untrustedNowMs: UnixMs): UnixMs {
  const notBeforeMs = Date.parse(certificate.validFrom);
  const notAfterMs = Date.parse(certificate.validTo);
  // Written so that an unreadable date (NaN) is refused as well.
  if (!(untrustedNowMs >= notBeforeMs)) throw refuse("not-yet-valid", "it is not valid yet");
  // The last second counts in full (RFC 5280 §4.1.2.5).
  if (!(untrustedNowMs < notAfterMs + 1000)) throw refuse("expired", "it has expired");
  return notAfterMs as UnixMs;
}

/** @param alternativeNames  as Node prints them: one URI prints as "URI:…", several are joined by commas */
function parseMemberUri(
  alternativeNames: string,
  wanted: FederationId,
): { readonly role: Role; readonly member: Name } {
  const match = /^URI:fedclave:\/\/([^/,"]*)\/([^/,"]*)\/([^/,"]*)$/.exec(alternativeNames);
  const [, federationId = "", role = "", member = ""] = match ?? [];
  if (match === null) throw refuse("bad-member-uri", "it has not exactly one name of our form");
  if (federationId !== wanted) throw refuse("wrong-federation", "it names another federation");
  if (!isRole(role)) throw refuse("unknown-role", "it names a role that does not exist");
  const name = parseName(member);
  if (name === undefined) throw refuse("bad-member-name", "it names no well-formed member");
  return { role, member: name };
}

/** Node calls the extended key usage `keyUsage` and gives it as OIDs in dotted form. */
function checkKeyUsage(certificate: X509Certificate, role: Role): void {
  const seen = [...((certificate.keyUsage as string[] | undefined) ?? [])].sort();
  const wanted = [...ROLE_KEY_USAGE[role]].sort();
  if (seen.join(" ") !== wanted.join(" ")) {
    throw refuse("wrong-key-usage", `its extended key usage is not that of a ${role}`);
  }
}

function memberKey(
  certificate: X509Certificate,
): Pick<MemberIdentity, "publicKeyDer" | "spkiDigest"> {
  try {
    const der = publicKeyDer(certificate.publicKey);
    return { publicKeyDer: der, spkiDigest: spkiDigest(der) };
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause;
    throw refuse("wrong-curve", "its key is not ECDSA P-256", cause);
  }
}

const refuse = (code: ProvisioningError["code"], why: string, cause?: unknown): ProvisioningError =>
  new ProvisioningError(code, `the peer's certificate is refused: ${why}`, { cause });
