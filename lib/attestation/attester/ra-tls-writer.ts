/**
 * Writes RA-TLS certificates: self-signed, with TCG DICE evidence over their own key, in the form that Gramine writes
 * and its verifier accepts. Its older extension, a second quote, is left out.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { concatBytes, equalBytes, sha256 } from "../../base/bytes.ts";
import {
  authorityKeyId,
  basicConstraints,
  subjectKeyId,
} from "../../base/certificate-extensions.ts";
import {
  type CertificateExtension,
  type DistinguishedName,
  NAME_PART,
  writeCertificate,
} from "../../base/certificate-writer.ts";
import type { UnixMs } from "../../base/ids.ts";
import { assertInvariant } from "../../base/refusal.ts";
import type { CborValue } from "../encoding/cbor.ts";
import { writeCbor } from "../encoding/cbor-writer.ts";
import { parseQuote } from "../evidence/quote.ts";
import { TCG_DICE_EVIDENCE } from "../evidence/ra-tls-certificate.ts";
import { DCAP_QUOTE_TAG, NONCE_CLAIM, PUBLIC_KEY_HASH_CLAIM } from "../evidence/ra-tls-evidence.ts";
import { type Attester, AttesterError, REPORT_DATA_BYTES } from "./attester.ts";

/** What goes into an RA-TLS certificate. */
export type RaTlsRequest = {
  readonly attester: Attester;
  /** P-256 or P-384, the curves that Gramine's verifier takes; it does not leave the enclave. */
  readonly privateKey: KeyObject;
  /** What the verifier gave for freshness; undefined where it gave nothing. */
  readonly nonce: Uint8Array | undefined;
  /** Unset means `RATLS`; verifiers do not look. */
  readonly subject?: DistinguishedName;
  /** Unset means Gramine's 2001 to 2030: an enclave's clock is its host's, and verifiers do not look. */
  readonly notBeforeMs?: UnixMs;
  readonly notAfterMs?: UnixMs;
};

const CURVES = ["prime256v1", "secp384r1"];
/** Of hash entries (IANA named information registry). */
const SHA256_ALGORITHM = 1n;
const SUBJECT: DistinguishedName = [
  { oid: NAME_PART.commonName, text: "RATLS", kind: "utf8" },
  { oid: NAME_PART.organization, text: "Fedclave", kind: "utf8" },
];
const NOT_BEFORE_MS = Date.UTC(2001, 0, 1) as UnixMs;
const NOT_AFTER_MS = Date.UTC(2030, 11, 31, 23, 59, 59) as UnixMs;

/**
 * A certificate in DER whose quote binds the key, and the nonce if there is one. Asks the attester once.
 *
 * @throws AttesterError of the attester; "no-evidence" if it gives another kind than DCAP quotes, which these
 *   certificates cannot carry; "wrong-report-data" if its quote binds something else
 * @throws EvidenceError "malformed-quote" if its quote cannot be read
 */
export async function writeRaTlsCertificate(request: RaTlsRequest): Promise<Uint8Array> {
  const { attester, privateKey, nonce, subject = SUBJECT } = request;
  const curve = privateKey.asymmetricKeyDetails?.namedCurve ?? "";
  assertInvariant(CURVES.includes(curve), "RA-TLS keys are P-256 or P-384");
  const publicKeyDer = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const claims = writeCbor(claimsOver(publicKeyDer, nonce));
  const quote = await quoteOver(attester, claims);
  return writeCertificate(
    {
      serial: Uint8Array.of(1),
      issuer: subject,
      subject,
      notBeforeMs: request.notBeforeMs ?? NOT_BEFORE_MS,
      notAfterMs: request.notAfterMs ?? NOT_AFTER_MS,
      publicKeyDer,
      extensions: [
        { ...basicConstraints(undefined), critical: false },
        subjectKeyId(publicKeyDer),
        authorityKeyId(publicKeyDer),
        diceEvidence(quote, claims),
      ],
    },
    // Gramine signs with SHA-256 under P-384 too.
    { privateKey, algorithm: "ecdsa-sha256" },
  );
}

/** The shorter key first, as deterministic CBOR has it (RFC 8949 §4.2.1). */
function claimsOver(publicKeyDer: Uint8Array, nonce: Uint8Array | undefined): CborValue {
  const hashEntry = writeCbor({
    kind: "array",
    items: [
      { kind: "integer", value: SHA256_ALGORITHM },
      { kind: "bytes", bytes: sha256(publicKeyDer) },
    ],
  });
  const entries = new Map<string, CborValue>();
  if (nonce !== undefined) entries.set(NONCE_CLAIM, { kind: "bytes", bytes: nonce });
  entries.set(PUBLIC_KEY_HASH_CLAIM, { kind: "bytes", bytes: hashEntry });
  return { kind: "map", entries };
}

async function quoteOver(attester: Attester, claims: Uint8Array): Promise<Uint8Array> {
  const hash = sha256(claims);
  const reportData = concatBytes(hash, new Uint8Array(REPORT_DATA_BYTES - hash.byteLength));
  const evidence = await attester.attest(reportData);
  if (evidence.kind !== "dcap-quote") {
    throw new AttesterError("no-evidence", "RA-TLS certificates carry quotes of SGX and TDX only");
  }
  // A quote over other bytes would be refused by everybody, and blamed on the key.
  if (!equalBytes(parseQuote(evidence.bytes).reportData, reportData)) {
    throw new AttesterError("wrong-report-data", "the quote binds other bytes than were given");
  }
  return evidence.bytes;
}

function diceEvidence(quote: Uint8Array, claims: Uint8Array): CertificateExtension {
  const content: CborValue = {
    kind: "array",
    items: [
      { kind: "bytes", bytes: quote },
      { kind: "bytes", bytes: claims },
    ],
  };
  const value = writeCbor({ kind: "tag", tag: DCAP_QUOTE_TAG, content });
  return { oid: TCG_DICE_EVIDENCE, critical: false, value };
}
