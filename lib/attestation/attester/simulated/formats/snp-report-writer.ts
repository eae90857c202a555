/** SEV-SNP attestation reports of versions 2 to 5 (AMD 56860, ATTESTATION_REPORT). */
import type { SnpMeasurements } from "../../../evidence/snp-report.ts";
import type { SnpProduct, SnpTcb } from "../../../evidence/snp-tcb.ts";
import { exactly, type PlacedField, placed, uint32, uint64 } from "./byte-layout.ts";

/** Bit of the guest policy that lets the host debug the guest. */
export const SNP_DEBUG_BIT = 1n << 19n;
/** Bit of the guest policy that lets another guest carry it to another machine. */
export const SNP_MIGRATION_AGENT_BIT = 1n << 18n;
/** Bit 17 must be one; SMT is allowed. */
const USUAL_POLICY = 0x3_0000n;

/** A guest as AMD's firmware reports it. */
export type SnpReportFields = {
  readonly version: 2 | 3 | 4 | 5;
  readonly product: SnpProduct;
  readonly measurements: SnpMeasurements;
  readonly signingKey: "vcek" | "vlek";
  /** 64 bytes; zero where it is masked. */
  readonly chipId: Uint8Array;
  readonly currentTcb: SnpTcb;
  readonly reportedTcb: SnpTcb;
  readonly committedTcb: SnpTcb;
  readonly launchTcb: SnpTcb;
  /** 1: ECDSA P-384 with SHA-384. */
  readonly signatureAlgorithm: number;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
};

/** A guest that says nothing about itself, not debuggable, at VMPL 0. */
export const BLANK_SNP_MEASUREMENTS: SnpMeasurements = {
  measurement: new Uint8Array(48),
  hostData: new Uint8Array(32),
  idKeyDigest: new Uint8Array(48),
  authorKeyDigest: new Uint8Array(48),
  familyId: new Uint8Array(16),
  imageId: new Uint8Array(16),
  guestSvn: 0,
  policy: USUAL_POLICY,
  vmpl: 0,
  reportId: new Uint8Array(32).fill(0x1d),
};

/** CPUID family, model and stepping. */
const CPUS: Readonly<Record<SnpProduct, readonly number[]>> = {
  Milan: [0x19, 0x01, 0x01],
  Genoa: [0x19, 0x11, 0x01],
  Turin: [0x1a, 0x02, 0x01],
};
/** PLATFORM_INFO: SMT and ECC are on, and the firmware has looked for aliases in memory. */
const PLATFORM_INFO = 0x25n;
/** Firmware 1.55.40, as build, minor, major. */
const FIRMWARE = Uint8Array.of(40, 55, 1);
const SIGNED_BYTES = 0x2a0;
const SIGNATURE_BYTES = 512;
const COORDINATE_BYTES = 48;

/** 8 bytes in the product's order. */
export function tcbVersion(product: SnpProduct, tcb: SnpTcb): Uint8Array {
  const { fmc = 0, bootloader, tee, snp, microcode } = tcb;
  return product === "Turin"
    ? Uint8Array.of(fmc, bootloader, tee, snp, 0, 0, 0, microcode)
    : Uint8Array.of(bootloader, tee, 0, 0, 0, 0, snp, microcode);
}

/** The 672 bytes that are signed. */
export function writeSnpReportBody(report: SnpReportFields): Uint8Array {
  const { version, product, measurements } = report;
  const versioned: readonly PlacedField[] =
    version >= 3 ? [[0x188, Uint8Array.from(CPUS[product])]] : [];
  return placed(SIGNED_BYTES, [
    [0x000, uint32(version)],
    [0x004, uint32(measurements.guestSvn)],
    [0x008, uint64(measurements.policy)],
    [0x010, exactly(16, measurements.familyId)],
    [0x020, exactly(16, measurements.imageId)],
    [0x030, uint32(measurements.vmpl)],
    [0x034, uint32(report.signatureAlgorithm)],
    [0x038, tcbVersion(product, report.currentTcb)],
    [0x040, uint64(PLATFORM_INFO)],
    // SIGNING_KEY in bits 4:2: 0 is the VCEK, 1 the VLEK.
    [0x048, uint32(report.signingKey === "vcek" ? 0 : 1 << 2)],
    [0x050, exactly(64, report.reportData)],
    [0x090, exactly(48, measurements.measurement)],
    [0x0c0, exactly(32, measurements.hostData)],
    [0x0e0, exactly(48, measurements.idKeyDigest)],
    [0x110, exactly(48, measurements.authorKeyDigest)],
    [0x140, exactly(32, measurements.reportId)],
    // No migration agent.
    [0x160, new Uint8Array(32).fill(0xff)],
    [0x180, tcbVersion(product, report.reportedTcb)],
    ...versioned,
    [0x1a0, exactly(64, report.chipId)],
    [0x1e0, tcbVersion(product, report.committedTcb)],
    [0x1e8, FIRMWARE],
    [0x1ec, FIRMWARE],
    [0x1f0, tcbVersion(product, report.launchTcb)],
  ]);
}

/** The 512 bytes that follow: R and S little-endian, 72 bytes each, then zero. @param signature  r ‖ s, 96 bytes */
export function writeSnpSignature(signature: Uint8Array): Uint8Array {
  const r = signature.slice(0, COORDINATE_BYTES).reverse();
  const s = signature.slice(COORDINATE_BYTES).reverse();
  return placed(SIGNATURE_BYTES, [
    [0, exactly(COORDINATE_BYTES, r)],
    [72, exactly(COORDINATE_BYTES, s)],
  ]);
}
