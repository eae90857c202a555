/** Dates of everything that vouches for a platform: what ends first is what to renew. Nothing is verified here. */
import type {
  CollateralBundle,
  SnpAuthorityEntry,
  VcekEntry,
} from "../../lib/attestation/collateral/bundle.ts";
import type { CollateralFile } from "../../lib/attestation/collateral/bundle-file.ts";
import {
  nameOfAuthority,
  nameOfChip,
  nameOfDcap,
} from "../../lib/attestation/collateral/collateral-source.ts";
import { platformOf } from "../../lib/attestation/collateral/quote-collateral.ts";
import { parsePemChain } from "../../lib/attestation/encoding/pem.ts";
import {
  type Certificate,
  parseCertificate,
} from "../../lib/attestation/endorsements/certificate.ts";
import { parseCrl } from "../../lib/attestation/endorsements/crl.ts";
import type { DcapCollateral } from "../../lib/attestation/endorsements/dcap-collateral.ts";
import { parseQeIdentity } from "../../lib/attestation/endorsements/qe-identity.ts";
import { parseTcbInfo } from "../../lib/attestation/endorsements/tcb-info.ts";
import type { UnixMs } from "../../lib/base/ids.ts";
import { printable } from "../../lib/base/refusal.ts";

/** Something that a vendor signed, and from when until when it counts. */
export type DatedObject = {
  /** "TCB info", or the common name of a certificate. */
  readonly object: string;
  readonly fromMs: UnixMs;
  readonly untilMs: UnixMs;
  /** What rises with each issue: evaluation number, CRL number. */
  readonly number?: string;
};

/** Endorsements of one platform, or of all chips of a product. */
export type DatedSet = { readonly of: string; readonly objects: readonly DatedObject[] };

/** @throws EvidenceError for an object that cannot be read */
export const datesOf = (file: CollateralFile): DatedSet[] =>
  file.kind === "set" ? [dcapDates(file.collateral)] : bundleDates(file.bundle);

const bundleDates = ({ dcap, vceks, snpAuthorities }: CollateralBundle): DatedSet[] => [
  ...dcap.map(({ key, collateral }) => ({ ...dcapDates(collateral), of: nameOfDcap(key) })),
  ...vceks.map(vcekDates),
  ...snpAuthorities.map(authorityDates),
];

function dcapDates(set: DcapCollateral): DatedSet {
  const tcbInfo = parseTcbInfo(set.tcbInfo);
  const qeIdentity = parseQeIdentity(set.qeIdentity);
  return {
    of: nameOfDcap(platformOf(set)),
    objects: [
      documentDates("TCB info", tcbInfo),
      documentDates("QE identity", qeIdentity),
      crlDates("revocations by the root", set.rootCaCrl),
      crlDates("revocations by the PCK CA", set.pckCrl),
      ...chainDates(set),
    ],
  };
}

/** Each certificate once: the root stands in every chain. */
function chainDates(set: DcapCollateral): DatedObject[] {
  const chains = [
    set.pckCertificateChain,
    set.pckCrlIssuerChain,
    set.tcbInfoIssuerChain,
    set.qeIdentityIssuerChain,
  ];
  const certificates = chains.flatMap((pem) => (pem === undefined ? [] : parsePemChain(pem)));
  const distinct = new Map(certificates.map((der) => [Buffer.from(der).toString("hex"), der]));
  return [...distinct.values()].map((der) => certificateDates(parseCertificate(der)));
}

const vcekDates = ({ key, certificate }: VcekEntry): DatedSet => ({
  of: nameOfChip(key),
  objects: [certificateDates(parseCertificate(certificate))],
});

const authorityDates = ({ key, authority: { chain, crl } }: SnpAuthorityEntry): DatedSet => ({
  of: nameOfAuthority(key),
  objects: [
    ...chain.map((der) => certificateDates(parseCertificate(der))),
    ...(crl === undefined ? [] : [crlDates("revocations by the ARK", crl)]),
  ],
});

const documentDates = (
  object: string,
  document: { issueDateMs: UnixMs; nextUpdateMs: UnixMs; evaluationDataNumber: number },
): DatedObject => ({
  object,
  fromMs: document.issueDateMs,
  untilMs: document.nextUpdateMs,
  number: String(document.evaluationDataNumber),
});

function crlDates(object: string, der: Uint8Array): DatedObject {
  const { thisUpdateMs, nextUpdateMs, crlNumber } = parseCrl(der);
  return { object, fromMs: thisUpdateMs, untilMs: nextUpdateMs, number: String(crlNumber) };
}

const certificateDates = ({ commonName, notBeforeMs, notAfterMs }: Certificate): DatedObject => ({
  object: printable(commonName ?? "a certificate without a name"),
  fromMs: notBeforeMs,
  untilMs: notAfterMs,
});
