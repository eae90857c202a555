/** Everything that a simulated TEE can do otherwise than an honest one, with what it does if nobody turns the knob. */
import type { TcbStatus } from "../../../endorsements/tcb-info.ts";
import type { DatedObject, DatedObjectFault } from "../../../verification/codes.ts";
import type { CertificateKnobs } from "../authorities/issue-certificate.ts";

/** One level of TCB info, QE identity or a module's identity, relative to what an honest platform runs. */
export type LevelKnob = {
  /** Added to the platform's own versions: 0 is matched exactly, 1 is ahead of it, −2 is behind. */
  readonly ahead: number;
  /** Age of the level; unset: 90 days, and a year more for each level above. */
  readonly publishedDaysAgo?: number;
  /** As Intel writes it. */
  readonly status: TcbStatus;
  readonly advisories: readonly string[];
};

/** Certificates and signed documents, each with the fault it is made with. */
export type FaultKnobs = {
  readonly certificates: CertificateKnobs;
  readonly documents: Readonly<Partial<Record<DatedObject, DatedObjectFault>>>;
};

/** Chains that somebody builds from keys that are honest in another place. */
export type ChainKnobs = {
  /**
   * [PCK, PCK CA, root], or a PCK certificate of the best of all platforms issued by: this platform's own PCK key, with
   * four certificates or in the CA's place; the TCB signer in the CA's place.
   */
  readonly pck: "honest" | "issued-by-pck" | "pck-as-ca" | "tcb-signer-as-ca";
  /** Who signs TCB info and QE identity: the TCB signer, or this platform's own PCK key, under the root or as it is. */
  readonly documentSigner: "tcb-signer" | "pck" | "pck-with-its-chain";
  /** Whose documents are served: those under the platform's PCK CA, or under Intel's other one. */
  readonly pckCa: "same" | "other";
  /** Whether the collateral carries the PCK chain for quotes that only name their platform (certification type 1). */
  readonly isPckChainServed: boolean;
};

/** The quoting enclave and what it says of the attestation key. */
export type QeKnobs = {
  readonly vendor: "intel" | "none";
  readonly mrSigner: "known" | "other";
  readonly isvProdId: "known" | "other";
  /** What runs; levels are relative to 8. */
  readonly isvSvn: number;
  readonly isDebug: boolean;
  /** Flag byte of the attributes: INIT, 64-bit code, provisioning key. */
  readonly attributeFlags: number;
  readonly miscSelect: number;
  /** Any length may be chosen; the first bytes that its hash covers are all of them, unless set. */
  readonly authenticationBytes: number;
  readonly hashedAuthenticationBytes: number | "all";
  readonly reportSignature: "right" | "spoiled";
  readonly attestationKey: "right" | "off-curve";
  /** Highest first. */
  readonly levels: readonly LevelKnob[];
};

/** The enclave or trust domain that is quoted, and the quote's own bytes. */
export type QuoteKnobs = {
  readonly isDebug: boolean;
  /** "other-s" is (r, n − s), which anybody can make of (r, s) and which verifies as well. */
  readonly signature: "right" | "other-s" | "zero" | "spoiled";
  /** 5 carries the chain; 1 names the platform only. */
  readonly certificationType: 5 | 1;
  /** Which platform type 1 names, in bytes that nobody signs. */
  readonly namedPlatform: "same" | "other";
  /** Zeros after the quote, as some drivers add. */
  readonly paddingBytes: number;
  /** Other bytes after it. */
  readonly trailingBytes: number;
  /** TDX 1.5: a service TD is bound to the domain. */
  readonly hasServiceTd: boolean;
};

/** What Intel's documents say of the platform. */
export type TcbKnobs = {
  /** Highest first. */
  readonly levels: readonly LevelKnob[];
  readonly tcbInfoVersion: 2 | 3;
  readonly evaluationNumber: number;
  readonly crlNumber: number;
  /** Documents of this platform's kind, or of another. */
  readonly fmspc: "same" | "other";
  readonly pceId: "same" | "other";
  readonly pckExtension: "right" | "malformed";
};

/** The TDX module under a domain. */
export type TdxModuleKnobs = {
  /** Whether Intel's documents have its identity. */
  readonly isListed: boolean;
  readonly mrSigner: "known" | "other";
  readonly attributes: "known" | "other";
  /** Highest first. */
  readonly levels: readonly LevelKnob[];
};

/** The SNP guest, and what the report says of its processor. */
export type SnpKnobs = {
  readonly isDebug: boolean;
  readonly hasMigrationAgent: boolean;
  readonly signature: "right" | "spoiled" | "zero";
  /** Byte after S that nothing signs. */
  readonly signaturePadding: number;
  readonly signatureAlgorithm: number;
  /** The report's word on VCEK or VLEK. */
  readonly signingKey: "same" | "other";
  readonly reportedTcb: "certified" | "other";
  readonly chipId: "certified" | "other" | "masked";
  /** Product that AMD certifies of the chip. */
  readonly certifiedProduct: "same" | "other";
};

/** All of them, by what they turn. */
export type SimulatorKnobs = {
  readonly faults: FaultKnobs;
  readonly chain: ChainKnobs;
  readonly qe: QeKnobs;
  readonly quote: QuoteKnobs;
  readonly tcb: TcbKnobs;
  readonly tdxModule: TdxModuleKnobs;
  readonly snp: SnpKnobs;
};

/** What is turned; the rest stays honest. */
export type KnobSettings = {
  readonly [Group in keyof SimulatorKnobs]?: Partial<SimulatorKnobs[Group]>;
};
