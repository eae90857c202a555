/** Port: where endorsements come from. Whatever it gives is hostile until it is verified. */
import { toHex } from "../../base/bytes.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import type { SnpEndorsements } from "../endorsements/snp-endorsements.ts";
import type { SnpProduct, SnpTcb } from "../evidence/snp-tcb.ts";

/** Names a set of DCAP endorsements. */
export type DcapPlatformKey = {
  readonly tee: "sgx" | "tdx";
  /** 12 lower-case hex characters. */
  readonly fmspc: string;
  readonly pckCa: "platform" | "processor";
};

/** Names the certificate (VCEK) that signs the SNP reports of one chip at one level of its firmware. */
export type SnpPlatformKey = {
  readonly product: SnpProduct;
  /** 64 bytes, as in the report. */
  readonly chipId: Uint8Array;
  readonly reportedTcb: SnpTcb;
};

/** Names who vouches for such certificates: AMD has one chain per product for chips, one for what it issues to clouds. */
export type SnpAuthorityKey = {
  readonly product: SnpProduct;
  readonly signingKey: "vcek" | "vlek";
};

/** What stands above a VCEK or VLEK, DER. */
export type SnpAuthority = Omit<SnpEndorsements, "leaf">;

/** Each call asks for what changes together: a VCEK never does, the list above it is renewed all the time. */
export type CollateralSource = {
  /** @throws CollateralError */
  readonly dcap: (key: DcapPlatformKey) => Promise<DcapCollateral>;
  /**
   * The VCEK, DER. A VLEK comes with the report only: AMD gives it to the operator of the cloud, nobody else.
   * @throws CollateralError
   */
  readonly vcek: (key: SnpPlatformKey) => Promise<Uint8Array>;
  /** @throws CollateralError */
  readonly snpAuthority: (key: SnpAuthorityKey) => Promise<SnpAuthority>;
};

/**
 * Everything a report signed with a VCEK needs.
 * @throws CollateralError
 */
export async function snpEndorsements(
  source: Pick<CollateralSource, "vcek" | "snpAuthority">,
  key: SnpPlatformKey,
): Promise<SnpEndorsements> {
  const authority = await source.snpAuthority({ product: key.product, signingKey: "vcek" });
  return { leaf: await source.vcek(key), ...authority };
}

/** "SGX platform 00906ed50000 (processor CA)". */
export const nameOfDcap = (key: DcapPlatformKey): string =>
  `${key.tee.toUpperCase()} platform ${key.fmspc} (${key.pckCa} CA)`;

/** "Milan chip 0123456789abcdef… at 3.0.8.115". */
export const nameOfChip = (key: SnpPlatformKey): string => {
  const { fmc, bootloader, tee, snp, microcode } = key.reportedTcb;
  const levels = [...(fmc === undefined ? [] : [fmc]), bootloader, tee, snp, microcode];
  return `${key.product} chip ${toHex(key.chipId.subarray(0, 8))}… at ${levels.join(".")}`;
};

/** "Milan VCEK authority". */
export const nameOfAuthority = (key: SnpAuthorityKey): string =>
  `${key.product} ${key.signingKey.toUpperCase()} authority`;
