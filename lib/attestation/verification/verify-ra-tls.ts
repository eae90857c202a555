/** Is an RA-TLS certificate genuine: does a genuine quote bind the key that the certificate is about? */
import { createHash } from "node:crypto";
import { concatBytes, equalBytes, sha256, toHex } from "../../base/bytes.ts";
import { type Digest, digestOf, type UnixMs } from "../../base/ids.ts";
import type { Certificate } from "../endorsements/certificate.ts";
import { verifySignature } from "../endorsements/signature-algorithm.ts";
import type { Quote } from "../evidence/quote.ts";
import {
  GRAMINE_LEGACY_EVIDENCE,
  type RaTlsCertificate,
  type RaTlsEvidence,
  TCG_DICE_EVIDENCE,
} from "../evidence/ra-tls-certificate.ts";
import type { HashEntry } from "../evidence/ra-tls-evidence.ts";
import { Checklist } from "./checklist.ts";
import type { SgxClaims, TdxClaims, Verification } from "./claims.ts";

/** What a genuine certificate says; that the peer holds the key is for TLS to prove. */
export type RaTlsClaims = {
  /** Of the enclave or trust domain that vouches for the key. */
  readonly attested: SgxClaims | TdxClaims;
  readonly form: RaTlsEvidence["kind"];
  /** SubjectPublicKeyInfo, exactly as in the certificate. */
  readonly publicKeyDer: Uint8Array;
  readonly spkiDigest: Digest;
  /** Given by the attester, whose clock is its host's: nothing rests on them. */
  readonly notBeforeMs: UnixMs;
  readonly notAfterMs: UnixMs;
  /** The nonce among the claims, asked for or not. */
  readonly nonce?: Uint8Array;
  /** Names of claims that are bound but not understood, in their order. */
  readonly otherClaims: readonly string[];
};

/** How quotes are verified, and under which endorsements: `verifyQuote` or `verifyQuoteWith` with all but the quote. */
export type QuoteVerifier = (quote: Quote) => Verification<SgxClaims | TdxClaims>;

/** Hashes of public keys that are known, by their numbers (IANA named information registry). */
const HASHES: ReadonlyMap<bigint, string> = new Map([
  [1n, "sha256"],
  [7n, "sha384"],
  [8n, "sha512"],
]);
/** What a critical extension may be: it says how the certificate is to be used in TLS, or is the evidence. */
const KNOWN_CRITICAL: readonly string[] = [
  "2.5.29.15", // key usage
  "2.5.29.17", // subject alternative name
  "2.5.29.19", // basic constraints
  "2.5.29.37", // extended key usage
  TCG_DICE_EVIDENCE,
  GRAMINE_LEGACY_EVIDENCE,
];
const ZERO_HALF = new Uint8Array(32);

/**
 * Checks self-signature, critical extensions, the binding of the key, the nonce, and the quote. All reasons are collected.
 *
 * @param askedNonce  what the verifier gave for freshness; undefined where it gave none, and then a nonce in the
 *   certificate is reported only
 */
export function verifyRaTls(
  { certificate, evidence, found }: RaTlsCertificate,
  askedNonce: Uint8Array | undefined,
  verifyQuote: QuoteVerifier,
): Verification<RaTlsClaims> {
  const checklist = new Checklist();
  checkSelfSignature(certificate, checklist);
  checkExtensions(certificate, checklist);
  if (evidence.kind === "none" || evidence.kind === "several") {
    const code = evidence.kind === "none" ? "no-evidence" : "several-evidences";
    const seen = () => found.join(", ") || "none";
    checklist.note(false, code, "certificate: carries evidence", seen, "one that is read here");
    return { checks: checklist.checks };
  }
  if (evidence.kind === "tcg-dice") checkClaims(evidence, certificate, checklist);
  else checkLegacyBinding(evidence.quote, certificate, checklist);
  checkNonce(evidence, askedNonce, checklist);
  const quote = verifyQuote(evidence.quote);
  checklist.add(quote.checks);
  if (quote.claims === undefined || checklist.refusals.length > 0) {
    return { checks: checklist.checks };
  }
  return { checks: checklist.checks, claims: claimsOf(certificate, evidence, quote.claims) };
}

