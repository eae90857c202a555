/** Whether certificates form a vendor's chain. Nothing stops at the first fault: every reason is noted. */
import type { KeyObject } from "node:crypto";
import { equalBytes } from "../../../base/bytes.ts";
import type { UnixMs } from "../../../base/ids.ts";
import { parsePemChain } from "../../encoding/pem.ts";
import { type Certificate, parseCertificate } from "../../endorsements/certificate.ts";
import { OID } from "../../endorsements/extensions.ts";
import { verifySignature } from "../../endorsements/signature-algorithm.ts";
import type { Checklist } from "../checklist.ts";
import { readOrNote } from "../read-or-note.ts";
import type { CertificateProfile, ChainProfile } from "./certificate-profile.ts";
import { checkDates, type Validity } from "./check-dates.ts";

/**
 * Reads a chain of exactly the profile's length; notes "chain-malformed" or "chain-length".
 * @param pem  canonical PEM, end certificate first
 * @param title  what the chain is for, for people: "PCK chain"
 * @returns undefined if it was refused
 */
export function readChain(
  checklist: Checklist,
  pem: Uint8Array | string,
  profile: ChainProfile,
  title: string,
): readonly Certificate[] | undefined {
  const claim = `${title}: readable certificates`;
  const chain = readOrNote(checklist, "chain-malformed", claim, "canonical PEM of DER", () =>
    parsePemChain(pem).map(parseCertificate),
  );
  if (chain === undefined) return undefined;
  const wanted = profile.map(({ title: each }) => each).join(", ");
  const isWhole = checklist.note(
    chain.length === profile.length,
    "chain-length",
    `${title}: ${wanted}`,
    `${chain.length} certificates`,
    `${profile.length}: ${wanted}`,
  );
  return isWhole ? chain : undefined;
}

/**
 * Checks every certificate of a chain against its profile, its issuer and the time; revocation is apart, and so is
 * whether the root is one that we trust.
 *
 * @param chain  as many as the profile has; with their keys where they were read before
 * @returns whether all holds
 */
export function checkChain(
  checklist: Checklist,
  chain: readonly (Certificate & Pick<Issuer, "publicKey">)[],
  profile: ChainProfile,
  nowMs: UnixMs,
): boolean {
  let holds = chain.length === profile.length;
  chain.forEach((certificate, index) => {
    const its = profile[index];
    if (its === undefined) return;
    const issuer = chain[index + 1] ?? certificate;
    const issuerTitle = profile[index + 1]?.title ?? "itself";
    const authoritiesBelow = profile.slice(0, index).filter((each) => each.isAuthority).length;
    holds = checkProfile(checklist, certificate, its, authoritiesBelow) && holds;
    holds = checkDates(checklist, its.part, its.title, datesOf(certificate), nowMs) && holds;
    holds = checkIssuer(checklist, certificate, its, issuer, issuerTitle) && holds;
  });
  return holds;
}

/** When a certificate is valid. */
export const datesOf = ({ notBeforeMs, notAfterMs }: Certificate): Validity => ({
  fromMs: notBeforeMs,
  toMs: notAfterMs,
});

/**
 * Checks an end certificate whose issuer is checked elsewhere.
 * @returns whether all holds
 */
export function checkIssued(
  checklist: Checklist,
  certificate: Certificate,
  profile: CertificateProfile,
  issuer: Issuer,
  issuerTitle: string,
  nowMs: UnixMs,
): boolean {
  const { part, title } = profile;
  const isInProfile = checkProfile(checklist, certificate, profile, 0);
  const isCurrent = checkDates(checklist, part, title, datesOf(certificate), nowMs);
  const isIssued = checkIssuer(checklist, certificate, profile, issuer, issuerTitle);
  return isInProfile && isCurrent && isIssued;
}

/** What is needed of an issuer. */
export type Issuer = Pick<Certificate, "subject" | "commonName" | "publicKeyDer"> & {
  /** Its key, where it was read before. */
  readonly publicKey?: KeyObject | undefined;
};

/**
 * Checks that a certificate is issued by another: names equal byte by byte, and the signature.
 * @returns whether both hold
 */
