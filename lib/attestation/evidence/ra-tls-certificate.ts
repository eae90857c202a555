/**
 * Certificates that carry a quote over their own key (RA-TLS). Two forms are read: the TCG DICE tagged evidence of the
 * "Interoperable RA-TLS" formats, and Gramine's older extension. Everything comes out of the DER that was presented.
 */
import { type Certificate, parseCertificate } from "../endorsements/certificate.ts";
import { parseQuote, type Quote } from "./quote.ts";
import { parseTaggedEvidence, type RaTlsClaimSet } from "./ra-tls-evidence.ts";

/** tcg-dice-tagged-evidence. */
export const TCG_DICE_EVIDENCE = "2.23.133.5.4.9";
/** What Gramine wrote before: by a mistake of its authors the whole encoding of an OID is the body of another. */
export const GRAMINE_LEGACY_EVIDENCE = "0.6.9.42.840.113741.1337.6";

/** Extensions in which somebody puts evidence, with their names for people. Only the first two are read. */
const EVIDENCE_EXTENSIONS: ReadonlyMap<string, string> = new Map([
  [TCG_DICE_EVIDENCE, "TCG DICE evidence"],
  [GRAMINE_LEGACY_EVIDENCE, "Gramine's older evidence"],
  // Also the OID of the SGX extension of PCK certificates.
  ["1.2.840.113741.1.13.1", "Intel SGX SDK evidence"],
  ["1.2.840.113556.10.1.1", "Open Enclave report"],
  ["1.2.840.113556.10.1.2", "Open Enclave evidence"],
  ["1.3.6.1.4.1.311.105.1", "Open Enclave evidence"],
  ["1.3.6.1.4.1.311.105.2", "Open Enclave evidence"],
  ["1.3.6.1.4.1.62397.1.1", "dstack quote"],
  ["1.3.6.1.4.1.62397.1.8", "dstack attestation"],
]);
/** What writers of the DICE form add for older verifiers: the same said twice, so it need not be unique. */
const DICE_COMPANIONS = [GRAMINE_LEGACY_EVIDENCE, "1.2.840.113741.1.13.1"];

/** Evidence in an RA-TLS certificate, by the form that it has. */
export type RaTlsEvidence =
  | {
      readonly kind: "tcg-dice";
      readonly quote: Quote;
      /** CBOR, as they stand in the certificate: the quote binds their hash. */
      readonly claimsBytes: Uint8Array;
      readonly claims: RaTlsClaimSet;
    }
  /** The quote binds the hash of the key itself; there are no claims. */
  | { readonly kind: "gramine-legacy"; readonly quote: Quote };

/** No evidence that is read here, or more than one that could decide. */
type NoEvidence = { readonly kind: "none" } | { readonly kind: "several" };

/** A certificate and what it carries, read and not verified. */
export type RaTlsCertificate = {
  readonly certificate: Certificate;
  readonly evidence: RaTlsEvidence | NoEvidence;
  /** Names of all the evidence in it, read or not, for people. */
  readonly found: readonly string[];
};

/**
 * Reads a certificate and the evidence in it. A certificate without evidence reads well, and is not genuine.
 * @param der  as TLS presented it (`getPeerX509Certificate().raw`)
 * @throws EvidenceError "malformed-certificate" (also where an extension stands twice) | "malformed-ra-tls" |
 *   "malformed-cbor" | "malformed-quote" | "too-large"
 */
export function parseRaTlsCertificate(der: Uint8Array): RaTlsCertificate {
  const certificate = parseCertificate(der);
  const present = [...EVIDENCE_EXTENSIONS.keys()].filter((oid) => certificate.extensions.has(oid));
  return {
    certificate,
    evidence: parseEvidence(certificate, decisive(present)),
    found: present.map((oid) => EVIDENCE_EXTENSIONS.get(oid) ?? oid),
  };
}

/** DICE evidence decides even where an older form stands beside it; else there must be just one. */
const decisive = (present: readonly string[]): readonly string[] =>
  present.includes(TCG_DICE_EVIDENCE)
    ? present.filter((oid) => !DICE_COMPANIONS.includes(oid))
    : present;

function parseEvidence(
  { extensions }: Certificate,
  [oid = "", ...others]: readonly string[],
): RaTlsEvidence | NoEvidence {
  if (others.length > 0) return { kind: "several" };
  const value = extensions.get(oid)?.value ?? new Uint8Array();
  if (oid === GRAMINE_LEGACY_EVIDENCE) return { kind: "gramine-legacy", quote: parseQuote(value) };
  const tagged = oid === TCG_DICE_EVIDENCE ? parseTaggedEvidence(value) : undefined;
  if (tagged === undefined) return { kind: "none" };
  const { quote, claimsBytes, claims } = tagged;
  return { kind: "tcg-dice", quote: parseQuote(quote), claimsBytes, claims };
}
