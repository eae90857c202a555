/**
 * SEV-SNP attestation report, versions 2 to 5 (AMD "SEV Secure Nested Paging Firmware ABI Specification", document
 * 56860, revisions 1.55 to 1.58, ATTESTATION_REPORT). Every integer is little-endian.
 */

import { EvidenceError } from "../evidence-error.ts";

/** The size of a report of any version. */
export const SNP_REPORT_BYTES = 1184;
/** The first bytes of a report, over which it is signed. */
const SIGNED_BYTES = 0x2a0;
const SUPPORTED_VERSIONS = [2, 3, 4, 5];
/** From here on reports name the processor. */
const FIRST_VERSION_WITH_CPU = 3;
/** From here on reports name the mitigations that the firmware has verified. */
const FIRST_VERSION_WITH_MITIGATIONS = 5;

/** Which key the report says it was signed with; "none" stands for 7, and a number for a value that is reserved. */
export type SnpSigningKey = "vcek" | "vlek" | "none" | number;

/** Version of the SNP firmware. */
export type SnpFirmware = {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
};

/** Processor as CPUID names it, extended and base parts added up. */
export type SnpCpu = {
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
};

/** What a report says of a guest's code and settings. Integers are read, byte strings raw. */
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

/** Bit 19 of a guest's policy: the host may debug it. */
const POLICY_DEBUG = 1n << 19n;

/** Whether the host may look inside. */
export const isDebugGuest = ({ policy }: SnpMeasurements): boolean =>
  (policy & POLICY_DEBUG) !== 0n;

/** A report, read and not verified. Byte strings are raw; the bytes of a TCB_VERSION mean what the product says. */
export type SnpReport = {
  readonly version: number;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
  readonly measurements: SnpMeasurements;
  /** 64-bit PLATFORM_INFO. */
  readonly platformInfo: bigint;
  readonly signingKey: SnpSigningKey;
  /** Whether the host withholds the chip's own key from this guest. */
  readonly isChipKeyMasked: boolean;
  /** Whether the ID block's key was certified by an author key. */
  readonly hasAuthorKey: boolean;
  /** 32 bytes, all ones unless a migration agent is bound. */
  readonly migrationAgentReportId: Uint8Array;
  /** 8 bytes each: see `readTcb`. */
  readonly currentTcb: Uint8Array;
  readonly reportedTcb: Uint8Array;
  readonly committedTcb: Uint8Array;
  readonly launchTcb: Uint8Array;
  readonly currentFirmware: SnpFirmware;
  readonly committedFirmware: SnpFirmware;
  /** From version 3. */
  readonly cpu?: SnpCpu;
  /** 64 bytes, zero where the host masks it; Turin fills the first 8. */
  readonly chipId: Uint8Array;
  /** 64-bit vectors, from version 5. */
  readonly launchMitigations?: bigint;
  readonly currentMitigations?: bigint;
  /** What the signature is over, 672 bytes. */
  readonly signedBytes: Uint8Array;
  /** 1 is ECDSA P-384 with SHA-384; nothing else is known. */
  readonly signatureAlgorithm: number;
  /** 512 bytes, not signed: R and S little-endian in 72 bytes each, then zero. */
  readonly signature: Uint8Array;
};

/**
 * Reads a report. Signed bytes that the ABI reserves are not looked at: the firmware vouches for them, and it has put
 * them to use before it raised the version.
 *
 * @param bytes  exactly 1184
 * @throws EvidenceError "malformed-snp-report"
 */
export function parseSnpReport(bytes: Uint8Array): SnpReport {
  if (bytes.byteLength !== SNP_REPORT_BYTES) {
    throw malformed(`an SNP report has ${SNP_REPORT_BYTES} bytes, this has ${bytes.byteLength}`);
  }
  // A copy: what is claimed later must not change with the caller's buffer.
  const report = new Uint8Array(bytes);
  const view = new DataView(report.buffer);
  const cut = (offset: number, length: number) => report.subarray(offset, offset + length);
  const version = view.getUint32(0x000, true);
  if (!SUPPORTED_VERSIONS.includes(version)) {
    throw malformed(`SNP reports of version ${version} are not known`);
  }
  const flags = view.getUint32(0x048, true);
  return {
    version,
    reportData: cut(0x050, 64),
    measurements: {
      guestSvn: view.getUint32(0x004, true),
      policy: view.getBigUint64(0x008, true),
      familyId: cut(0x010, 16),
      imageId: cut(0x020, 16),
      vmpl: view.getUint32(0x030, true),
      measurement: cut(0x090, 48),
      hostData: cut(0x0c0, 32),
      idKeyDigest: cut(0x0e0, 48),
      authorKeyDigest: cut(0x110, 48),
      reportId: cut(0x140, 32),
    },
    signatureAlgorithm: view.getUint32(0x034, true),
    currentTcb: cut(0x038, 8),
    platformInfo: view.getBigUint64(0x040, true),
    hasAuthorKey: (flags & 1) !== 0,
    isChipKeyMasked: (flags & 2) !== 0,
    signingKey: signingKeyOf((flags >>> 2) & 7),
    migrationAgentReportId: cut(0x160, 32),
    reportedTcb: cut(0x180, 8),
    ...(version >= FIRST_VERSION_WITH_CPU && {
      cpu: {
        family: view.getUint8(0x188),
        model: view.getUint8(0x189),
        stepping: view.getUint8(0x18a),
      },
    }),
    chipId: cut(0x1a0, 64),
    committedTcb: cut(0x1e0, 8),
    currentFirmware: firmwareAt(view, 0x1e8),
    committedFirmware: firmwareAt(view, 0x1ec),
    launchTcb: cut(0x1f0, 8),
    ...(version >= FIRST_VERSION_WITH_MITIGATIONS && {
      launchMitigations: view.getBigUint64(0x1f8, true),
      currentMitigations: view.getBigUint64(0x200, true),
    }),
    signedBytes: cut(0x000, SIGNED_BYTES),
    signature: cut(SIGNED_BYTES, SNP_REPORT_BYTES - SIGNED_BYTES),
  };
}

const firmwareAt = (view: DataView, offset: number): SnpFirmware => ({
  build: view.getUint8(offset),
  minor: view.getUint8(offset + 1),
  major: view.getUint8(offset + 2),
});

function signingKeyOf(value: number): SnpSigningKey {
  switch (value) {
    case 0:
      return "vcek";
    case 1:
      return "vlek";
    case 7:
      return "none";
    default:
      return value;
  }
}

const malformed = (message: string): EvidenceError =>
  new EvidenceError("malformed-snp-report", message);
