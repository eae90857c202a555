/** Knobs of the quoting enclave, which vouches for the key that signs quotes. */
import { DCAP_TEES, type Knob } from "./knob.ts";

/** In the order of the checks, then what is unusual but allowed. */
export const QUOTING_ENCLAVE_KNOBS: readonly Knob[] = [
  {
    name: "qe-vendor-none",
    about: "The quote names no vendor of its quoting enclave.",
    tees: DCAP_TEES,
    knobs: { qe: { vendor: "none" } },
    answer: { by: "verifier", code: "qe-vendor-unknown" },
  },
  {
    name: "qe-mrsigner-other",
    about: "The quoting enclave is signed by somebody else.",
    tees: DCAP_TEES,
    knobs: { qe: { mrSigner: "other" } },
    answer: { by: "verifier", code: "qe-mrsigner-mismatch" },
  },
  {
    name: "qe-prodid-other",
    about: "The quoting enclave is another product of its signer.",
    tees: DCAP_TEES,
    knobs: { qe: { isvProdId: "other" } },
    answer: { by: "verifier", code: "qe-prodid-mismatch" },
  },
  {
    name: "qe-svn-low",
    about: "The quoting enclave is older than every level of its identity.",
    tees: DCAP_TEES,
    knobs: { qe: { isvSvn: 1 } },
    answer: { by: "verifier", code: "qe-tcb-level-not-found" },
  },
  {
    name: "qe-debug",
    about: "The quoting enclave is a debug enclave, which the mask of its identity sees too.",
    tees: DCAP_TEES,
    knobs: { qe: { isDebug: true } },
    answer: { by: "verifier", code: "qe-debug", besides: ["qe-attributes-mismatch"] },
  },
  {
    name: "qe-attributes-other",
    about: "The quoting enclave has no access to provisioning keys.",
    tees: DCAP_TEES,
    knobs: { qe: { attributeFlags: 0x05 } },
    answer: { by: "verifier", code: "qe-attributes-mismatch" },
  },
  {
    name: "qe-miscselect-other",
    about: "The quoting enclave reports page faults, which its identity does not know.",
    tees: DCAP_TEES,
    knobs: { qe: { miscSelect: 1 } },
    answer: { by: "verifier", code: "qe-miscselect-mismatch" },
  },
  {
    name: "qe-data-half-hashed",
    about: "The quoting enclave's data has 64 bytes, of which its report covers 32.",
    tees: DCAP_TEES,
    knobs: { qe: { authenticationBytes: 64, hashedAuthenticationBytes: 32 } },
    answer: { by: "verifier", code: "qe-report-data-mismatch" },
  },
  {
    name: "qe-report-spoiled",
    about: "One bit of the PCK key's signature over the quoting enclave's report is flipped.",
    tees: DCAP_TEES,
    knobs: { qe: { reportSignature: "spoiled" } },
    answer: { by: "verifier", code: "qe-report-signature-invalid" },
  },
  {
    name: "attestation-key-off-curve",
    about: "The quoting enclave vouches for a key that is no point of P-256.",
    tees: DCAP_TEES,
    knobs: { qe: { attestationKey: "off-curve" } },
    answer: {
      by: "verifier",
      code: "attestation-key-invalid",
      besides: ["quote-signature-invalid"],
    },
  },
  {
    name: "qe-data-none",
    about: "The quoting enclave's data is empty.",
    tees: DCAP_TEES,
    knobs: { qe: { authenticationBytes: 0 } },
    answer: { by: "nobody" },
  },
  {
    name: "qe-data-long",
    about: "The quoting enclave's data has 64 bytes, all covered by its report.",
    tees: DCAP_TEES,
    knobs: { qe: { authenticationBytes: 64 } },
    answer: { by: "nobody" },
  },
];
