/** Root, PCK CA and TCB signer of a development root: Intel's structure and common names under keys of our own. */
import type { UnixMs } from "../../../../base/ids.ts";
import type { Secret } from "../../../../base/secret.ts";
import { deriveKey } from "./derived-key.ts";
import { type Certified, type Holder, holderOf, WRONG_COMMON_NAME } from "./holder.ts";
import {
  authorityExtensions,
  type CertificateKnob,
  type CertificateKnobs,
  issueCertificate,
  leafExtensions,
  validForYears,
} from "./issue-certificate.ts";

/** PCK certificates are issued by one of two authorities: of platforms with several packages, or of single processors. */
export type PckCa = "platform" | "processor";

/** Everybody who signs for an SGX or TDX platform but its own keys. */
export type DcapAuthority = {
  readonly root: Certified;
  readonly pckCa: Certified;
  readonly tcbSigning: Certified;
};

/** Certificates of an installation, DER; made once, because a root is trusted byte for byte. */
export type DcapCertificates = Readonly<
  Record<"root" | "platform" | "processor" | "tcbSigning", Uint8Array>
>;

const ROOT_YEARS = 30;
/** As Intel's. */
const PCK_CA_YEARS = 15;
/** Of PCK and TCB signing certificates, as Intel's. */
export const DCAP_LEAF_YEARS = 7;

const COMMON_NAMES = {
  root: "Intel SGX Root CA",
  platform: "Intel SGX PCK Platform CA",
  processor: "Intel SGX PCK Processor CA",
  tcbSigning: "Intel SGX TCB Signing",
} as const;
/** Holder of one of the names, under a seed. */
function holder(
  seed: Secret<Uint8Array>,
  name: keyof typeof COMMON_NAMES,
  knob?: CertificateKnob,
): Holder {
  const commonName = knob === "wrong-name" ? WRONG_COMMON_NAME : COMMON_NAMES[name];
  return holderOf("Intel", commonName, deriveKey(seed, "P-256", `dcap/${name}`), "ecdsa-sha256");
}

/** The authority of an installation as it is, with the certificates that were made for it. */
export function honestAuthority(
  seed: Secret<Uint8Array>,
  pckCa: PckCa,
  certificates: DcapCertificates,
): DcapAuthority {
  return {
    root: { ...holder(seed, "root"), der: certificates.root },
    pckCa: { ...holder(seed, pckCa), der: certificates[pckCa] },
    tcbSigning: { ...holder(seed, "tcbSigning"), der: certificates.tcbSigning },
  };
}

/** Issues an authority anew: for a new installation, or with faults. Whatever is below a fault is issued to fit it. */
export function issueAuthority(
  seed: Secret<Uint8Array>,
  createdAtMs: UnixMs,
  pckCa: PckCa,
  knobs: CertificateKnobs,
): DcapAuthority {
  const root = holder(seed, "root", knobs.root);
  const ca = holder(seed, pckCa, knobs["pck-ca"]);
  const signer = holder(seed, "tcbSigning", knobs["tcb-signing"]);
  const plans = {
    root: {
      holder: root,
      issuer: root,
      ...validForYears(createdAtMs, ROOT_YEARS),
      extensions: authorityExtensions(root, root, 1),
    },
    pckCa: {
      holder: ca,
      issuer: root,
      ...validForYears(createdAtMs, PCK_CA_YEARS),
      extensions: authorityExtensions(ca, root, 0),
    },
    tcbSigning: {
      holder: signer,
      issuer: root,
      ...validForYears(createdAtMs, DCAP_LEAF_YEARS),
      extensions: leafExtensions(signer, root),
    },
  };
  return {
    root: { ...root, der: issueCertificate(plans.root, knobs.root) },
    pckCa: { ...ca, der: issueCertificate(plans.pckCa, knobs["pck-ca"]) },
    tcbSigning: { ...signer, der: issueCertificate(plans.tcbSigning, knobs["tcb-signing"]) },
  };
}
