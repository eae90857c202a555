/** The body of an SGX report: what the processor says of one enclave (Intel SDM, volume 3D, table 38-21). */
import type { ByteReader } from "../encoding/byte-reader.ts";

/** Bytes of a body, in quotes of enclaves and of the quoting enclave itself. */
export const SGX_REPORT_BYTES = 384;

/** What an SGX report says of an enclave's code and settings. Integers are read, byte strings raw. */
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

/** A report, read and not verified. Byte strings are views of the input. */
export type SgxReport = {
  /** All 384 bytes, as they are signed. */
  readonly bytes: Uint8Array;
  /** 16 bytes. */
  readonly cpuSvn: Uint8Array;
  readonly measurements: SgxMeasurements;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
};

/** Attribute of enclaves that their host may look into: bit 1 of the flags. */
const DEBUG = 0x02;

/** Whether the host may look inside. */
export const isDebugEnclave = ({ attributes }: SgxMeasurements): boolean =>
  ((attributes[0] ?? 0) & DEBUG) !== 0;

/**
 * Reads a body. Reserved bytes are signed by whoever signed the rest, so they may be anything.
 * @throws EvidenceError of the reader's code
 */
export function readSgxReport(reader: ByteReader): SgxReport {
  const bytes = reader.bytes(SGX_REPORT_BYTES, "enclave report");
  const field = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    bytes,
    cpuSvn: field(0, 16),
    measurements: {
      miscSelect: view.getUint32(16, true),
      isvExtProdId: field(32, 16),
      attributes: field(48, 16),
      mrEnclave: field(64, 32),
      mrSigner: field(128, 32),
      configId: field(192, 64),
      isvProdId: view.getUint16(256, true),
      isvSvn: view.getUint16(258, true),
      configSvn: view.getUint16(260, true),
      isvFamilyId: field(304, 16),
    },
    reportData: field(320, 64),
  };
}
