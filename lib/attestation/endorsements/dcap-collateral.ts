/** Endorsements of one DCAP platform as Intel serves them; nobody has checked them yet. */
export type DcapCollateral = {
  /** PEM, [PCK CA, root]. */
  readonly pckCrlIssuerChain: string;
  /** DER. */
  readonly rootCaCrl: Uint8Array;
  /** DER, of the CA that issued the platform's PCK certificate. */
  readonly pckCrl: Uint8Array;
  /** PEM, [TCB signing, root]. */
  readonly tcbInfoIssuerChain: string;
  /** The exact text that is signed. */
  readonly tcbInfo: string;
  /** 64 bytes, r ‖ s. */
  readonly tcbInfoSignature: Uint8Array;
  /** PEM, [TCB signing, root]. */
  readonly qeIdentityIssuerChain: string;
  /** The exact text that is signed. */
  readonly qeIdentity: string;
  /** 64 bytes, r ‖ s. */
  readonly qeIdentitySignature: Uint8Array;
  /** PEM, [PCK, PCK CA, root]; for quotes that carry no chain of their own. */
  readonly pckCertificateChain?: string;
};
