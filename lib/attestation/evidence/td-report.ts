/** The body of a TD report: what the TDX module says of one trust domain (Intel TDX DCAP quoting library, A.3.2). */
import type { ByteReader } from "../encoding/byte-reader.ts";
import type { TdxMeasurements } from "../verification/claims.ts";

/** Bytes of a body by the version of TDX that wrote it. */
export const TD_REPORT_BYTES = { "1.0": 584, "1.5": 648 } as const;
export type TdxVersion = keyof typeof TD_REPORT_BYTES;

const RTMRS = ["RTMR0", "RTMR1", "RTMR2", "RTMR3"];
const DEBUG = 0x01;

export type TdReport = {
  readonly measurements: TdxMeasurements;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
};

/** Whether the host may look inside: bit 0 of the attributes. */
export const isDebugTd = ({ tdAttributes }: TdxMeasurements): boolean =>
  ((tdAttributes[0] ?? 0) & DEBUG) !== 0;

/**
 * Reads a body. The security versions that TDX 1.5 adds (TEE_TCB_SVN2) tell of a module loaded after the TD was
 * measured; they are passed over, as Intel's TCB info grades TEE_TCB_SVN alone.
 * @throws EvidenceError of the reader's code
 */
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
  reader.bytes(16, "TEE_TCB_SVN2");
  return {
    measurements: { ...measurements, mrServiceTd: reader.bytes(48, "MRSERVICETD") },
    reportData,
  };
}
