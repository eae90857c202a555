/** The PCK certificate of a simulated platform and what stands above it; forgeries of both. */
import { toHex } from "../../../base/bytes.ts";
import type { CertificateExtension } from "../../../base/certificate-writer.ts";
import { nullValue, sequence } from "../../../base/der-writer.ts";
import type { UnixMs } from "../../../base/ids.ts";
import type { Secret } from "../../../base/secret.ts";
import { DCAP_LEAF_YEARS, type DcapAuthority } from "./authorities/dcap-authority.ts";
import { deriveKey } from "./authorities/derived-key.ts";
import { type Certified, type Holder, holderOf, WRONG_COMMON_NAME } from "./authorities/holder.ts";
import {
  issueCertificate,
  leafExtensions,
  validForYears,
} from "./authorities/issue-certificate.ts";
import { sgxExtension } from "./formats/sgx-extension-writer.ts";
import type { SimulatorKnobs } from "./knobs/simulator-knobs.ts";
import type { DcapSettings } from "./platform-settings.ts";

/** Who certified the platform, or pretends to. */
export type PckChain = {
  /** The first of the chain: its key signs the quoting enclave's report. */
  readonly signer: Certified;
  /** The platform's own; the same as the signer unless the chain is forged. */
  readonly pck: Certified;
  /** DER, in the order of the quote. */
  readonly certificates: readonly Uint8Array[];
};

const COMMON_NAME = "Intel SGX PCK Certificate";
/** Better than every level of every document. */
const HIGHEST_SVN = 255;

/** Issues the chain under an authority. */
export function issuePckChain(given: {
  readonly seed: Secret<Uint8Array>;
  readonly createdAtMs: UnixMs;
  readonly authority: DcapAuthority;
  readonly settings: DcapSettings;
  readonly knobs: SimulatorKnobs;
}): PckChain {
  const { seed, authority, settings, knobs } = given;
  const { root, pckCa, tcbSigning } = authority;
  const fault = knobs.faults.certificates.pck;
  const commonName = fault === "wrong-name" ? WRONG_COMMON_NAME : COMMON_NAME;
  const machine = toHex(settings.ppid);
  const issue = (holder: Holder, issuer: Holder, extension: CertificateExtension): Certified => {
    const extensions = [...leafExtensions(holder, issuer), extension];
    const plan = {
      holder,
      issuer,
      extensions,
      ...validForYears(given.createdAtMs, DCAP_LEAF_YEARS),
    };
    return { ...holder, der: issueCertificate(plan, fault) };
  };
  const keyed = (name: string): Holder =>
    holderOf("Intel", commonName, deriveKey(seed, "P-256", `${name}/${machine}`), "ecdsa-sha256");
  const pck = issue(keyed("pck"), pckCa, platformExtension(settings, knobs));
  const forged = (issuer: Holder) => issue(keyed("forged-pck"), issuer, bestExtension(settings));
  const chain = (signer: Certified, ...above: readonly Certified[]): PckChain => ({
    signer,
    pck,
    certificates: [signer, ...above].map(({ der }) => der),
  });
  switch (knobs.chain.pck) {
    case "honest":
      return chain(pck, pckCa, root);
    case "issued-by-pck":
      return chain(forged(pck), pck, pckCa, root);
    case "pck-as-ca":
      return chain(forged(pck), pck, root);
    case "tcb-signer-as-ca":
      return chain(forged(tcbSigning), tcbSigning, root);
  }
}

function platformExtension(settings: DcapSettings, knobs: SimulatorKnobs): CertificateExtension {
  const extension = sgxExtension(extensionFields(settings));
  return knobs.tcb.pckExtension === "right"
    ? extension
    : { ...extension, value: sequence(nullValue()) };
}

const bestExtension = (settings: DcapSettings): CertificateExtension =>
  sgxExtension({
    ...extensionFields(settings),
    components: settings.components.map(() => HIGHEST_SVN),
    pceSvn: HIGHEST_SVN,
  });

const extensionFields = (settings: DcapSettings) => ({
  ...settings,
  cpuSvn: cpuSvnOf(settings),
  ...(settings.pckCa === "platform" && {
    instance: {
      id: settings.platformInstanceId,
      dynamicPlatform: settings.dynamicPlatform,
      cachedKeys: settings.cachedKeys,
      smtEnabled: settings.smtEnabled,
    },
  }),
});

/** CPUSVN is opaque: what it stands for is said by the components, which are used for it here. */
export const cpuSvnOf = ({ components }: DcapSettings): Uint8Array => Uint8Array.from(components);
