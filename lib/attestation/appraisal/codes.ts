/** Every reason why genuine evidence is not accepted, or accepted with a warning. Registered in docs/errors.md. */

/** Why an identity does not hold. */
export type AppraisalCode =
  // of the evidence, whatever was wanted
  | "no-identity-accepted"
  | "claims-expired"
  | "report-data-mismatch"
  // of every identity
  | "wrong-tee"
  | "wrong-anchor"
  | "platform-not-listed"
  | HazardCode
  // SGX
  | "mrenclave-mismatch"
  | "mrsigner-mismatch"
  | "isvprodid-mismatch"
  | "isvsvn-too-low"
  | "attributes-mismatch"
  | "miscselect-mismatch"
  | "configid-mismatch"
  | "configsvn-too-low"
  | "isvextprodid-mismatch"
  | "isvfamilyid-mismatch"
  // TDX
  | "mrtd-mismatch"
  | "rtmr-mismatch"
  | "mrconfigid-mismatch"
  | "mrowner-mismatch"
  | "mrownerconfig-mismatch"
  | "mrseam-mismatch"
  | "mrsignerseam-mismatch"
  | "mrservicetd-mismatch"
  | "td-attributes-mismatch"
  | "xfam-mismatch"
  // TCB of SGX and TDX
  | "tcb-status-not-accepted"
  | "tcb-grace-over"
  | "advisory-refused"
  | "advisory-not-allowed"
  | "advisories-unknown"
  | "evaluation-number-too-low"
  // SEV-SNP
  | "measurement-mismatch"
  | "host-data-mismatch"
  | "id-key-digest-mismatch"
  | "author-key-digest-mismatch"
  | "family-id-mismatch"
  | "image-id-mismatch"
  | "guest-svn-too-low"
  | "guest-policy-mismatch"
  | "platform-info-mismatch"
  | "vmpl-not-listed"
  | "signing-key-not-listed"
  | "revocation-not-checked"
  | "reported-tcb-too-low"
  | "committed-tcb-too-low"
  | "launch-tcb-too-low";

/** Attribute bits that undo what an enclave promises. */
export type HazardCode = "debug-enclave" | "provision-key" | "einittoken-key" | "migration-agent";

/** What the default policy refuses, besides hazards. */
export type DefaultRefusalCode =
  | HazardCode
  | "service-td-bound"
  | "report-by-host"
  | "unexpected-claim";

/** What is accepted and still worth a look. */
export type WarningCode =
  | "tcb-not-up-to-date"
  | "tcb-in-grace"
  | "sept-ve-enabled"
  | "vmpl-not-zero"
  | "revocation-unknown"
  | "advisories-not-listed";
