/**
 * Whether AMD vouches for the key that signs SNP reports: VCEK or VLEK, ASK or ASVK, a trusted ARK, and what the ARK
 * revoked. The answer holds for every report by that key, so it may be kept.
 */
import { equalBytes } from "../../base/bytes.ts";
import { type Digest, digestOf, type UnixMs } from "../../base/ids.ts";
import { type Certificate, parseCertificate } from "../endorsements/certificate.ts";
import type { SnpEndorsements } from "../endorsements/snp-endorsements.ts";
import { readSnpSigner, type SnpSigner } from "../endorsements/vcek.ts";
import { checkSnpChain, type DatedEndorsement, readSnpChain } from "./check-snp-chain.ts";
import { type Check, Checklist } from "./checklist.ts";
import type { VerificationCode } from "./codes.ts";
import { readOrNote } from "./read-or-note.ts";

/** Endorsements that hold. */
export type VerifiedSnpEndorsements = {
  /** VCEK or VLEK. */
  readonly leaf: Certificate;
  readonly signer: SnpSigner;
  /** SHA-256 of the trusted root's DER. */
  readonly anchor: Digest;
  /** Whether a revocation list was given. */
  readonly revocationChecked: boolean;
  /** Everything that must still be valid when a report is verified. */
  readonly dated: readonly DatedEndorsement[];
};

/** What could be read, so that a report's own faults are found beside those of the endorsements. */
export type ExaminedSnpEndorsements = {
  readonly leaf?: Certificate;
  readonly signer?: SnpSigner;
  /** Only if no check failed. */
  readonly verified?: VerifiedSnpEndorsements;
};

/**
 * Verifies endorsements alone.
 *
 * @param anchors  ARKs that are trusted, DER; a chain may present another certificate of the same key
 * @throws EvidenceError for an anchor that is not a certificate; never for what a peer gave
 */
export function verifySnpEndorsements(
  given: SnpEndorsements,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): {
  readonly checks: readonly Check<VerificationCode>[];
  readonly endorsements?: VerifiedSnpEndorsements;
} {
  const checklist = new Checklist();
  const { verified } = examineSnpEndorsements(checklist, given, anchors, nowMs);
  const { checks } = checklist;
  return verified === undefined ? { checks } : { checks, endorsements: verified };
}

/** Does the same into a list that goes on. @param checklist  empty */
export function examineSnpEndorsements(
  checklist: Checklist,
  given: SnpEndorsements,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): ExaminedSnpEndorsements {
  const chain = readSnpChain(checklist, given);
  if (chain === undefined) return {};
  const { leaf, ark } = chain;
  const anchor = trustedAnchor(anchors, ark);
  checklist.note(
    anchor !== undefined,
    "root-not-trusted",
    "ARK: a root that is trusted",
    () => `${ark.commonName ?? "a root"} with another key`,
    `one of ${anchors.length} trusted roots`,
  );
  const claim = "leaf: AMD's extensions";
  const signer = readOrNote(checklist, "vcek-wrong-profile", claim, "as AMD specifies them", () =>
    readSnpSigner(leaf),
  );
  const dated = checkSnpChain(checklist, chain, signer, given.crl, nowMs);
  if (signer === undefined) return { leaf };
  const holds = checklist.refusals.length === 0;
  if (!holds || anchor === undefined || dated === undefined) return { leaf, signer };
  const revocationChecked = given.crl !== undefined;
  const verified = { leaf, signer, anchor: digestOf(anchor), revocationChecked, dated };
  return { leaf, signer, verified };
}

/** The root itself, or else an anchor that holds its key: AMD may sign its root key again, with other dates. */
const trustedAnchor = (anchors: readonly Uint8Array[], ark: Certificate): Uint8Array | undefined =>
  anchors.find((anchor) => equalBytes(anchor, ark.der)) ??
  anchors.find((anchor) => equalBytes(parseCertificate(anchor).publicKeyDer, ark.publicKeyDer));
