/** Who certified the platform of a quote: its PCK, under the CA that the endorsements are about. */
import type { KeyObject } from "node:crypto";
import { equalBytes } from "../../base/bytes.ts";
import type { UnixMs } from "../../base/ids.ts";
import { parsePemChain } from "../encoding/pem.ts";
import { type Certificate, parseCertificate } from "../endorsements/certificate.ts";
import { checkChain, checkProfile } from "../endorsements/certificate-chain.ts";
import { PCK_CHAIN } from "../endorsements/certificate-profile.ts";
import { checkDates } from "../endorsements/check-dates.ts";
import { checkNotRevoked } from "../endorsements/check-revocation.ts";
import { type PckPlatform, readSgxExtension } from "../endorsements/sgx-extension.ts";
import { readPublicKey, verifySignature } from "../endorsements/signature-algorithm.ts";
import type { Certification } from "../evidence/quote.ts";
import { EvidenceError } from "../evidence-error.ts";
import type { Checklist } from "./checklist.ts";
import type { CollateralParts } from "./examine-collateral.ts";

/** What is known of the platform, as far as it could be read. */
export type Pck = {
  readonly certificate: Certificate;
  readonly key?: KeyObject;
  readonly platform?: PckPlatform;
  readonly pckCa: "platform" | "processor";
};

/** Endorsements as far as they are at hand; the key of the PCK CA where it was read before. */
export type KnownAuthority = Pick<CollateralParts, "root" | "pckCa" | "rootCrl" | "pckCrl"> & {
  readonly pckCaKey?: KeyObject;
};

const PLATFORM_CA = "Intel SGX PCK Platform CA";
/** Certification data that is a whole PCK chain in PEM. */
const PCK_CHAIN_IN_PEM = 5;

/**
 * Finds the chain in the quote, or beside the endorsements for quotes that only name their platform, and checks it.
 * @param beside  PEM
 * @returns undefined if there is no chain of three readable certificates
 */
export function checkPckChain(
  checklist: Checklist,
  { type, data }: Certification,
  beside: string | undefined,
  known: KnownAuthority,
  nowMs: UnixMs,
): Pck | undefined {
  const pem = type === PCK_CHAIN_IN_PEM ? data : beside;
  checklist.note(
    pem !== undefined,
    "pck-chain-missing",
    "PCK chain: at hand",
    `certification data of type ${type}`,
    "type 5, a chain, or a chain beside the endorsements",
  );
  const ders = pem === undefined ? undefined : readDers(checklist, pem);
  if (ders === undefined) return undefined;
  const chain = ders.isKnown(known)
    ? checkLeaf(checklist, ders.leaf, known, nowMs)
    : checkWhole(checklist, ders.all, known, nowMs);
  if (chain === undefined) return undefined;
  const { leaf, ca } = chain;
  const pckProfile = PCK_CHAIN[0];
  if (known.pckCrl !== undefined && pckProfile !== undefined) {
    checkNotRevoked(checklist, leaf, pckProfile, known.pckCrl);
  }
  const platform = readOr(
    checklist,
    "pck-extension-malformed",
    "PCK certificate: SGX extension",
    () => readSgxExtension(leaf),
  );
  const key = keyOf(leaf);
  return {
    certificate: leaf,
    ...(key === undefined ? {} : { key }),
    ...(platform === undefined ? {} : { platform }),
    pckCa: ca.commonName === PLATFORM_CA ? "platform" : "processor",
  };
}

type Ders = {
  readonly all: readonly Uint8Array[];
  readonly leaf: Uint8Array;
  /** Whether CA and root are those of the endorsements, byte for byte, and were checked with them. */
  readonly isKnown: (known: KnownAuthority) => boolean;
};

