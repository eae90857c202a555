/** Body of an SGX enclave report (Intel SDM volume 3D, REPORT; sgx_report_body_t), of enclaves and of the quoting enclave. */

import type { SgxMeasurements } from "../../../evidence/sgx-report.ts";
import { SGX_REPORT_BYTES } from "../../../evidence/sgx-report.ts";
import { exactly, placed, uint16, uint32 } from "./byte-layout.ts";

/** INIT, and 64-bit code, as every enclave of ours has them. */
const SGX_FLAGS = 0x05;
/** The host reads and writes the enclave's memory. */
export const SGX_DEBUG_FLAG = 0x02;
/** x87, SSE, AVX, AVX-512 and AMX, as processors with TDX report them. */
const XFRM = Uint8Array.of(0xe7, 0, 0, 0, 0, 0, 0, 0);

/** An enclave as the processor reports it. */
export type SgxReport = SgxMeasurements & {
  /** 16 bytes. */
  readonly cpuSvn: Uint8Array;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
};

/** Measurements of an enclave that says nothing about itself: attributes of a production enclave, zero elsewhere. */
export const BLANK_SGX_MEASUREMENTS: SgxMeasurements = {
  mrEnclave: new Uint8Array(32),
  mrSigner: new Uint8Array(32),
  isvProdId: 0,
  isvSvn: 0,
  attributes: sgxAttributes(SGX_FLAGS),
  miscSelect: 0,
  configId: new Uint8Array(64),
  configSvn: 0,
  isvExtProdId: new Uint8Array(16),
  isvFamilyId: new Uint8Array(16),
};

/** 16 bytes: these flags, and a usual XFRM. @param flags  0 to 255 */
export function sgxAttributes(flags: number): Uint8Array {
  return placed(16, [
    [0, Uint8Array.of(flags)],
    [8, XFRM],
  ]);
}

/** 384 bytes. */
export function writeSgxReport(report: SgxReport): Uint8Array {
  return placed(SGX_REPORT_BYTES, [
    [0, exactly(16, report.cpuSvn)],
    [16, uint32(report.miscSelect)],
    [32, exactly(16, report.isvExtProdId)],
    [48, exactly(16, report.attributes)],
    [64, exactly(32, report.mrEnclave)],
    [128, exactly(32, report.mrSigner)],
    [192, exactly(64, report.configId)],
    [256, uint16(report.isvProdId)],
    [258, uint16(report.isvSvn)],
    [260, uint16(report.configSvn)],
    [304, exactly(16, report.isvFamilyId)],
    [320, exactly(64, report.reportData)],
  ]);
}
