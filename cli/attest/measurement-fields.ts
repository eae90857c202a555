/** What evidence says of the code it is about, in the vendors' names: for people as lines, for scripts as an object. */
import type { SgxMeasurements } from "../../lib/attestation/evidence/sgx-report.ts";
import type { SnpMeasurements } from "../../lib/attestation/evidence/snp-report.ts";
import type { TdxMeasurements } from "../../lib/attestation/evidence/td-report.ts";
import { toHex } from "../../lib/base/bytes.ts";

/** A line of a listing; undefined values are left out. */
export type Field = readonly [name: string, value: string | undefined];

/** Measurements of an SGX enclave; byte strings in hex. */
export function sgxFields(sgx: SgxMeasurements): Field[] {
  return [
    ["MRENCLAVE", toHex(sgx.mrEnclave)],
    ["MRSIGNER", toHex(sgx.mrSigner)],
    ["ISVPRODID, ISVSVN", `${sgx.isvProdId}, ${sgx.isvSvn}`],
    ["ATTRIBUTES", spaced(sgx.attributes)],
    ["MISCSELECT", sgx.miscSelect.toString(16).padStart(8, "0")],
    ["CONFIGID", unlessZero(sgx.configId)],
    ["CONFIGSVN", sgx.configSvn === 0 ? undefined : String(sgx.configSvn)],
    ["ISVEXTPRODID", unlessZero(sgx.isvExtProdId)],
    ["ISVFAMILYID", unlessZero(sgx.isvFamilyId)],
  ];
}

/** Measurements of a trust domain; byte strings in hex. */
export function tdxFields(tdx: TdxMeasurements): Field[] {
  return [
    ["MRTD", toHex(tdx.mrTd)],
    ...tdx.rtmrs.map((rtmr, index): Field => [`RTMR${index}`, toHex(rtmr)]),
    ["MRCONFIGID", unlessZero(tdx.mrConfigId)],
    ["MROWNER", unlessZero(tdx.mrOwner)],
    ["MROWNERCONFIG", unlessZero(tdx.mrOwnerConfig)],
    ["MRSERVICETD", tdx.mrServiceTd && unlessZero(tdx.mrServiceTd)],
    ["TDATTRIBUTES", toHex(tdx.tdAttributes)],
    ["XFAM", toHex(tdx.xfam)],
    ["MRSEAM", toHex(tdx.mrSeam)],
    ["MRSIGNERSEAM", unlessZero(tdx.mrSignerSeam)],
    ["SEAMATTRIBUTES", unlessZero(tdx.seamAttributes)],
    ["TEE_TCB_SVN", toHex(tdx.teeTcbSvn)],
  ];
}

/** Measurements of an SNP guest; byte strings in hex. */
export function snpFields(snp: SnpMeasurements): Field[] {
  return [
    ["measurement", toHex(snp.measurement)],
    ["guest policy", `0x${snp.policy.toString(16)}`],
    ["VMPL", String(snp.vmpl)],
    ["guest SVN", String(snp.guestSvn)],
    ["host data", unlessZero(snp.hostData)],
    ["id key digest", unlessZero(snp.idKeyDigest)],
    ["author key digest", unlessZero(snp.authorKeyDigest)],
    ["family id", unlessZero(snp.familyId)],
    ["image id", unlessZero(snp.imageId)],
    ["report id", toHex(snp.reportId)],
  ];
}

/** Any record of byte strings and numbers as JSON has it: bytes in hex, 64-bit integers as "0x30000". */
export function jsonRecord(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, jsonValue(value)]),
  );
}

function jsonValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (Array.isArray(value)) return value.map(jsonValue);
  return typeof value === "object" && value !== null ? jsonRecord({ ...value }) : value;
}

/** What is zero unless somebody used it is left out of what people read. */
const unlessZero = (bytes: Uint8Array): string | undefined =>
  isZero(bytes) ? undefined : toHex(bytes);

/** Whether every byte is zero. */
export const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** "0500000000000000 e700000000000000": flags, XFRM. */
const spaced = (bytes: Uint8Array): string =>
  `${toHex(bytes.subarray(0, 8))} ${toHex(bytes.subarray(8))}`;
