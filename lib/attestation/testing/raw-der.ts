/** DER from parts that may be wrong, which no writer of ours would write. */
import { concatBytes } from "../../base/bytes.ts";

/** Bytes of hex with spaces. */
export const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

const NOTHING = new Uint8Array();

/** One value with a minimal length, around whatever it is given. */
export function tlv(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...contents);
  const size = content.byteLength;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return concatBytes(Uint8Array.of(tag, ...length), content);
}

export const SEQUENCE = 0x30;
export const OCTET_STRING = 0x04;
export const OID = 0x06;

/** A name of one common name, in UTF-8. */
export const rawName = (commonName: string): Uint8Array =>
  tlv(SEQUENCE, tlv(0x31, tlv(SEQUENCE, hex("0603550403"), tlv(0x0c, Buffer.from(commonName)))));

/** UTCTime. @param digits  YYMMDDHHMMSSZ */
export const rawTime = (digits: string): Uint8Array => tlv(0x17, Buffer.from(digits, "latin1"));

/** An extension whose object identifier is given as hex of its content. */
export const rawExtension = (
  oidHex: string,
  value: Uint8Array,
  critical: Uint8Array = NOTHING,
): Uint8Array => tlv(SEQUENCE, tlv(OID, hex(oidHex)), critical, tlv(OCTET_STRING, value));

/** AlgorithmIdentifier of ECDSA with SHA-256. */
export const ECDSA_SHA256 = hex("300a06082a8648ce3d040302");
/** A BIT STRING as a signature would be. */
export const RAW_SIGNATURE = hex("0305 00 30020101");
/** SubjectPublicKeyInfo of P-256's generator. */
export const RAW_PUBLIC_KEY = hex(
  "3059301306072a8648ce3d020106082a8648ce3d03010703420004" +
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
);

/** Encodings of the parts of a certificate. */
export type RawCertificate = {
  readonly version: Uint8Array;
  readonly serial: Uint8Array;
  readonly signedAs: Uint8Array;
  readonly issuer: Uint8Array;
  readonly validity: Uint8Array;
  readonly subject: Uint8Array;
  readonly publicKey: Uint8Array;
  /** With its [3]. */
  readonly extensions: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
  readonly trailing: Uint8Array;
};

export const EXTENSIONS_TAG = 0xa3;

/** A certificate that reads well, though nobody signed it. */
export const GOOD_CERTIFICATE: RawCertificate = {
  version: hex("a003020102"),
  serial: hex("020101"),
  signedAs: ECDSA_SHA256,
  issuer: rawName("issuer"),
  validity: tlv(SEQUENCE, rawTime("250101000000Z"), rawTime("260101000000Z")),
  subject: rawName("subject"),
  publicKey: RAW_PUBLIC_KEY,
  extensions: tlv(
    EXTENSIONS_TAG,
    tlv(SEQUENCE, rawExtension("551d0f", hex("030206c0"), hex("0101ff"))),
  ),
  algorithm: ECDSA_SHA256,
  signature: RAW_SIGNATURE,
  trailing: NOTHING,
};

/** Joins the parts of a certificate. */
export const rawCertificate = (parts: RawCertificate): Uint8Array =>
  concatBytes(
    tlv(
      SEQUENCE,
      tlv(
        SEQUENCE,
        parts.version,
        parts.serial,
        parts.signedAs,
        parts.issuer,
        parts.validity,
        parts.subject,
        parts.publicKey,
        parts.extensions,
      ),
      parts.algorithm,
      parts.signature,
    ),
    parts.trailing,
  );

/** Encodings of the parts of a revocation list. */
export type RawCrl = {
  readonly version: Uint8Array;
  readonly signedAs: Uint8Array;
  readonly issuer: Uint8Array;
  readonly thisUpdate: Uint8Array;
  readonly nextUpdate: Uint8Array;
  readonly entries: Uint8Array;
  /** With its [0]. */
  readonly extensions: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
  readonly trailing: Uint8Array;
};

/** An entry of a list. @param serial  content of the INTEGER, hex */
export const rawEntry = (serial: string, ...extensions: readonly Uint8Array[]): Uint8Array =>
  tlv(
    SEQUENCE,
    tlv(0x02, hex(serial)),
    rawTime("250101000000Z"),
    extensions.length === 0 ? NOTHING : tlv(SEQUENCE, ...extensions),
  );

export const CRL_EXTENSIONS_TAG = 0xa0;
/** cRLNumber 5. */
export const CRL_NUMBER: Uint8Array = rawExtension("551d14", hex("020105"));

/** A list that reads well, though nobody signed it. */
export const GOOD_CRL: RawCrl = {
  version: hex("020101"),
  signedAs: ECDSA_SHA256,
  issuer: rawName("issuer"),
  thisUpdate: rawTime("250101000000Z"),
  nextUpdate: rawTime("250201000000Z"),
  entries: tlv(SEQUENCE, rawEntry("0102", rawExtension("551d15", hex("0a0101")))),
  extensions: tlv(CRL_EXTENSIONS_TAG, tlv(SEQUENCE, CRL_NUMBER)),
  algorithm: ECDSA_SHA256,
  signature: RAW_SIGNATURE,
  trailing: NOTHING,
};

/** Joins the parts of a list. */
export const rawCrl = (parts: RawCrl): Uint8Array =>
  concatBytes(
    tlv(
      SEQUENCE,
      tlv(
        SEQUENCE,
        parts.version,
        parts.signedAs,
        parts.issuer,
        parts.thisUpdate,
        parts.nextUpdate,
        parts.entries,
        parts.extensions,
      ),
      parts.algorithm,
      parts.signature,
    ),
    parts.trailing,
  );
