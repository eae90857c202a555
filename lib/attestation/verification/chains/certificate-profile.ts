/** What each certificate of a vendor's chain must look like. Roles come from here, never from where a key happens to be. */

import type { KeyUsage } from "../../endorsements/extensions.ts";
import type { PublicKeyKind } from "../../endorsements/public-key.ts";
import type { SignatureAlgorithm } from "../../endorsements/signature-algorithm.ts";
import type { SnpProduct } from "../../evidence/snp-tcb.ts";
import type { CertificatePart } from "../codes.ts";

/** What a certificate must be to play its part. */
export type CertificateProfile = {
  readonly part: CertificatePart;
  /** For people: "PCK CA". */
  readonly title: string;
  /** The subject's common name must be one of these. */
  readonly commonNames: readonly string[];
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly publicKeyKind: PublicKeyKind;
  /** Whether it issues the certificate before it; if not, it must not be an authority. */
  readonly isAuthority: boolean;
  /** Uses that must be permitted; empty for vendors that leave keyUsage out. */
  readonly keyUsage: readonly KeyUsage[];
};

/** Profiles in the order of a chain: end certificate first, root last. */
export type ChainProfile = readonly CertificateProfile[];

const intel = { signatureAlgorithm: "ecdsa-sha256", publicKeyKind: "ec-p256" } as const;

const INTEL_ROOT: CertificateProfile = {
  part: "root",
  title: "Intel root",
  commonNames: ["Intel SGX Root CA"],
  isAuthority: true,
  keyUsage: ["keyCertSign", "cRLSign"],
  ...intel,
};

const PCK_CA: CertificateProfile = {
  part: "pck-ca",
  title: "PCK CA",
  commonNames: ["Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"],
  isAuthority: true,
  keyUsage: ["keyCertSign", "cRLSign"],
  ...intel,
};

const PCK: CertificateProfile = {
  part: "pck",
  title: "PCK certificate",
  commonNames: ["Intel SGX PCK Certificate"],
  isAuthority: false,
  keyUsage: ["digitalSignature"],
  ...intel,
};

const TCB_SIGNING: CertificateProfile = {
  part: "tcb-signing",
  title: "TCB signing certificate",
  commonNames: ["Intel SGX TCB Signing"],
  isAuthority: false,
  keyUsage: ["digitalSignature"],
  ...intel,
};

/** [PCK, PCK CA, root]: who made the attestation key of a quote (Intel, "SGX PCK Certificate and CRL Profile"). */
export const PCK_CHAIN = [PCK, PCK_CA, INTEL_ROOT] as const satisfies ChainProfile;
/** [PCK CA, root]: who issues the PCK revocation list. */
export const PCK_CRL_CHAIN = [PCK_CA, INTEL_ROOT] as const satisfies ChainProfile;
/** [TCB signing, root]: who signs TCB info and QE identity. */
export const TCB_SIGNING_CHAIN = [TCB_SIGNING, INTEL_ROOT] as const satisfies ChainProfile;

const amdAuthority = {
  signatureAlgorithm: "rsa-pss-sha384",
  publicKeyKind: "rsa",
  isAuthority: true,
} as const;

/** [VCEK, ASK, ARK] or [VLEK, ASVK, ARK] of one product line (AMD 57230, "VCEK certificate and KDS interface"). */
export const snpChain = (product: SnpProduct, signingKey: "vcek" | "vlek"): ChainProfile => [
  {
    part: "vcek",
    title: signingKey === "vcek" ? "VCEK" : "VLEK",
    commonNames: [signingKey === "vcek" ? "SEV-VCEK" : "SEV-VLEK"],
    signatureAlgorithm: "rsa-pss-sha384",
    publicKeyKind: "ec-p384",
    isAuthority: false,
    keyUsage: [],
  },
  {
    part: "ask",
    title: signingKey === "vcek" ? "ASK" : "ASVK",
    commonNames: [signingKey === "vcek" ? `SEV-${product}` : `SEV-VLEK-${product}`],
    keyUsage: ["keyCertSign"],
    ...amdAuthority,
  },
  {
    part: "ark",
    title: "ARK",
    commonNames: [`ARK-${product}`],
    keyUsage: ["keyCertSign"],
    ...amdAuthority,
  },
];
