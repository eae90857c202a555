/** Endorsements of one SNP report as AMD or the host gave them; nobody has checked them yet. DER. */
export type SnpEndorsements = {
  /** VCEK or VLEK, whichever signed the report. */
  readonly leaf: Uint8Array;
  /** ASK or ASVK, then ARK. */
  readonly chain: readonly Uint8Array[];
  /** Revocation list by the ARK, where known. */
  readonly crl?: Uint8Array;
};
