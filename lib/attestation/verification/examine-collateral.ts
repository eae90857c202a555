/** Looks through a set of DCAP endorsements and notes whatever is wrong with them. */
import type { UnixMs } from "../../base/ids.ts";
import { type Crl, parseCrl } from "../endorsements/crl.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import type { KeyedCertificate } from "../endorsements/keyed-certificate.ts";
import { parseQeIdentity, type QeIdentity } from "../endorsements/qe-identity.ts";
import { parseTcbInfo, type TcbInfo } from "../endorsements/tcb-info.ts";
import { datesOf } from "./chains/certificate-chain.ts";
import { type CertificateProfile, PCK_CRL_CHAIN } from "./chains/certificate-profile.ts";
import type { Validity } from "./chains/check-dates.ts";
import { type CrlObject, checkCrl } from "./chains/check-revocation.ts";
import { checkCollateralChains } from "./check-collateral-chains.ts";
import { checkSignedDocument, validityOf } from "./check-signed-document.ts";
import type { Checklist } from "./checklist.ts";
import type { CertificatePart, DatedObject } from "./codes.ts";
import { readOrNote } from "./read-or-note.ts";

/** An object of the set with its dates. */
export type DatedPart = {
  readonly object: CertificatePart | DatedObject;
  /** For people: "TCB info". */
  readonly title: string;
  readonly validity: Validity;
};

/** What could be read, whether or not it holds: so that a quote can be held against it and every reason found. */
export type CollateralParts = {
  readonly root: KeyedCertificate | undefined;
  readonly pckCa: KeyedCertificate | undefined;
  readonly rootCrl: Crl | undefined;
  readonly pckCrl: Crl | undefined;
  readonly tcbInfo: TcbInfo | undefined;
  readonly qeIdentity: QeIdentity | undefined;
  readonly dated: readonly DatedPart[];
};

const ROOT_CRL = "Intel root's CRL";
const PCK_CRL = "PCK CRL";
const TCB_INFO = "TCB info";
const QE_IDENTITY = "QE identity";

/**
 * Checks chains up to a trusted root, revocation lists and who is on them, signatures, dates, and that both documents
 * are about the same TEE.
 *
 * @param anchors  roots that are trusted, DER
 */
export function examineCollateral(
  checklist: Checklist,
  given: DcapCollateral,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): CollateralParts {
  const rootCrl = readCrl(checklist, "root-crl", ROOT_CRL, given.rootCaCrl);
  const pckCrl = readCrl(checklist, "pck-crl", PCK_CRL, given.pckCrl);
  const chains = checkCollateralChains(checklist, given, rootCrl, anchors, nowMs);
  const { root, pckCa, tcbInfoSigner, qeIdentitySigner } = chains;
  const [pckCaProfile, rootProfile] = PCK_CRL_CHAIN;
  const checkLists = (
    crl: Crl | undefined,
    object: CrlObject,
    title: string,
    issuer: KeyedCertificate | undefined,
    profile: CertificateProfile,
  ) => {
    if (crl === undefined || issuer === undefined) return;
    checkCrl(checklist, crl, object, title, issuer, profile, nowMs);
  };
  checkLists(rootCrl, "root-crl", ROOT_CRL, root, rootProfile);
  checkLists(pckCrl, "pck-crl", PCK_CRL, pckCa, pckCaProfile);
  const tcbInfo = checkSignedDocument(
    checklist,
    {
      object: "tcb-info",
      title: TCB_INFO,
      text: given.tcbInfo,
      signature: given.tcbInfoSignature,
      parse: parseTcbInfo,
    },
    tcbInfoSigner,
    nowMs,
  );
  const qeIdentity = checkSignedDocument(
    checklist,
    {
      object: "qe-identity",
      title: QE_IDENTITY,
      text: given.qeIdentity,
      signature: given.qeIdentitySignature,
      parse: parseQeIdentity,
    },
    qeIdentitySigner,
    nowMs,
  );
  noteSameTee(checklist, tcbInfo, qeIdentity);
  const parts = { root, pckCa, rootCrl, pckCrl, tcbInfo, qeIdentity };
  const certificates = chains.all.map(({ certificate, profile: { part, title } }) => ({
    object: part,
    title,
    validity: datesOf(certificate),
  }));
  return { ...parts, dated: [...certificates, ...datedObjects(parts)] };
}

const readCrl = (
  checklist: Checklist,
  object: CrlObject,
  title: string,
  der: Uint8Array,
): Crl | undefined =>
  readOrNote(checklist, `${object}-malformed`, `${title}: readable`, "its one form", () =>
    parseCrl(der),
  );

function noteSameTee(
  checklist: Checklist,
  tcbInfo: TcbInfo | undefined,
  qeIdentity: QeIdentity | undefined,
): void {
  if (tcbInfo === undefined || qeIdentity === undefined) return;
  checklist.note(
    qeIdentity.tee === tcbInfo.tee,
    "qe-identity-wrong-tee",
    "QE identity: of the TEE that TCB info is about",
    qeIdentity.tee,
    tcbInfo.tee,
  );
}

/** What has dates besides certificates. */
function datedObjects(parts: Omit<CollateralParts, "dated">): readonly DatedPart[] {
  const { rootCrl, pckCrl, tcbInfo, qeIdentity } = parts;
  const dated = (
    object: DatedObject,
    title: string,
    validity: Validity | undefined,
  ): readonly DatedPart[] => (validity === undefined ? [] : [{ object, title, validity }]);
  return [
    ...dated("root-crl", ROOT_CRL, rootCrl && crlValidity(rootCrl)),
    ...dated("pck-crl", PCK_CRL, pckCrl && crlValidity(pckCrl)),
    ...dated("tcb-info", TCB_INFO, tcbInfo && validityOf(tcbInfo)),
    ...dated("qe-identity", QE_IDENTITY, qeIdentity && validityOf(qeIdentity)),
  ];
}

const crlValidity = ({ thisUpdateMs, nextUpdateMs }: Crl): Validity => ({
  fromMs: thisUpdateMs,
  toMs: nextUpdateMs,
});
