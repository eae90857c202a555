/**
 * What is known once evidence was found genuine: facts of the vendor and of the measured code, with no policy in them.
 * All byte strings are raw, in the order of the evidence (little-endian integers are already numbers).
 */
import type { Digest, UnixMs } from "../../base/ids.ts";
import type { Check } from "./checklist.ts";
import type { VerificationCode } from "./codes.ts";

/** The states in which Intel finds a platform, as its documents spell them. */
export const TCB_STATUSES = [
  "UpToDate",
  "SWHardeningNeeded",
  "ConfigurationNeeded",
  "ConfigurationAndSWHardeningNeeded",
  "OutOfDate",
  "OutOfDateConfigurationNeeded",
  "Revoked",
] as const;
export type TcbStatus = (typeof TCB_STATUSES)[number];

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

/** The platform itself, from its PCK certificate. */
export type DcapPlatform = {
  /** 6 bytes. */
  readonly fmspc: Uint8Array;
  /** 2 bytes. */
  readonly pceId: Uint8Array;
  /** 16 bytes; names the processor package. */
  readonly ppid: Uint8Array;
  readonly pckCa: "platform" | "processor";
  /** 16 bytes; only under the platform CA. */
  readonly platformInstanceId?: Uint8Array;
  readonly dynamicPlatform?: boolean;
  readonly cachedKeys?: boolean;
  readonly smtEnabled?: boolean;
};

export type SgxMeasurements = {
  /** 32 bytes. */
  readonly mrEnclave: Uint8Array;
  /** 32 bytes. */
  readonly mrSigner: Uint8Array;
  readonly isvProdId: number;
  readonly isvSvn: number;
  /** 16 bytes: flags (8, little-endian) and XFRM (8). */
  readonly attributes: Uint8Array;
  readonly miscSelect: number;
  /** 64 bytes; with KSS, else zero. */
  readonly configId: Uint8Array;
  readonly configSvn: number;
  /** 16 bytes each; with KSS, else zero. */
  readonly isvExtProdId: Uint8Array;
  readonly isvFamilyId: Uint8Array;
};

export type TdxMeasurements = {
  /** 48 bytes each. */
  readonly mrTd: Uint8Array;
  readonly mrConfigId: Uint8Array;
  readonly mrOwner: Uint8Array;
  readonly mrOwnerConfig: Uint8Array;
  /** RTMR 0 to 3, 48 bytes each. */
  readonly rtmrs: readonly Uint8Array[];
  /** 48 bytes; zero unless a service TD is bound. Absent before TDX 1.5. */
  readonly mrServiceTd?: Uint8Array;
  readonly mrSeam: Uint8Array;
  readonly mrSignerSeam: Uint8Array;
  /** 8 bytes each. */
  readonly seamAttributes: Uint8Array;
  readonly tdAttributes: Uint8Array;
  readonly xfam: Uint8Array;
  /** 16 bytes. */
  readonly teeTcbSvn: Uint8Array;
};

/** Security versions of an SNP platform; fmc only from Turin on. */
export type SnpTcb = {
  readonly fmc?: number;
  readonly bootloader: number;
  readonly tee: number;
  readonly snp: number;
  readonly microcode: number;
};

export type SnpProduct = "Milan" | "Genoa" | "Turin";

export type SnpMeasurements = {
  /** 48 bytes. */
  readonly measurement: Uint8Array;
  /** 32 bytes. */
  readonly hostData: Uint8Array;
  /** 48 bytes; zero unless the launch was signed. */
  readonly idKeyDigest: Uint8Array;
  readonly authorKeyDigest: Uint8Array;
  /** 16 bytes each. */
  readonly familyId: Uint8Array;
  readonly imageId: Uint8Array;
  readonly guestSvn: number;
  /** 64-bit guest policy. */
  readonly policy: bigint;
  readonly vmpl: number;
  readonly reportId: Uint8Array;
};

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

export type SgxClaims = Common &
  Dcap & { readonly tee: "sgx"; readonly measurements: SgxMeasurements };
export type TdxClaims = Common &
  Dcap & { readonly tee: "tdx"; readonly measurements: TdxMeasurements };
export type SnpClaims = Common & {
  readonly tee: "sev-snp";
  readonly reportVersion: number;
  readonly measurements: SnpMeasurements;
  readonly platform: SnpPlatform;
};

export type VerifiedClaims = SgxClaims | TdxClaims | SnpClaims;

export type Tee = VerifiedClaims["tee"];

/** The answer to "genuine?". Every check is listed either way; claims exist only if all hold. */
export type Verification<Claims = VerifiedClaims> = {
  readonly checks: readonly Check<VerificationCode>[];
  readonly claims?: Claims;
};
