/** The VCEK or VLEK of a simulated platform: the key that signs its reports, and what AMD would certify of it. */
import type { SnpProduct } from "../../evidence/snp-tcb.ts";
import { deriveKey } from "./authorities/derived-key.ts";
import { type Certified, holderOf, WRONG_COMMON_NAME } from "./authorities/holder.ts";
import { issueCertificate, validForYears } from "./authorities/issue-certificate.ts";
import { SNP_LEAF_YEARS, type SnpAuthority } from "./authorities/snp-authority.ts";
import { snpSignerExtensions } from "./formats/vcek-extension-writer.ts";
import type { SimulatorKnobs } from "./knobs/simulator-knobs.ts";
import { chipKeyName, type SnpSettings } from "./platform-settings.ts";
import type { DevelopmentRoot } from "./root/development-root.ts";

const PRODUCT_NAMES: Readonly<Record<SnpProduct, string>> = {
  Milan: "Milan-B0",
  Genoa: "Genoa-B1",
  Turin: "Turin-C1",
};
const CLOUD_PROVIDER = "CN=development.invalid";

/** Issues the certificate of a platform's key. @param authority  the ASK for a VCEK, the ASVK for a VLEK */
export function issueSnpSigner(
  root: DevelopmentRoot,
  settings: SnpSettings,
  { faults, snp }: SimulatorKnobs,
  { ask }: SnpAuthority,
): Certified {
  const { signingKey, tcb } = settings;
  const fault = faults.certificates.vcek;
  const rightName = signingKey === "vcek" ? "SEV-VCEK" : "SEV-VLEK";
  const key = deriveKey(root.seed, "P-384", chipKeyName(settings));
  const commonName = fault === "wrong-name" ? WRONG_COMMON_NAME : rightName;
  // AMD numbers none of these certificates: all have zero.
  const holder = {
    ...holderOf("AMD", commonName, key, "ecdsa-sha384"),
    serial: Uint8Array.of(0),
  };
  const product = snp.certifiedProduct === "same" ? settings.product : otherThan(settings.product);
  const extensions = snpSignerExtensions({
    product,
    productName: signingKey === "vcek" ? PRODUCT_NAMES[product] : product,
    tcb,
    holder:
      signingKey === "vcek"
        ? { kind: "vcek", hardwareId: settings.chipId.subarray(0, product === "Turin" ? 8 : 64) }
        : { kind: "vlek", cloudProvider: CLOUD_PROVIDER },
  });
  const dates = validForYears(root.createdAtMs, SNP_LEAF_YEARS);
  return {
    ...holder,
    der: issueCertificate({ holder, issuer: ask, ...dates, extensions }, fault),
  };
}

/** A product whose chips are not these. */
const otherThan = (product: SnpProduct): SnpProduct => (product === "Milan" ? "Genoa" : "Milan");
