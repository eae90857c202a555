/** Who vouches for DCAP endorsements: three chains of two certificates, under one root that is trusted. */
import { equalBytes } from "../../base/bytes.ts";
import type { UnixMs } from "../../base/ids.ts";
import type { Crl } from "../endorsements/crl.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import { type KeyedCertificate, withPublicKey } from "../endorsements/keyed-certificate.ts";
import { checkChain, checkIssued, readChain } from "./chains/certificate-chain.ts";
import {
  type CertificateProfile,
  PCK_CRL_CHAIN,
  TCB_SIGNING_CHAIN,
} from "./chains/certificate-profile.ts";
import { checkNotRevoked } from "./chains/check-revocation.ts";
import { noteRoot } from "./chains/note-root.ts";
import type { Checklist } from "./checklist.ts";

/** A certificate and the part it plays. */
export type PlayedPart = {
  readonly certificate: KeyedCertificate;
  readonly profile: CertificateProfile;
};

/** Certificates as far as they could be read, whether or not they hold. */
export type CollateralChains = {
  /** Of the first chain that was read. */
  readonly root: KeyedCertificate | undefined;
  readonly pckCa: KeyedCertificate | undefined;
  readonly tcbInfoSigner: KeyedCertificate | undefined;
  readonly qeIdentitySigner: KeyedCertificate | undefined;
  /** Each once. */
  readonly all: readonly PlayedPart[];
};

/**
 * Checks the three chains, and that no certificate in them is revoked.
 *
 * @param rootCrl  undefined if it could not be read
 * @param anchors  roots that are trusted, DER
 */
export function checkCollateralChains(
  checklist: Checklist,
  given: DcapCollateral,
  rootCrl: Crl | undefined,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): CollateralChains {
  const { pckCrlIssuerChain, tcbInfoIssuerChain, qeIdentityIssuerChain } = given;
  const all: PlayedPart[] = [];
  /** Checks one chain. @returns its end certificate */
  const check = (
    pem: string,
    profile: typeof PCK_CRL_CHAIN | typeof TCB_SIGNING_CHAIN,
    title: string,
  ): KeyedCertificate | undefined => {
    const [endRead, rootRead] = readChain(checklist, pem, profile, title) ?? [];
    if (endRead === undefined || rootRead === undefined) return undefined;
    const [endProfile, rootProfile] = profile;
    const known = all.find((each) => each.profile === rootProfile)?.certificate;
    const claim = `${title}: ends at a root that is trusted`;
    noteRoot(checklist, claim, rootRead, anchors, known);
    const end = withPublicKey(endRead);
    if (known !== undefined && equalBytes(known.der, rootRead.der)) {
      checkIssued(checklist, end, endProfile, known, rootProfile.title, nowMs);
    } else {
      const root = withPublicKey(rootRead);
      checkChain(checklist, [end, root], profile, nowMs);
      all.push({ certificate: root, profile: rootProfile });
    }
    all.push({ certificate: end, profile: endProfile });
    if (rootCrl !== undefined) checkNotRevoked(checklist, end, endProfile, rootCrl);
    return end;
  };
  // Its CA is an authority, so that this chain asks more of the root than the others do: it comes first.
  const pckCa = check(pckCrlIssuerChain, PCK_CRL_CHAIN, "PCK CRL chain");
  const tcbInfoSigner = check(tcbInfoIssuerChain, TCB_SIGNING_CHAIN, "TCB info chain");
  // Intel serves the same text with both documents, as a rule.
  const qeIdentitySigner =
    qeIdentityIssuerChain === tcbInfoIssuerChain
      ? tcbInfoSigner
      : check(qeIdentityIssuerChain, TCB_SIGNING_CHAIN, "QE identity chain");
  const [root] = all.filter(({ profile }) => profile.part === "root");
  return { root: root?.certificate, pckCa, tcbInfoSigner, qeIdentitySigner, all };
}
