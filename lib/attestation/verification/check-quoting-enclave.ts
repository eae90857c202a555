/** Whether the enclave that made a quote is Intel's, and vouches for the key that signed it. */
import type { KeyObject } from "node:crypto";
import { equalBytes, sha256, toHex } from "../../base/bytes.ts";
import type { QeIdentity } from "../endorsements/qe-identity.ts";
import type { Quote } from "../evidence/quote.ts";
import { isDebugEnclave, type SgxReport } from "../evidence/sgx-report.ts";
import type { Checklist } from "./checklist.ts";
import { readPoint, verifyRaw } from "./raw-signature.ts";
import { type MatchedLevel, matchIsvLevel } from "./tcb-level.ts";

/** The vendor identifier that Intel's quoting enclaves write into quotes. */
const INTEL_VENDOR = "939a7233f79c4ca9940a0db3957f0607";
const HALF_BYTES = 32;
/** Where a report holds MISCSELECT, 4 bytes. */
const MISC_SELECT_OFFSET = 16;

/** Checks the signatures of a quote: PCK over the quoting enclave, that enclave over the key, the key over the rest. */
export function checkSignatures(
  checklist: Checklist,
  quote: Omit<Quote, "body">,
  pckKey: KeyObject | undefined,
): void {
  const { report, signature, authData } = quote.quotingEnclave;
  checklist.note(
    toHex(quote.qeVendorId) === INTEL_VENDOR,
    "qe-vendor-unknown",
    "quote: made by Intel's quoting enclave",
    () => toHex(quote.qeVendorId),
    INTEL_VENDOR,
  );
  checklist.note(
    verifyRaw(pckKey, report.bytes, signature),
    "qe-report-signature-invalid",
    "QE report: signed by the platform's PCK",
    pckKey === undefined ? "no PCK to verify with" : "a signature that does not verify",
    "a signature by the PCK",
  );
  const wanted = sha256(quote.attestationKey, authData);
  const isBound =
    equalBytes(report.reportData.subarray(0, HALF_BYTES), wanted) &&
    report.reportData.subarray(HALF_BYTES).every((byte) => byte === 0);
  checklist.note(
    isBound,
    "qe-report-data-mismatch",
    "QE report: binds the attestation key and all of the QE's data",
    () => toHex(report.reportData),
    () => `${toHex(wanted)}, then zeros`,
  );
  const key = readPoint(quote.attestationKey);
  checklist.note(
    key !== undefined,
    "attestation-key-invalid",
    "quote: attestation key is a point of P-256",
    () => toHex(quote.attestationKey),
    "a point of P-256",
  );
  checklist.note(
    verifyRaw(key, quote.toBeSigned, quote.signature),
    "quote-signature-invalid",
    "quote: signed by the attestation key",
    "a signature that does not verify",
    "a signature over header and body",
  );
}

/**
 * Holds the quoting enclave against its identity.
 * @returns its level, if it reaches one
 */
export function checkQeIdentity(
  checklist: Checklist,
  report: SgxReport,
  identity: QeIdentity,
): MatchedLevel | undefined {
  const { measurements } = report;
  checklist.note(
    !isDebugEnclave(measurements),
    "qe-debug",
    "QE: its host cannot look inside",
    () => toHex(measurements.attributes),
    "no DEBUG attribute",
  );
  checklist.note(
    equalBytes(measurements.mrSigner, identity.mrSigner),
    "qe-mrsigner-mismatch",
    "QE: signed by Intel",
    () => toHex(measurements.mrSigner),
    () => toHex(identity.mrSigner),
  );
  checklist.note(
    measurements.isvProdId === identity.isvProdId,
    "qe-prodid-mismatch",
    "QE: is a quoting enclave for this TEE",
    measurements.isvProdId,
    identity.isvProdId,
  );
  checklist.note(
    equalUnder(identity.attributesMask, measurements.attributes, identity.attributes),
    "qe-attributes-mismatch",
    "QE: attributes",
    () => toHex(measurements.attributes),
    () => `${toHex(identity.attributes)} under ${toHex(identity.attributesMask)}`,
  );
  const miscSelect = report.bytes.subarray(MISC_SELECT_OFFSET, MISC_SELECT_OFFSET + 4);
  checklist.note(
    equalUnder(identity.miscSelectMask, miscSelect, identity.miscSelect),
    "qe-miscselect-mismatch",
    "QE: MISCSELECT",
    () => toHex(miscSelect),
    () => `${toHex(identity.miscSelect)} under ${toHex(identity.miscSelectMask)}`,
  );
  const level = matchIsvLevel(identity.levels, measurements.isvSvn);
  checklist.note(
    level !== undefined,
    "qe-tcb-level-not-found",
    "QE: reaches a level of its identity",
    `ISVSVN ${measurements.isvSvn}`,
    () => `${Math.min(...identity.levels.map(({ isvSvn }) => isvSvn))} or higher`,
  );
  return level;
}

/** Whether two fields agree in the bits of a mask. All have the same length. */
export const equalUnder = (mask: Uint8Array, seen: Uint8Array, wanted: Uint8Array): boolean =>
  seen.every((byte, index) => ((byte ^ (wanted[index] ?? 0)) & (mask[index] ?? 0)) === 0);
