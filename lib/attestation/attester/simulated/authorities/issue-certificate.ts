/** Issues the certificates of simulated chains, each as its vendor would or with one fault. */
import {
  authorityKeyId,
  basicConstraints,
  crlDistributionPoint,
  keyUsage,
  subjectKeyId,
} from "../../../../base/certificate-extensions.ts";
import {
  type CertificateExtension,
  writeCertificate,
} from "../../../../base/certificate-writer.ts";
import { octetString } from "../../../../base/der-writer.ts";
import type { UnixMs } from "../../../../base/ids.ts";
import type { CertificateFault, CertificatePart } from "../../../verification/codes.ts";
import { developmentName, type Holder } from "./holder.ts";

/** What a certificate may be made with: a fault of the verifier's list, or an authority that may sign lists only. */
export type CertificateKnob = CertificateFault | "no-cert-sign";

/** What is wrong with certificates, by their part in a chain; the others are as they should be. */
export type CertificateKnobs = Readonly<Partial<Record<CertificatePart, CertificateKnob>>>;

/** A certificate before any fault. */
export type CertificatePlan = {
  readonly holder: Holder;
  /** The holder itself for a root. */
  readonly issuer: Holder;
  readonly notBeforeMs: UnixMs;
  readonly notAfterMs: UnixMs;
  readonly extensions: readonly CertificateExtension[];
};

const DAY_MS = 24 * 60 * 60 * 1000;
const YEAR_MS = 365 * DAY_MS;
/** Names end in ".invalid" (RFC 2606 §2): nothing is ever fetched from there. */
const CRL_URI = "https://development-root.invalid/crl";
/** A UUID arc of our own that no verifier understands. */
const UNKNOWN_EXTENSION = "2.25.264381743829743412953281473957138450912";

/**
 * The faults that change what is written. Those that do not: "revoked" is for the issuer's list to say,
 * "wrong-name" goes with the holder, and "signature-invalid" comes after.
 */
const FAULTS: Partial<
  Record<CertificateKnob, (plan: CertificatePlan) => Partial<CertificatePlan>>
> = {
  expired: ({ notBeforeMs }) => validFrom(notBeforeMs - 2 * YEAR_MS, YEAR_MS),
  "not-yet-valid": ({ notAfterMs }) => validFrom(notAfterMs + DAY_MS, YEAR_MS),
  "issuer-mismatch": ({ issuer }) => ({
    issuer: { ...issuer, name: developmentName("Intel", "Somebody Else's CA") },
  }),
  "not-a-ca": replacing(basicConstraints(undefined)),
  "is-a-ca": replacing(basicConstraints({})),
  "no-cert-sign": replacing(keyUsage("cRLSign")),
  "wrong-profile": replacing({
    oid: UNKNOWN_EXTENSION,
    critical: true,
    value: octetString(new Uint8Array(1)),
  }),
};

/** The certificate, DER, signed by the issuer of the plan. */
export function issueCertificate(plan: CertificatePlan, knob?: CertificateKnob): Uint8Array {
  const fault = knob === undefined ? undefined : FAULTS[knob];
  const made = { ...plan, ...fault?.(plan) };
  const certificate = writeCertificate(
    {
      serial: plan.holder.serial,
      issuer: made.issuer.name,
      subject: plan.holder.name,
      notBeforeMs: made.notBeforeMs,
      notAfterMs: made.notAfterMs,
      publicKeyDer: plan.holder.publicKeyDer,
      extensions: made.extensions,
    },
    made.issuer.signer,
  );
  return knob === "signature-invalid" ? spoiled(certificate) : certificate;
}

/** What Intel and AMD put on an authority. @param authoritiesBelow  undefined: any number */
export const authorityExtensions = (
  holder: Holder,
  issuer: Holder,
  authoritiesBelow: number | undefined,
): readonly CertificateExtension[] => [
  ...identifiers(holder, issuer),
  keyUsage("keyCertSign", "cRLSign"),
  basicConstraints(authoritiesBelow === undefined ? {} : { pathLength: authoritiesBelow }),
];

/** What Intel puts on a certificate that signs something else than certificates. */
export const leafExtensions = (holder: Holder, issuer: Holder): readonly CertificateExtension[] => [
  ...identifiers(holder, issuer),
  keyUsage("digitalSignature", "nonRepudiation"),
  basicConstraints(undefined),
];

/** Dates of what a root made at that time issues: a day before, so that clocks may differ, to some years after. */
export const validForYears = (
  createdAtMs: UnixMs,
  years: number,
): Pick<CertificatePlan, "notBeforeMs" | "notAfterMs"> => ({
  notBeforeMs: (createdAtMs - DAY_MS) as UnixMs,
  notAfterMs: (createdAtMs + years * YEAR_MS) as UnixMs,
});

/** The same bytes but for the last bit, which is the signature's. */
export function spoiled(signed: Uint8Array): Uint8Array {
  const last = signed.byteLength - 1;
  return signed.with(last, (signed[last] ?? 0) ^ 1);
}

const identifiers = (holder: Holder, issuer: Holder): readonly CertificateExtension[] => [
  authorityKeyId(issuer.publicKeyDer),
  crlDistributionPoint(CRL_URI),
  subjectKeyId(holder.publicKeyDer),
];

const validFrom = (fromMs: number, forMs: number): Partial<CertificatePlan> => ({
  notBeforeMs: fromMs as UnixMs,
  notAfterMs: (fromMs + forMs) as UnixMs,
});

/** Puts an extension in the place of the one of its kind. */
function replacing(
  extension: CertificateExtension,
): (plan: CertificatePlan) => Partial<CertificatePlan> {
  return ({ extensions }) => ({
    extensions: [...extensions.filter(({ oid }) => oid !== extension.oid), extension],
  });
}
