/** Writes X.509 v3 certificates (RFC 5280 §4.1): the fields given, no policy. */
import { algorithmIdentifier, type DerSigner, signDer } from "./der-signature.ts";
import {
  boolean,
  type DerValue,
  encoded,
  explicit,
  integer,
  objectIdentifier,
  octetString,
  printableString,
  sequence,
  set,
  time,
  toDer,
  unsignedInteger,
  utf8String,
} from "./der-writer.ts";
import type { UnixMs } from "./ids.ts";

/** One attribute of a name, in a relative distinguished name of its own. */
export type NamePart = {
  /** Dotted; the attribute type, such as those in `NAME_PART`. */
  readonly oid: string;
  readonly text: string;
  readonly kind: "utf8" | "printable";
};

/** In the order of the encoding: the broadest first, the common name usually last. */
export type DistinguishedName = readonly NamePart[];

/** Attribute types (RFC 5280 appendix A.1). */
export const NAME_PART = {
  commonName: "2.5.4.3",
  country: "2.5.4.6",
  locality: "2.5.4.7",
  state: "2.5.4.8",
  organization: "2.5.4.10",
  unit: "2.5.4.11",
} as const;

/** An extension to be written. */
export type CertificateExtension = {
  readonly oid: string;
  readonly critical: boolean;
  /** Bytes stand in extnValue as they are, for formats that are not DER. */
  readonly value: DerValue | Uint8Array;
};

/** What a certificate says, before it is signed. */
export type CertificateFields = {
  /** Not negative, at most 20 bytes, big-endian. */
  readonly serial: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBeforeMs: UnixMs;
  readonly notAfterMs: UnixMs;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyDer: Uint8Array;
  readonly extensions: readonly CertificateExtension[];
};

/** A certificate in DER. @param signer  of the issuer */
export function writeCertificate(fields: CertificateFields, signer: DerSigner): Uint8Array {
  const toBeSigned = sequence(
    explicit(0, integer(2)),
    unsignedInteger(fields.serial),
    algorithmIdentifier(signer.algorithm),
    distinguishedName(fields.issuer),
    sequence(time(fields.notBeforeMs), time(fields.notAfterMs)),
    distinguishedName(fields.subject),
    encoded(fields.publicKeyDer),
    explicit(3, extensionList(fields.extensions)),
  );
  return signDer(toBeSigned, signer);
}

/** Name, DER value. */
export function distinguishedName(name: DistinguishedName): DerValue {
  return sequence(
    ...name.map(({ oid, text, kind }) => {
      const value = kind === "utf8" ? utf8String(text) : printableString(text);
      return set(sequence(objectIdentifier(oid), value));
    }),
  );
}

/** Extensions, DER value; of a certificate, a revocation list or an entry of one. */
export const extensionList = (extensions: readonly CertificateExtension[]): DerValue =>
  sequence(
    ...extensions.map(({ oid, critical, value }) => {
      // DER leaves out a value that equals its default, here critical FALSE.
      const flag = critical ? [boolean(true)] : [];
      const bytes = value instanceof Uint8Array ? value : toDer(value);
      return sequence(objectIdentifier(oid), ...flag, octetString(bytes));
    }),
  );
