/** Knobs of SEV-SNP platforms: the report, and what AMD certifies of the chip. */
import { type Knob, SNP_TEES } from "./knob.ts";

/** In the order of the checks. */
export const SNP_KNOBS: readonly Knob[] = [
  {
    name: "snp-signature-spoiled",
    about: "One bit of the report's signature is flipped.",
    tees: SNP_TEES,
    knobs: { snp: { signature: "spoiled" } },
    answer: { by: "verifier", code: "snp-signature-invalid" },
  },
  {
    name: "snp-signature-padding",
    about: "The bytes after the signature, which nothing signs, are not zero.",
    tees: SNP_TEES,
    knobs: { snp: { signaturePadding: 1 } },
    answer: { by: "verifier", code: "snp-signature-padding" },
  },
  {
    name: "snp-signature-algorithm",
    about: "The report says that it is signed in a way that nobody knows.",
    tees: SNP_TEES,
    knobs: { snp: { signatureAlgorithm: 2 } },
    answer: { by: "verifier", code: "snp-signature-algorithm-unknown" },
  },
  {
    name: "snp-signing-key-other",
    about: "The report says that the other kind of key signed it.",
    tees: SNP_TEES,
    knobs: { snp: { signingKey: "other" } },
    answer: { by: "verifier", code: "snp-signing-key-mismatch" },
  },
  {
    name: "snp-tcb-other",
    about: "The report's microcode is newer than what the key was made for.",
    tees: SNP_TEES,
    knobs: { snp: { reportedTcb: "other" } },
    answer: { by: "verifier", code: "snp-tcb-mismatch" },
  },
  {
    name: "snp-chip-other",
    about: "The report names another chip than the certificate.",
    tees: SNP_TEES,
    knobs: { snp: { chipId: "other" } },
    answer: { by: "verifier", code: "snp-chip-id-mismatch" },
  },
  {
    name: "snp-chip-masked",
    about: "The host withholds the chip's id.",
    tees: SNP_TEES,
    knobs: { snp: { chipId: "masked" } },
    answer: { by: "nobody" },
  },
  {
    name: "snp-product-other",
    about: "The certificate is for another product than its root and the report's processor.",
    tees: SNP_TEES,
    knobs: { snp: { certifiedProduct: "other" } },
    answer: { by: "verifier", code: "snp-product-mismatch" },
  },
  {
    name: "snp-root-unknown",
    about: "The ARK is the root of no product.",
    tees: SNP_TEES,
    knobs: { faults: { certificates: { ark: "wrong-name" } } },
    answer: { by: "verifier", code: "snp-product-unknown" },
  },
  {
    name: "snp-vlek",
    about: "The report is signed by a cloud's key, which names no chip.",
    tees: SNP_TEES,
    snp: { signingKey: "vlek" },
    knobs: {},
    answer: { by: "nobody" },
  },
  {
    name: "snp-migration-agent",
    about: "The guest's policy lets another guest carry it to another machine.",
    tees: SNP_TEES,
    knobs: { snp: { hasMigrationAgent: true } },
    answer: { by: "default-policy", code: "migration-agent" },
  },
];
