/** Writes SNP reports in the layout of AMD 56860, signed by whatever key a test gives. */
import { sign } from "node:crypto";
import { SNP_REPORT_BYTES } from "../evidence/snp-report.ts";
import type { KeyPair } from "./snp-platform.ts";

/** What of a report tests care about; the rest is filled with bytes that tell. */
export type ReportFields = {
  readonly version: number;
  readonly policy: bigint;
  readonly vmpl: number;
  readonly signatureAlgorithm: number;
  /** Bits 0 and 1 mask and author key, 2 to 4 the signing key. */
  readonly flags: number;
  readonly platformInfo: bigint;
  /** 8 bytes each, as they stand in the report. */
  readonly currentTcb: Uint8Array;
  readonly reportedTcb: Uint8Array;
  readonly committedTcb: Uint8Array;
  readonly launchTcb: Uint8Array;
  /** Family, model, stepping. */
  readonly cpu: readonly [family: number, model: number, stepping: number];
  readonly chipId: Uint8Array;
  /** Bytes to put at offsets, last. */
  readonly patches: readonly (readonly [offset: number, bytes: readonly number[]])[];
};

/** A report, 1184 bytes. Byte strings that are not given count up from a value of their own. */
export function writeReport(fields: ReportFields, key: KeyPair): Uint8Array {
  const report = new Uint8Array(SNP_REPORT_BYTES);
  const view = new DataView(report.buffer);
  view.setUint32(0x000, fields.version, true);
  view.setUint32(0x004, 3, true);
  view.setBigUint64(0x008, fields.policy, true);
  fillCounting(report, 0x010, 0x030);
  view.setUint32(0x030, fields.vmpl, true);
  view.setUint32(0x034, fields.signatureAlgorithm, true);
  report.set(fields.currentTcb, 0x038);
  view.setBigUint64(0x040, fields.platformInfo, true);
  view.setUint32(0x048, fields.flags, true);
  fillCounting(report, 0x050, 0x180);
  report.set(fields.reportedTcb, 0x180);
  if (fields.version >= 3) report.set(fields.cpu, 0x188);
  report.set(fields.chipId, 0x1a0);
  report.set(fields.committedTcb, 0x1e0);
  report.set([1, 55, 1, 0, 1, 55, 1, 0], 0x1e8);
  report.set(fields.launchTcb, 0x1f0);
  if (fields.version >= 5) report.set([0x0b, 0, 0, 0, 0, 0, 0, 0, 0x0f], 0x1f8);
  for (const [offset, bytes] of fields.patches) report.set(bytes, offset);
  return signReport(report, key);
}

/** Puts the key's signature into a report, over what stands in it. */
export function signReport(report: Uint8Array, key: KeyPair): Uint8Array {
  const signature = sign("sha384", report.subarray(0, 0x2a0), {
    key: key.privateKey,
    dsaEncoding: "ieee-p1363",
  });
  const signed = report.slice();
  signed.set(signature.subarray(0, 48).reverse(), 0x2a0);
  signed.set(signature.subarray(48).reverse(), 0x2a0 + 72);
  return signed;
}

function fillCounting(report: Uint8Array, from: number, to: number): void {
  for (let offset = from; offset < to; offset += 1) report[offset] = (offset * 7) & 0xff;
}