function readDers(checklist: Checklist, pem: Uint8Array | string): Ders | undefined {
  const all = readOr(checklist, "chain-malformed", "PCK chain: canonical PEM", () =>
    parsePemChain(pem),
  );
  if (all === undefined) return undefined;
  const [leaf, ca, root] = all;
  checklist.note(
    all.length === PCK_CHAIN.length,
    "chain-length",
    "PCK chain: PCK certificate, PCK CA, Intel root",
    `${all.length} certificates`,
    PCK_CHAIN.length,
  );
  if (all.length !== PCK_CHAIN.length || !leaf || !ca || !root) return undefined;
  const isKnown = ({ pckCa, root: trusted }: KnownAuthority): boolean =>
    pckCa !== undefined &&
    trusted !== undefined &&
    equalBytes(ca, pckCa.der) &&
    equalBytes(root, trusted.der);
  return { all, leaf, isKnown };
}

type LeafAndCa = { readonly leaf: Certificate; readonly ca: Certificate };

/** CA and root were checked with the endorsements; what is left is the platform's own certificate. */
function checkLeaf(
  checklist: Checklist,
  der: Uint8Array,
  { pckCa, pckCaKey }: KnownAuthority,
  nowMs: UnixMs,
): LeafAndCa | undefined {
  const leaf = readCertificate(checklist, der);
  const [profile] = PCK_CHAIN;
  if (leaf === undefined || profile === undefined || pckCa === undefined) return undefined;
  checkProfile(checklist, leaf, profile, 0);
  const validity = { fromMs: leaf.notBeforeMs, toMs: leaf.notAfterMs };
  checkDates(checklist, profile.part, profile.title, validity, nowMs);
  checklist.note(
    equalBytes(leaf.issuer, pckCa.subject),
    "pck-issuer-mismatch",
    "PCK certificate: names its issuer, PCK CA",
    "another issuer",
    pckCa.commonName ?? "the issuer's subject",
  );
  checklist.note(
    verifySignature(leaf, pckCaKey ?? pckCa.publicKeyDer),
    "pck-signature-invalid",
    "PCK certificate: signed by PCK CA",
    "a signature that does not verify",
    "a signature by PCK CA",
  );
  return { leaf, ca: pckCa };
}

/** A chain of its own: it must end at the same root, and its CA must be the one whose revocations are known. */
function checkWhole(
  checklist: Checklist,
  ders: readonly Uint8Array[],
  { root: trusted, pckCa, rootCrl }: KnownAuthority,
  nowMs: UnixMs,
): LeafAndCa | undefined {
  const chain = ders.map((der) => readCertificate(checklist, der));
  const [leaf, ca, root] = chain;
  if (leaf === undefined || ca === undefined || root === undefined) return undefined;
  checkChain(checklist, [leaf, ca, root], PCK_CHAIN, nowMs);
  if (trusted !== undefined) {
    checklist.note(
      equalBytes(root.der, trusted.der),
      "root-not-trusted",
      "PCK chain: ends at the root of the endorsements",
      "another root",
      "the same certificate, byte for byte",
    );
  }
  if (pckCa !== undefined) {
    const isSame =
      equalBytes(ca.subject, pckCa.subject) && equalBytes(ca.publicKeyDer, pckCa.publicKeyDer);
    checklist.note(
      isSame,
      "pck-ca-differs",
      "PCK chain: issued by the CA whose revocation list is at hand",
      ca.commonName ?? "a CA without a name",
      pckCa.commonName ?? "another key",
    );
  }
  const caProfile = PCK_CHAIN[1];
  if (rootCrl !== undefined && caProfile !== undefined) {
    checkNotRevoked(checklist, ca, caProfile, rootCrl);
  }
  return { leaf, ca };
}

const readCertificate = (checklist: Checklist, der: Uint8Array): Certificate | undefined =>
  readOr(checklist, "chain-malformed", "PCK chain: readable certificates", () =>
    parseCertificate(der),
  );

function keyOf(certificate: Certificate): KeyObject | undefined {
  try {
    return readPublicKey(certificate.publicKeyDer);
  } catch {
    // A point off its curve; signatures by it are then found wanting.
    return undefined;
  }
}

function readOr<T>(
  checklist: Checklist,
  code: "chain-malformed" | "pck-extension-malformed",
  claim: string,
  read: () => T,
): T | undefined {
  let value: T | undefined;
  let fault = "";
  try {
    value = read();
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    fault = error.message;
  }
  checklist.note(value !== undefined, code, claim, fault, "its one form");
  return value;
}
