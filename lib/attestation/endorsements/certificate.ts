/** X.509 certificates (RFC 5280), read from exactly the bytes that were presented. */
import { equalBytes } from "../../base/bytes.ts";
import type { UnixMs } from "../../base/ids.ts";
import { DerReader, TAG } from "../encoding/der.ts";
import { EvidenceError } from "../evidence-error.ts";
import { readCommonName } from "./distinguished-name.ts";
import {
  type Authority,
  type Extensions,
  type KeyUsage,
  readAuthority,
  readExtensions,
  readKeyUsage,
} from "./extensions.ts";
import { type PublicKeyKind, readPublicKeyKind } from "./public-key.ts";
import { readSignatureAlgorithm, type Signed } from "./signature-algorithm.ts";

/** Largest certificate that is read; RA-TLS certificates carry one or two quotes. */
export const MAX_CERTIFICATE_BYTES = 128 * 1024;
/** RFC 5280 §4.1.2.2 allows 20 bytes, and the sign bit may cost one more. */
const MAX_SERIAL_BYTES = 21;

/** A certificate that reads well; nothing in it is verified. Byte strings are views of the input. */
export type Certificate = Signed & {
  readonly der: Uint8Array;
  /** Content of the INTEGER as encoded, 1 to 21 bytes; not negative, but zero where AMD writes zero. */
  readonly serial: Uint8Array;
  /** Name, DER. */
  readonly issuer: Uint8Array;
  /** Name, DER. */
  readonly subject: Uint8Array;
  /** Of the subject; undefined unless there is exactly one. */
  readonly commonName: string | undefined;
  readonly notBeforeMs: UnixMs;
  /** The last moment at which it is valid, to the second. */
  readonly notAfterMs: UnixMs;
  /** SubjectPublicKeyInfo exactly as in the certificate. */
  readonly publicKeyDer: Uint8Array;
  readonly publicKeyKind: PublicKeyKind;
  readonly authority: Authority;
  /** Undefined where the certificate does not say. */
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  /** Unknown critical ones are left to whoever checks the profile. */
  readonly extensions: Extensions;
};

/**
 * Reads one certificate of version 3.
 *
 * @param der  the whole input; nothing may follow the certificate
 * @throws EvidenceError "malformed-certificate" | "too-large" (past 128 KiB)
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.byteLength > MAX_CERTIFICATE_BYTES) {
    throw new EvidenceError("too-large", `certificate of ${der.byteLength} bytes`);
  }
  const input = new DerReader(der, "malformed-certificate", "DER");
  const outer = input.sequence("certificate");
  input.end();
  const toBeSigned = outer.element(TAG.sequence, "body");
  const algorithm = outer.element(TAG.sequence, "signature algorithm");
  const signature = outer.bitString("signature");
  outer.end();
  const body = readBody(outer.inside(toBeSigned.content, "body"));
  const { signedAs, ...fields } = body;
  // The outer copy is not signed: were it free to differ, it could name a weaker algorithm.
  if (!equalBytes(signedAs, algorithm.encoded)) throw outer.error("two signature algorithms");
  const signatureAlgorithm = readSignatureAlgorithm(
    outer.inside(algorithm.content, "signature algorithm"),
  );
  return { der, toBeSigned: toBeSigned.encoded, signature, signatureAlgorithm, ...fields };
}

function readBody(body: DerReader) {
  const version = body.within(TAG.context0, "version");
  if (version.smallUnsigned("version", 2) !== 2) throw body.error("not of version 3");
  version.end();
  const serial = readSerial(body);
  const signedAs = body.element(TAG.sequence, "signature algorithm").encoded;
  const issuer = body.element(TAG.sequence, "issuer");
  readCommonName(body, issuer);
  const validity = body.sequence("validity");
  const notBeforeMs = validity.time("notBefore");
  const notAfterMs = validity.time("notAfter");
  validity.end();
  const subject = body.element(TAG.sequence, "subject");
  const commonName = readCommonName(body, subject);
  const publicKey = body.element(TAG.sequence, "public key");
  const publicKeyKind = readPublicKeyKind(body, publicKey);
  const extensions = readExtensionsField(body);
  body.end();
  return {
    serial,
    signedAs,
    issuer: issuer.encoded,
    notBeforeMs,
    notAfterMs,
    subject: subject.encoded,
    commonName,
    publicKeyDer: publicKey.encoded,
    publicKeyKind,
    extensions,
    authority: readAuthority(body, extensions),
    keyUsage: readKeyUsage(body, extensions),
  };
}

/** Reads a serial number, of a certificate or of a revoked one. @throws EvidenceError of the reader's code */
export function readSerial(reader: DerReader): Uint8Array {
  const serial = reader.integer("serial number");
  if ((serial[0] ?? 0) >= 0x80) throw reader.error("a negative serial number");
  if (serial.byteLength > MAX_SERIAL_BYTES) throw reader.error("a serial number past 20 bytes");
  return serial;
}

/** Unique identifiers ([1], [2]) are obsolete and refused by position. */
function readExtensionsField(body: DerReader): Extensions {
  if (body.isAtEnd) return new Map();
  const explicit = body.within(TAG.context3, "extensions");
  const extensions = readExtensions(explicit.sequence("extensions"));
  explicit.end();
  return extensions;
}
