/** Writes X.509 v2 certificate revocation lists (RFC 5280 §5.1): the fields given, no policy. */
import {
  type CertificateExtension,
  type DistinguishedName,
  distinguishedName,
  extensionList,
} from "./certificate-writer.ts";
import { algorithmIdentifier, type DerSigner, signDer } from "./der-signature.ts";
import { type DerValue, explicit, integer, sequence, time, unsignedInteger } from "./der-writer.ts";
import type { UnixMs } from "./ids.ts";

/** An entry of a revocation list. */
export type RevokedCertificate = {
  /** Big-endian, as in the certificate. */
  readonly serial: Uint8Array;
  readonly revokedAtMs: UnixMs;
  /** Such as a reason code; unset means none. */
  readonly extensions?: readonly CertificateExtension[];
};

/** What a revocation list says, before it is signed. */
export type CrlFields = {
  readonly issuer: DistinguishedName;
  readonly thisUpdateMs: UnixMs;
  readonly nextUpdateMs: UnixMs;
  /** In order; none leaves the list out, as RFC 5280 wants it. */
  readonly revoked: readonly RevokedCertificate[];
  /** RFC 5280 asks for the CRL number and the authority key identifier. At least one. */
  readonly extensions: readonly CertificateExtension[];
};

/** A revocation list in DER. @param signer  of the issuer */
export function writeCrl(fields: CrlFields, signer: DerSigner): Uint8Array {
  const revoked = fields.revoked.map(revokedEntry);
  const toBeSigned = sequence(
    integer(1),
    algorithmIdentifier(signer.algorithm),
    distinguishedName(fields.issuer),
    time(fields.thisUpdateMs),
    time(fields.nextUpdateMs),
    ...(revoked.length > 0 ? [sequence(...revoked)] : []),
    explicit(0, extensionList(fields.extensions)),
  );
  return signDer(toBeSigned, signer);
}

function revokedEntry({ serial, revokedAtMs, extensions = [] }: RevokedCertificate): DerValue {
  const list = extensions.length > 0 ? [extensionList(extensions)] : [];
  return sequence(unsignedInteger(serial), time(revokedAtMs), ...list);
}
