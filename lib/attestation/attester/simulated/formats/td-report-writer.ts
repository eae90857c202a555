/** What a quote says of a trust domain: TD quote body (Intel TDX DCAP quoting library API §A.3, versions 1.0 and 1.5). */

import type { TdxMeasurements } from "../../../evidence/td-report.ts";
import { TD_REPORT_BYTES, type TdxVersion } from "../../../evidence/td-report.ts";
import { exactly, type PlacedField, placed } from "./byte-layout.ts";

/** Bit 0 of the TD attributes: the host may debug the domain. */
export const TD_DEBUG_BIT = 0x01;

/** A domain as the TDX module reports it. */
export type TdReport = TdxMeasurements & {
  /** 64 bytes. */
  readonly reportData: Uint8Array;
  /** 16 bytes, 1.5 only: versions of a module that was updated under the domain; unset: as when it was measured. */
  readonly teeTcbSvn2?: Uint8Array;
};

/** A domain that says nothing about itself: SEPT_VE_DISABLE, a usual XFAM, zero elsewhere. */
export const BLANK_TDX_MEASUREMENTS: TdxMeasurements = {
  mrTd: new Uint8Array(48),
  mrConfigId: new Uint8Array(48),
  mrOwner: new Uint8Array(48),
  mrOwnerConfig: new Uint8Array(48),
  rtmrs: [new Uint8Array(48), new Uint8Array(48), new Uint8Array(48), new Uint8Array(48)],
  mrServiceTd: new Uint8Array(48),
  mrSeam: new Uint8Array(48).fill(0x5e),
  mrSignerSeam: new Uint8Array(48),
  seamAttributes: new Uint8Array(8),
  tdAttributes: Uint8Array.of(0, 0, 0, 0x10, 0, 0, 0, 0),
  xfam: Uint8Array.of(0xe7, 0x18, 0x06, 0, 0, 0, 0, 0),
  teeTcbSvn: new Uint8Array(16),
};

/** 584 bytes, or 648 with the second TCB version and MRSERVICETD. */
export function writeTdReport(report: TdReport, version: TdxVersion): Uint8Array {
  const registers = report.rtmrs.map(
    (rtmr, index): PlacedField => [328 + 48 * index, exactly(48, rtmr)],
  );
  const later: readonly PlacedField[] = [
    [584, exactly(16, report.teeTcbSvn2 ?? report.teeTcbSvn)],
    [600, exactly(48, report.mrServiceTd ?? new Uint8Array(48))],
  ];
  return placed(TD_REPORT_BYTES[version], [
    [0, exactly(16, report.teeTcbSvn)],
    [16, exactly(48, report.mrSeam)],
    [64, exactly(48, report.mrSignerSeam)],
    [112, exactly(8, report.seamAttributes)],
    [120, exactly(8, report.tdAttributes)],
    [128, exactly(8, report.xfam)],
    [136, exactly(48, report.mrTd)],
    [184, exactly(48, report.mrConfigId)],
    [232, exactly(48, report.mrOwner)],
    [280, exactly(48, report.mrOwnerConfig)],
    ...registers,
    [520, exactly(64, report.reportData)],
    ...(version === "1.5" ? later : []),
  ]);
}
