/** The body of a TD report: what the TDX module says of one trust domain (Intel TDX DCAP quoting library, A.3.2). */
import type { ByteReader } from "../encoding/byte-reader.ts";

/** Bytes of a body by the version of TDX that wrote it. */
export const TD_REPORT_BYTES = { "1.0": 584, "1.5": 648 } as const;
/** Versions of TDX by the form of their reports. */
export type TdxVersion = keyof typeof TD_REPORT_BYTES;

const RTMRS = ["RTMR0", "RTMR1", "RTMR2", "RTMR3"];

/** What a TD report says of a trust domain's code and settings; raw byte strings. */
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

/** A report, read and not verified. Byte strings are views of the input. */
export type TdReport = {
  readonly measurements: TdxMeasurements;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
  /** 16 bytes, TDX 1.5: versions of the module that runs now; TEE_TCB_SVN is of the one that launched the domain. */
  readonly teeTcbSvn2?: Uint8Array;
};

/**
 * Whether the host may look inside. The first byte of the attributes are the flags of a domain under debug or
 * profiling: any of them, also those without a meaning yet, makes it untrusted (Intel TDX module base architecture
 * specification, "TD attributes", group TUD).
 */
export const isDebugTd = ({ tdAttributes }: TdxMeasurements): boolean => tdAttributes[0] !== 0;

/** Reads a body. @throws EvidenceError of the reader's code */
export function readTdReport(reader: ByteReader, version: TdxVersion): TdReport {
  const measurements = {
    teeTcbSvn: reader.bytes(16, "TEE_TCB_SVN"),
    mrSeam: reader.bytes(48, "MRSEAM"),
    mrSignerSeam: reader.bytes(48, "MRSIGNERSEAM"),
    seamAttributes: reader.bytes(8, "SEAMATTRIBUTES"),
    tdAttributes: reader.bytes(8, "TDATTRIBUTES"),
    xfam: reader.bytes(8, "XFAM"),
    mrTd: reader.bytes(48, "MRTD"),
    mrConfigId: reader.bytes(48, "MRCONFIGID"),
    mrOwner: reader.bytes(48, "MROWNER"),
    mrOwnerConfig: reader.bytes(48, "MROWNERCONFIG"),
    rtmrs: RTMRS.map((name) => reader.bytes(48, name)),
  };
  const reportData = reader.bytes(64, "REPORTDATA");
  if (version === "1.0") return { measurements, reportData };
  const teeTcbSvn2 = reader.bytes(16, "TEE_TCB_SVN2");
  const mrServiceTd = reader.bytes(48, "MRSERVICETD");
  return { measurements: { ...measurements, mrServiceTd }, reportData, teeTcbSvn2 };
}