export function checkIssuer(
  checklist: Checklist,
  certificate: Certificate,
  { part, title }: CertificateProfile,
  issuer: Issuer,
  issuerTitle: string,
): boolean {
  const isNamed = checklist.note(
    equalBytes(certificate.issuer, issuer.subject),
    `${part}-issuer-mismatch`,
    `${title}: names its issuer, ${issuerTitle}`,
    "another issuer",
    issuer.commonName ?? "the issuer's subject",
  );
  const isSigned = checklist.note(
    verifySignature(certificate, issuer.publicKey ?? issuer.publicKeyDer),
    `${part}-signature-invalid`,
    `${title}: signed by ${issuerTitle}`,
    "a signature that does not verify",
    `a signature by ${issuerTitle}`,
  );
  return isNamed && isSigned;
}

/**
 * Checks a certificate by itself: name, algorithms, uses, authority, critical extensions.
 * @param authoritiesBelow  how many its path length must permit, if it is one itself
 * @returns whether all holds
 */
function checkProfile(
  checklist: Checklist,
  certificate: Certificate,
  profile: CertificateProfile,
  authoritiesBelow: number,
): boolean {
  const { part, title, commonNames } = profile;
  const isNamed = checklist.note(
    certificate.commonName !== undefined && commonNames.includes(certificate.commonName),
    `${part}-wrong-name`,
    `${title}: named as one`,
    certificate.commonName ?? "no single common name",
    commonNames.join(" or "),
  );
  const faults = profileFaults(certificate, profile);
  const isInProfile = checklist.note(
    faults.length === 0,
    `${part}-wrong-profile`,
    `${title}: algorithms, key and uses as its vendor's`,
    () => faults.join(", "),
    `${profile.signatureAlgorithm} over a key ${profile.publicKeyKind}`,
  );
  const authority = profile.isAuthority
    ? checkAuthority(checklist, certificate, profile, authoritiesBelow)
    : checkEnd(checklist, certificate, profile);
  return isNamed && isInProfile && authority;
}

/** Extensions that are understood here; whatever else is critical forbids us to go on (RFC 5280 §4.2). */
const UNDERSTOOD: readonly string[] = [OID.keyUsage, OID.basicConstraints];

function profileFaults(certificate: Certificate, profile: CertificateProfile): readonly string[] {
  const { signatureAlgorithm, publicKeyKind, keyUsage, extensions } = certificate;
  const faults: string[] = [];
  if (signatureAlgorithm !== profile.signatureAlgorithm) faults.push(signatureAlgorithm);
  if (publicKeyKind !== profile.publicKeyKind) faults.push(`key ${publicKeyKind}`);
  for (const [oid, { critical }] of extensions) {
    if (critical && !UNDERSTOOD.includes(oid)) faults.push(`critical extension ${oid}`);
  }
  for (const usage of profile.keyUsage) {
    // keyCertSign is what makes an authority, and is noted there.
    if (usage !== "keyCertSign" && keyUsage?.has(usage) !== true) faults.push(`no ${usage}`);
  }
  return faults;
}

function checkAuthority(
  checklist: Checklist,
  { authority, keyUsage }: Certificate,
  { part, title }: CertificateProfile,
  authoritiesBelow: number,
): boolean {
  const { isAuthority, pathLength } = authority;
  const maySign = keyUsage?.has("keyCertSign") === true;
  const isDeepEnough = pathLength === undefined || pathLength >= authoritiesBelow;
  return checklist.note(
    isAuthority && maySign && isDeepEnough,
    `${part}-not-a-ca`,
    `${title}: may issue certificates`,
    () => {
      if (!isAuthority) return "not an authority";
      return maySign ? `path length ${pathLength}` : "key usage without keyCertSign";
    },
    `an authority above ${authoritiesBelow} others`,
  );
}

function checkEnd(
  checklist: Checklist,
  { authority, keyUsage }: Certificate,
  { part, title }: CertificateProfile,
): boolean {
  return checklist.note(
    !authority.isAuthority && keyUsage?.has("keyCertSign") !== true,
    `${part}-is-a-ca`,
    `${title}: may not issue certificates`,
    "an authority",
    "an end certificate",
  );
}
