/** Port: where endorsements come from. Whatever it gives is hostile until it is verified. */
import { CodedError } from "../../base/refusal.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import type { SnpProduct, SnpTcb } from "../verification/claims.ts";

/** Names a set of DCAP endorsements. */
export type DcapPlatformKey = {
  readonly tee: "sgx" | "tdx";
  /** 12 lower-case hex characters. */
  readonly fmspc: string;
  readonly pckCa: "platform" | "processor";
};

/** Names the certificate that signs an SNP report. */
export type SnpPlatformKey = {
  readonly product: SnpProduct;
  /** 64 bytes. */
  readonly chipId: Uint8Array;
  readonly reportedTcb: SnpTcb;
};

/** Endorsements of an SNP platform, DER. */
export type SnpEndorsements = {
  /** VCEK or VLEK. */
  readonly leaf: Uint8Array;
  /** ASK or ASVK, then ARK. */
  readonly chain: readonly Uint8Array[];
  /** Revocation list by the ARK, where known. */
  readonly crl?: Uint8Array;
};

export type CollateralSource = {
  /** @throws CollateralError */
  readonly dcap: (key: DcapPlatformKey) => Promise<DcapCollateral>;
  /** @throws CollateralError */
  readonly snp: (key: SnpPlatformKey) => Promise<SnpEndorsements>;
};

/** The message names the object, its date where it has one, and what to do. */
export class CollateralError extends CodedError<
  "unreachable" | "rate-limited" | "unknown-platform" | "bad-response" | "not-in-bundle" | "stale"
> {}
