/** Every reason why evidence is not genuine. Registered with remedies in docs/errors.md. */

/** Certificates of a chain by the part they play. */
export const CERTIFICATE_PARTS = [
  "root",
  "pck-ca",
  "pck",
  "tcb-signing",
  "ark",
  "ask",
  "vcek",
] as const;
/** One of these parts. */
export type CertificatePart = (typeof CERTIFICATE_PARTS)[number];

/** What can be wrong with any of them. */
export const CERTIFICATE_FAULTS = [
  "not-yet-valid",
  "expired",
  "revoked",
  "signature-invalid",
  "issuer-mismatch",
  "not-a-ca",
  "is-a-ca",
  "wrong-name",
  "wrong-profile",
] as const;
/** One of these faults. */
export type CertificateFault = (typeof CERTIFICATE_FAULTS)[number];

/** What has dates besides certificates. */
export const DATED_OBJECTS = ["root-crl", "pck-crl", "ark-crl", "tcb-info", "qe-identity"] as const;
/** One of these objects. */
export type DatedObject = (typeof DATED_OBJECTS)[number];

/** What can be wrong with any of them; "wrong-tee" is for documents only. */
export const DATED_OBJECT_FAULTS = [
  "malformed",
  "not-yet-valid",
  "expired",
  "signature-invalid",
  "issuer-mismatch",
  "rolled-back",
  "wrong-tee",
] as const;
/** One of these faults. */
export type DatedObjectFault = (typeof DATED_OBJECT_FAULTS)[number];

/** What is wrong with something that has no part or date: evidence, and how things fit together. */
export const OTHER_CODES = [
  "root-not-trusted",
  "chain-length",
  "chain-malformed",
  "pck-chain-missing",
  "collateral-missing",
  "pck-extension-malformed",
  "pck-ca-differs",
  "pck-differs-from-quote",
  "qe-vendor-unknown",
  "qe-report-signature-invalid",
  "qe-report-data-mismatch",
  "qe-debug",
  "qe-mrsigner-mismatch",
  "qe-prodid-mismatch",
  "qe-attributes-mismatch",
  "qe-miscselect-mismatch",
  "qe-tcb-level-not-found",
  "attestation-key-invalid",
  "quote-signature-invalid",
  "fmspc-mismatch",
  "pceid-mismatch",
  "tcb-level-not-found",
  "tdx-module-unknown",
  "tdx-module-mrsigner-mismatch",
  "tdx-module-attributes-mismatch",
  "tdx-module-tcb-level-not-found",
  "snp-product-unknown",
  "snp-signature-invalid",
  "snp-signature-algorithm-unknown",
  "snp-signature-padding",
  "snp-signing-key-mismatch",
  "snp-tcb-mismatch",
  "snp-chip-id-mismatch",
  "snp-product-mismatch",
  "self-signature-invalid",
  "critical-extension-unknown",
  "no-evidence",
  "several-evidences",
  "public-key-not-bound",
  "report-data-mismatch",
  "nonce-mismatch",
] as const;

/** Closed; the pairs of part and fault that cannot occur are listed with their reasons in knobs.test.ts. */
export type VerificationCode =
  | `${CertificatePart}-${CertificateFault}`
  | `${DatedObject}-${DatedObjectFault}`
  | (typeof OTHER_CODES)[number];
