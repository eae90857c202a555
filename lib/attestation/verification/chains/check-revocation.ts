/** Whether revocation lists count, and what they revoke. */
import { equalBytes } from "../../../base/bytes.ts";
import type { UnixMs } from "../../../base/ids.ts";
import type { Certificate } from "../../endorsements/certificate.ts";
import { type Crl, serialKey } from "../../endorsements/crl.ts";
import { verifySignature } from "../../endorsements/signature-algorithm.ts";
import type { Checklist } from "../checklist.ts";
import type { Issuer } from "./certificate-chain.ts";
import type { CertificateProfile } from "./certificate-profile.ts";
import { checkDates } from "./check-dates.ts";

/** Lists that are dated objects. */
export type CrlObject = "root-crl" | "pck-crl" | "ark-crl";

/**
 * Checks that a list is by that issuer, who signs its lists as it signs certificates, and that it is current.
 * @param title  for people: "PCK CRL"
 * @returns whether all holds; the list's silence means nothing if not
 */
export function checkCrl(
  checklist: Checklist,
  crl: Crl,
  object: CrlObject,
  title: string,
  issuer: Certificate & Pick<Issuer, "publicKey">,
  issuerProfile: CertificateProfile,
  nowMs: UnixMs,
): boolean {
  const isNamed = checklist.note(
    equalBytes(crl.issuer, issuer.subject),
    `${object}-issuer-mismatch`,
    `${title}: names its issuer, ${issuerProfile.title}`,
    "another issuer",
    issuer.commonName ?? "the issuer's subject",
  );
  const isSigned = checklist.note(
    crl.signatureAlgorithm === issuerProfile.signatureAlgorithm &&
      issuer.keyUsage?.has("cRLSign") === true &&
      verifySignature(crl, issuer.publicKey ?? issuer.publicKeyDer),
    `${object}-signature-invalid`,
    `${title}: signed by ${issuerProfile.title}`,
    "a signature that does not verify",
    `${issuerProfile.signatureAlgorithm} by ${issuerProfile.title}`,
  );
  const window = { fromMs: crl.thisUpdateMs, toMs: crl.nextUpdateMs };
  const isCurrent = checkDates(checklist, object, title, window, nowMs);
  return isNamed && isSigned && isCurrent;
}

/** Notes whether its issuer's list leaves a certificate alone: "…-revoked". @returns whether it does */
export function checkNotRevoked(
  checklist: Checklist,
  certificate: Certificate,
  { part, title }: CertificateProfile,
  crl: Crl,
): boolean {
  const serial = serialKey(certificate.serial);
  return checklist.note(
    !crl.revokedSerials.has(serial),
    `${part}-revoked`,
    `${title}: not revoked`,
    `serial number ${serial} revoked`,
    "not on the list of its issuer",
  );
}
