/**
 * The root of everything simulated: one seed, and the certificates made under it, generated for each installation.
 * Verifiers accept it only where its certificate is configured as an anchor; its names say that it is nobody's.
 */
import type { UnixMs } from "../../../../base/ids.ts";
import type { Randomness } from "../../../../base/randomness.ts";
import { Secret } from "../../../../base/secret.ts";
import type { SnpProduct } from "../../../evidence/snp-tcb.ts";
import { type DcapCertificates, issueAuthority } from "../authorities/dcap-authority.ts";
import {
  createSnpAuthority,
  generateSnpKeys,
  type SnpAuthorityMaterial,
} from "../authorities/snp-authority.ts";

/** Whoever has it can make any evidence for the installation, so it stays there. */
export type DevelopmentRoot = {
  /** 32 bytes, from which every elliptic curve key of the root follows. */
  readonly seed: Secret<Uint8Array>;
  /** Certificates begin a day before; those of platforms end seven years after. */
  readonly createdAtMs: UnixMs;
  /** `dcap.root` is the anchor of SGX and TDX identities. */
  readonly dcap: DcapCertificates;
  /** What SEV-SNP needs; the first call for a product makes RSA keys. `certificates.ark` is the anchor. */
  readonly snp: (product: SnpProduct) => Promise<SnpAuthorityMaterial>;
};

const SEED_BYTES = 32;

/** A new root, in memory only. */
export function createDevelopmentRoot(given: {
  readonly randomness: Randomness;
  readonly nowMs: UnixMs;
}): DevelopmentRoot {
  const seed = new Secret(given.randomness.bytes(SEED_BYTES));
  const createdAtMs = given.nowMs;
  return restoreDevelopmentRoot(
    { seed, createdAtMs, dcap: issueDcapCertificates(seed, createdAtMs) },
    async (product) => createSnpAuthority(await generateSnpKeys(), product, createdAtMs),
  );
}

/** A root again, from what was kept of it. @param loadSnp  called once for a product, again if it failed */
export function restoreDevelopmentRoot(
  kept: Omit<DevelopmentRoot, "snp">,
  loadSnp: DevelopmentRoot["snp"],
): DevelopmentRoot {
  const loaded = new Map<SnpProduct, Promise<SnpAuthorityMaterial>>();
  return {
    ...kept,
    snp: (product) => {
      const material = loaded.get(product) ?? loadSnp(product);
      loaded.set(product, material);
      material.catch(() => loaded.delete(product));
      return material;
    },
  };
}

function issueDcapCertificates(seed: Secret<Uint8Array>, createdAtMs: UnixMs): DcapCertificates {
  const { root, pckCa, tcbSigning } = issueAuthority(seed, createdAtMs, "platform", {});
  const processor = issueAuthority(seed, createdAtMs, "processor", {}).pckCa;
  return {
    root: root.der,
    platform: pckCa.der,
    processor: processor.der,
    tcbSigning: tcbSigning.der,
  };
}
