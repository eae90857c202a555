/** Everything that a simulated TEE can do otherwise than an honest one, with what it does if nobody turns the knob. */
import type { TcbStatus } from "../../verification/claims.ts";
import type { DatedObject, DatedObjectFault } from "../../verification/codes.ts";
import type { CertificateKnobs } from "./issue-certificate.ts";

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

const CURRENT_AND_OLD: readonly LevelKnob[] = [
  { ahead: 0, status: "UpToDate", advisories: [] },
  { ahead: -2, status: "OutOfDate", advisories: ["INTEL-SA-00615"] },
];

/** An honest, current platform. */
export const HONEST: SimulatorKnobs = {
  faults: { certificates: {}, documents: {} },
  chain: { pck: "honest", documentSigner: "tcb-signer", pckCa: "same", isPckChainServed: true },
  qe: {
    vendor: "intel",
    mrSigner: "known",
    isvProdId: "known",
    isvSvn: 8,
    isDebug: false,
    attributeFlags: 0x15,
    miscSelect: 0,
    authenticationBytes: 32,
    hashedAuthenticationBytes: "all",
    reportSignature: "right",
    attestationKey: "right",
    levels: CURRENT_AND_OLD,
  },
  quote: {
    isDebug: false,
    signature: "right",
    certificationType: 5,
    paddingBytes: 0,
    trailingBytes: 0,
    hasServiceTd: false,
  },
  tcb: {
    levels: CURRENT_AND_OLD,
    tcbInfoVersion: 3,
    evaluationNumber: 20,
    crlNumber: 20,
    fmspc: "same",
    pceId: "same",
    pckExtension: "right",
  },
  tdxModule: {
    isListed: true,
    mrSigner: "known",
    attributes: "known",
    levels: CURRENT_AND_OLD,
  },
  snp: {
    isDebug: false,
    hasMigrationAgent: false,
    signature: "right",
    signaturePadding: 0,
    signatureAlgorithm: 1,
    signingKey: "same",
    reportedTcb: "certified",
    chipId: "certified",
    certifiedProduct: "same",
  },
};

/** Every knob: as it was turned, honest elsewhere. */
export function allKnobs(turned: KnobSettings = {}): SimulatorKnobs {
  return {
    faults: { ...HONEST.faults, ...turned.faults },
    chain: { ...HONEST.chain, ...turned.chain },
    qe: { ...HONEST.qe, ...turned.qe },
    quote: { ...HONEST.quote, ...turned.quote },
    tcb: { ...HONEST.tcb, ...turned.tcb },
    tdxModule: { ...HONEST.tdxModule, ...turned.tdxModule },
    snp: { ...HONEST.snp, ...turned.snp },
  };
}
