/** Who certified the platform of a quote: its PCK, under the CA that the endorsements are about. */
import type { KeyObject } from "node:crypto";
import { equalBytes } from "../../base/bytes.ts";
import { digestOf, type UnixMs } from "../../base/ids.ts";
import type { Certificate } from "../endorsements/certificate.ts";
import { withPublicKey } from "../endorsements/keyed-certificate.ts";
import { type PckPlatform, readSgxExtension } from "../endorsements/sgx-extension.ts";
import type { Certification } from "../evidence/quote.ts";
import { checkChain, checkIssued } from "./chains/certificate-chain.ts";
import { PCK_CHAIN } from "./chains/certificate-profile.ts";
import { checkNotRevoked } from "./chains/check-revocation.ts";
import { noteRoot } from "./chains/note-root.ts";
import { checkCertificationData } from "./check-certification-data.ts";
import type { Checklist } from "./checklist.ts";
import type { CollateralParts } from "./examine-collateral.ts";
import { readOrNote } from "./read-or-note.ts";
import { type PckChainDer, readCertificates, readPckChain } from "./read-pck-chain.ts";

/** What is known of the platform, as far as it could be read. */
export type Pck = {
  readonly key: KeyObject | undefined;
  readonly platform: PckPlatform | undefined;
  readonly pckCa: "platform" | "processor";
  /** The last moment at which the chain is valid. */
  readonly expiresAtMs: UnixMs;
};

/** Endorsements as far as they are at hand, verified or not: whatever is wrong with them was noted. */
export type KnownAuthority = Partial<
  Pick<CollateralParts, "root" | "pckCa" | "rootCrl" | "pckCrl">
> & {
  /** PEM; for quotes that carry no chain. */
  readonly pckCertificateChain?: string | undefined;
};

const [PCK_PROFILE, CA_PROFILE] = PCK_CHAIN;
const PLATFORM_CA = "Intel SGX PCK Platform CA";
/** Certification data above these is certificates. */
const LAST_NAMING_TYPE = 3;

/**
 * Finds the chain of a quote and checks it.
 * @param anchors  roots that are trusted, DER; undefined where nobody said
 * @returns undefined if there is no chain of three readable certificates
 */
export function checkPckChain(
  checklist: Checklist,
  certification: Certification,
  known: KnownAuthority,
  anchors: readonly Uint8Array[] | undefined,
  nowMs: UnixMs,
): Pck | undefined {
  const authorities = [known.pckCa, known.root].flatMap((each) => (each ? [each.der] : []));
  const ders = readPckChain(checklist, certification, { ...known, authorities });
  const chain = ders && checkCertificates(checklist, ders, known, anchors, nowMs);
  const [leaf, ca] = chain ?? [];
  if (chain === undefined || leaf === undefined || ca === undefined) return undefined;
  if (known.pckCrl !== undefined) checkNotRevoked(checklist, leaf, PCK_PROFILE, known.pckCrl);
  const claim = "PCK certificate: SGX extension";
  const platform = readOrNote(checklist, "pck-extension-malformed", claim, "its one form", () =>
    readSgxExtension(leaf),
  );
  if (platform !== undefined && certification.type <= LAST_NAMING_TYPE) {
    checkCertificationData(checklist, certification, platform);
  }
  return {
    key: withPublicKey(leaf).publicKey,
    platform,
    pckCa: ca.commonName === PLATFORM_CA ? "platform" : "processor",
    expiresAtMs: Math.min(...chain.map(({ notAfterMs }) => notAfterMs)) as UnixMs,
  };
}

/** CA and root that are those of the endorsements, byte for byte, were checked with them: only the leaf is left. */
function checkCertificates(
  checklist: Checklist,
  ders: PckChainDer,
  known: KnownAuthority,
  anchors: readonly Uint8Array[] | undefined,
  nowMs: UnixMs,
): readonly Certificate[] | undefined {
  const [leafDer, caDer, rootDer] = ders;
  const { pckCa, root } = known;
  const isKnown =
    pckCa !== undefined &&
    root !== undefined &&
    equalBytes(caDer, pckCa.der) &&
    equalBytes(rootDer, root.der);
  if (!isKnown) return checkWhole(checklist, ders, known, anchors, nowMs);
  const [leaf] = readCertificates(checklist, [leafDer]) ?? [];
  if (leaf === undefined) return undefined;
  checkIssued(checklist, leaf, PCK_PROFILE, pckCa, CA_PROFILE.title, nowMs);
  return [leaf, pckCa, root];
}

/** A chain of its own: it must end at the same root, and its CA must be the one whose revocations are known. */
function checkWhole(
  checklist: Checklist,
  ders: PckChainDer,
  { root: knownRoot, pckCa: knownCa, rootCrl }: KnownAuthority,
  anchors: readonly Uint8Array[] | undefined,
  nowMs: UnixMs,
): readonly Certificate[] | undefined {
  const chain = readCertificates(checklist, ders);
  const [, ca, root] = chain ?? [];
  if (chain === undefined || ca === undefined || root === undefined) return undefined;
  checkChain(checklist, chain, PCK_CHAIN, nowMs);
  if (anchors !== undefined || knownRoot !== undefined) {
    const claim = "PCK chain: ends at a root that is trusted, and at the endorsements'";
    noteRoot(checklist, claim, root, anchors, knownRoot);
  }
  // The same CA may come with a certificate that was renewed; another's revocation list says nothing of this PCK.
  if (knownCa !== undefined) {
    checklist.note(
      equalBytes(ca.subject, knownCa.subject) && equalBytes(ca.publicKeyDer, knownCa.publicKeyDer),
      "pck-ca-differs",
      "PCK chain: issued by the CA whose revocation list is at hand",
      () => `${ca.commonName ?? "no name"}, key ${digestOf(ca.publicKeyDer)}`,
      () => `${knownCa.commonName ?? "no name"}, key ${digestOf(knownCa.publicKeyDer)}`,
    );
  }
  if (rootCrl !== undefined) checkNotRevoked(checklist, ca, CA_PROFILE, rootCrl);
  return chain;
}