/** Whoever made the certificate held the key; an issuer would have no meaning. */
function checkSelfSignature(certificate: Certificate, checklist: Checklist): void {
  checklist.note(
    verifySignature(certificate, certificate.publicKeyDer),
    "self-signature-invalid",
    "certificate: signed with its own key",
    "another signature",
    "one that its public key verifies",
  );
}

/** RFC 5280 §4.2: whoever does not understand one may not use the certificate. */
function checkExtensions({ extensions }: Certificate, checklist: Checklist): void {
  const unknown = [...extensions]
    .filter(([oid, { critical }]) => critical && !KNOWN_CRITICAL.includes(oid))
    .map(([oid]) => oid);
  checklist.note(
    unknown.length === 0,
    "critical-extension-unknown",
    "certificate: every critical extension is understood",
    unknown.join(", "),
    "none that is not",
  );
}

function checkClaims(
  { quote, claims, claimsBytes }: RaTlsEvidence & { kind: "tcg-dice" },
  { publicKeyDer }: Certificate,
  checklist: Checklist,
): void {
  checkPublicKeyHash(claims.publicKeyHash, publicKeyDer, checklist);
  const wanted = concatBytes(sha256(claimsBytes), ZERO_HALF);
  checklist.note(
    equalBytes(quote.reportData, wanted),
    "report-data-mismatch",
    "quote: report data is the hash of the claims",
    () => toHex(quote.reportData),
    toHex(wanted),
  );
}

function checkPublicKeyHash(
  entry: HashEntry | undefined,
  publicKeyDer: Uint8Array,
  checklist: Checklist,
): void {
  const hash = HASHES.get(entry?.algorithm ?? -1n);
  const wanted = createHash(hash ?? "sha256")
    .update(publicKeyDer)
    .digest();
  checklist.note(
    entry !== undefined && hash !== undefined && equalBytes(entry.hash, wanted),
    "public-key-not-bound",
    "claims: the hash of the certificate's key",
    () => (entry === undefined ? "none" : `algorithm ${entry.algorithm}, ${toHex(entry.hash)}`),
    hash === undefined ? "SHA-256, SHA-384 or SHA-512" : toHex(wanted),
  );
}

function checkLegacyBinding(
  { reportData }: Quote,
  { publicKeyDer }: Certificate,
  checklist: Checklist,
): void {
  const wanted = sha256(publicKeyDer);
  checklist.note(
    equalBytes(reportData.subarray(0, 32), wanted),
    "public-key-not-bound",
    "quote: report data begins with the hash of the certificate's key",
    () => toHex(reportData.subarray(0, 32)),
    toHex(wanted),
  );
  checklist.note(
    equalBytes(reportData.subarray(32), ZERO_HALF),
    "report-data-mismatch",
    "quote: report data ends with zeros",
    () => toHex(reportData.subarray(32)),
    toHex(ZERO_HALF),
  );
}

function checkNonce(
  evidence: RaTlsEvidence,
  asked: Uint8Array | undefined,
  checklist: Checklist,
): void {
  if (asked === undefined) return;
  const nonce = evidence.kind === "tcg-dice" ? evidence.claims.nonce : undefined;
  checklist.note(
    nonce !== undefined && equalBytes(nonce, asked),
    "nonce-mismatch",
    "claims: the nonce that was asked for",
    () => (nonce === undefined ? "none" : toHex(nonce)),
    toHex(asked),
  );
}

function claimsOf(
  { publicKeyDer, notBeforeMs, notAfterMs }: Certificate,
  evidence: RaTlsEvidence,
  attested: SgxClaims | TdxClaims,
): RaTlsClaims {
  const { nonce, otherNames = [] } = evidence.kind === "tcg-dice" ? evidence.claims : {};
  return {
    attested,
    form: evidence.kind,
    publicKeyDer,
    spkiDigest: digestOf(publicKeyDer),
    notBeforeMs,
    notAfterMs,
    ...(nonce === undefined ? {} : { nonce }),
    otherClaims: otherNames,
  };
}
