/**
 * What is known once evidence was found genuine: facts of the vendor and of the measured code, with no policy in them.
 * All byte strings are raw, in the order of the evidence (little-endian integers are already numbers).
 */
import type { Digest, UnixMs } from "../../base/ids.ts";
import type { CertifiedPlatform } from "../endorsements/sgx-extension.ts";
import type { TcbStatus } from "../endorsements/tcb-info.ts";
import type { SgxMeasurements } from "../evidence/sgx-report.ts";
import type { SnpMeasurements } from "../evidence/snp-report.ts";
import type { SnpProduct, SnpTcb } from "../evidence/snp-tcb.ts";
import type { TdxMeasurements } from "../evidence/td-report.ts";
import type { Check } from "./checklist.ts";
import type { VerificationCode } from "./codes.ts";

/** What Intel says of the platform that made a quote. */
export type DcapTcb = {
  /** Platform, module and QE converged by Intel's table. */
  readonly status: TcbStatus;
  readonly platformStatus: TcbStatus;
  readonly qeStatus: TcbStatus;
  /** Absent for SGX, and for TDX modules older than 1.5, which have no identity of their own. */
  readonly moduleStatus?: TcbStatus;
  /** Date of the platform's level: its flaws were known from here on. */
  readonly tcbDateMs: UnixMs;
  /** The earliest date of a higher level that a component which is out of date misses: grace counts from there. */
  readonly outOfDateSinceMs?: UnixMs;
  /**
   * TDX 1.5 only: whether nothing is out of date but the module that launched the domain, while a current one runs. A
   * launch makes the domain current; until then the status stays as it is, where Intel's library says TDRelaunchAdvised.
   */
  readonly isRelaunchAdvised?: boolean;
  /** Of every level that was reached, in Intel's order, each once: "INTEL-SA-00615". */
  readonly advisories: readonly string[];
  /** Of TCB info: which TCB recovery the grade takes into account. */
  readonly tcbEvaluationDataNumber: number;
  /** Of QE identity. */
  readonly qeEvaluationDataNumber: number;
  /** 2 or 3; documents of version 2 name no advisories. */
  readonly tcbInfoVersion: number;
};

/** The platform of a quote, and which of Intel's CAs certified it. */
export type DcapPlatform = CertifiedPlatform & { readonly pckCa: "platform" | "processor" };

/** The platform of a report, as far as AMD certified or the report names it. */
export type SnpPlatform = {
  readonly product: SnpProduct;
  readonly signingKey: "vcek" | "vlek";
  /** 64 bytes; zero where the host masks it or a VLEK signs. */
  readonly chipId: Uint8Array;
  readonly currentTcb: SnpTcb;
  readonly reportedTcb: SnpTcb;
  readonly committedTcb: SnpTcb;
  readonly launchTcb: SnpTcb;
  /** 64-bit PLATFORM_INFO. */
  readonly platformInfo: bigint;
  /** Whether a revocation list of the ARK was given and does not name ASK or ASVK. */
  readonly revocationChecked: boolean;
};

type Common = {
  /** SHA-256 of the DER of the root under which everything was verified: says who vouches, Intel, AMD or a development root. */
  readonly anchor: Digest;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
  /** Whether the host may look inside. */
  readonly isDebug: boolean;
  /** The earliest end of anything the verdict rests on: ask again after it. */
  readonly expiresAtMs: UnixMs;
};

type Dcap = {
  readonly platform: DcapPlatform;
  readonly tcb: DcapTcb;
  readonly quoteVersion: number;
};

/** Of an SGX enclave. */
export type SgxClaims = Common &
  Dcap & { readonly tee: "sgx"; readonly measurements: SgxMeasurements };
/** Of a TDX trust domain. */
export type TdxClaims = Common &
  Dcap & { readonly tee: "tdx"; readonly measurements: TdxMeasurements };
/** Of an SEV-SNP guest. */
export type SnpClaims = Common & {
  readonly tee: "sev-snp";
  readonly reportVersion: number;
  readonly measurements: SnpMeasurements;
  readonly platform: SnpPlatform;
};

/** What appraisal takes, and nothing else. */
export type VerifiedClaims = SgxClaims | TdxClaims | SnpClaims;

/** The kind of trusted execution environment. */
export type Tee = VerifiedClaims["tee"];

/** The answer to "genuine?". Every check is listed either way; claims exist only if all hold. */
export type Verification<Claims = VerifiedClaims> = {
  readonly checks: readonly Check<VerificationCode>[];
  readonly claims?: Claims;
};
