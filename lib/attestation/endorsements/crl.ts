/** Certificate revocation lists (RFC 5280 §5): whole ones of version 2, of a single issuer. */
import { equalBytes, toHex } from "../../base/bytes.ts";
import type { UnixMs } from "../../base/ids.ts";
import { DerReader, TAG } from "../encoding/der.ts";
import { EvidenceError } from "../evidence-error.ts";
import { readSerial } from "./certificate.ts";
import { readCommonName } from "./distinguished-name.ts";
import { type Extensions, OID, readExtensions } from "./extensions.ts";
import { readSignatureAlgorithm, type Signed } from "./signature-algorithm.ts";

/** Largest list that is read: about 25 000 entries. */
export const MAX_CRL_BYTES = 1024 * 1024;
/** RFC 5280 §5.2.3: 20 bytes. */
const MAX_CRL_NUMBER = 2n ** 160n - 1n;

/** A list that reads well; nothing in it is verified. */
export type Crl = Signed & {
  readonly der: Uint8Array;
  /** Name, DER. */
  readonly issuer: Uint8Array;
  readonly thisUpdateMs: UnixMs;
  /** The last moment at which the list counts. */
  readonly nextUpdateMs: UnixMs;
  /** Rises with every list of an issuer. */
  readonly crlNumber: bigint;
  /** Serial numbers as `serialKey` spells them; whatever the reason, "on hold" too. */
  readonly revokedSerials: ReadonlySet<string>;
};

/** How a serial number is written in `revokedSerials`: hex of the INTEGER's content. */
export const serialKey = (serial: Uint8Array): string => toHex(serial);

/**
 * Reads one list. Delta, indirect and partitioned lists are refused: their silence about a certificate means nothing.
 *
 * @param der  the whole input
 * @throws EvidenceError "malformed-crl" | "too-large" (past 1 MiB)
 */
export function parseCrl(der: Uint8Array): Crl {
  if (der.byteLength > MAX_CRL_BYTES) {
    throw new EvidenceError("too-large", `revocation list of ${der.byteLength} bytes`);
  }
  const input = new DerReader(der, "malformed-crl", "DER");
  const outer = input.sequence("revocation list");
  input.end();
  const toBeSigned = outer.element(TAG.sequence, "body");
  const algorithm = outer.element(TAG.sequence, "signature algorithm");
  const signature = outer.bitString("signature");
  outer.end();
  const body = outer.inside(toBeSigned.content, "body");
  const { signedAs, ...fields } = readBody(body);
  if (!equalBytes(signedAs, algorithm.encoded)) throw outer.error("two signature algorithms");
  const signatureAlgorithm = readSignatureAlgorithm(
    outer.inside(algorithm.content, "signature algorithm"),
  );
  return { der, toBeSigned: toBeSigned.encoded, signature, signatureAlgorithm, ...fields };
}

function readBody(body: DerReader) {
  if (body.smallUnsigned("version", 1) !== 1) throw body.error("not of version 2");
  const signedAs = body.element(TAG.sequence, "signature algorithm").encoded;
  const issuer = body.element(TAG.sequence, "issuer");
  readCommonName(body, issuer);
  const thisUpdateMs = body.time("thisUpdate");
  const nextUpdateMs = body.time("nextUpdate");
  const revokedSerials =
    body.nextTag === TAG.sequence ? readEntries(body.sequence("entries")) : new Set<string>();
  const explicit = body.within(TAG.context0, "extensions");
  const extensions = readExtensions(explicit.sequence("extensions"));
  explicit.end();
  body.end();
  const crlNumber = readCrlNumber(body, extensions);
  return {
    signedAs,
    issuer: issuer.encoded,
    thisUpdateMs,
    nextUpdateMs,
    revokedSerials,
    crlNumber,
  };
}

/** An empty list has no sequence of entries at all (RFC 5280 §5.1.2.6). */
function readEntries(entries: DerReader): ReadonlySet<string> {
  const serials = new Set<string>();
  do {
    const entry = entries.sequence("entry");
    const serial = readSerial(entry);
    entry.time("revocationDate");
    if (!entry.isAtEnd) {
      refuseUnknown(entry, readExtensions(entry.sequence("extensions")), ENTRY_EXTENSIONS);
    }
    entry.end();
    serials.add(serialKey(serial));
  } while (!entries.isAtEnd);
  return serials;
}

const ENTRY_EXTENSIONS: readonly string[] = [OID.reasonCode, OID.invalidityDate];
const LIST_EXTENSIONS: readonly string[] = [OID.crlNumber, OID.authorityKeyIdentifier];
/** They change what a list means, critical or not. */
const CHANGES_OF_MEANING: readonly string[] = [
  OID.deltaCrlIndicator,
  OID.issuingDistributionPoint,
  OID.certificateIssuer,
];

function refuseUnknown(reader: DerReader, extensions: Extensions, known: readonly string[]): void {
  for (const [oid, { critical }] of extensions) {
    if (CHANGES_OF_MEANING.includes(oid) || (critical && !known.includes(oid))) {
      throw reader.error(`extension ${oid} is not understood`);
    }
  }
}

function readCrlNumber(body: DerReader, extensions: Extensions): bigint {
  refuseUnknown(body, extensions, LIST_EXTENSIONS);
  const extension = extensions.get(OID.crlNumber);
  if (extension === undefined) throw body.error("no number");
  const value = body.inside(extension.value, "number");
  const crlNumber = value.unsigned("number", MAX_CRL_NUMBER);
  value.end();
  return crlNumber;
}
