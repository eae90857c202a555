/** Whether a report is signed by its signer's key and says what AMD certified of that key. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { concatBytes, equalBytes, toHex } from "../../base/bytes.ts";
import type { Certificate } from "../endorsements/certificate.ts";
import type { SnpSigner } from "../endorsements/vcek.ts";
import type { SnpReport } from "../evidence/snp-report.ts";
import { productOfReport } from "../evidence/snp-tcb.ts";
import type { Checklist } from "./checklist.ts";

/** SIGNATURE_ALGO: ECDSA P-384 with SHA-384. */
const ECDSA_P384_SHA384 = 1;
/** R and S each stand in a field of that size, little-endian, above 48 bytes always zero. */
const FIELD_BYTES = 72;
const P384_BYTES = 48;

/**
 * Notes every reason why the report is not by this signer.
 *
 * @param leaf  holds the key
 * @param signer  what AMD certified; undefined if that was unreadable, and then only the signature is checked
 */
export function checkSnpReport(
  checklist: Checklist,
  report: SnpReport,
  leaf: Certificate,
  signer: SnpSigner | undefined,
): void {
  checkSignature(checklist, report, leaf);
  if (signer === undefined) return;
  checklist.note(
    report.signingKey === signer.kind,
    "snp-signing-key-mismatch",
    "report: says that this kind of key signed it",
    String(report.signingKey),
    signer.kind,
  );
  checklist.note(
    equalBytes(report.reportedTcb, signer.tcb),
    "snp-tcb-mismatch",
    "report: its TCB is the one that the key was made for",
    () => toHex(report.reportedTcb),
    toHex(signer.tcb),
  );
  checkProcessor(checklist, report, signer);
  checkChip(checklist, report, signer);
}

function checkSignature(checklist: Checklist, report: SnpReport, leaf: Certificate): void {
  const { signature, signatureAlgorithm } = report;
  checklist.note(
    signatureAlgorithm === ECDSA_P384_SHA384,
    "snp-signature-algorithm-unknown",
    "report: signed by ECDSA P-384 with SHA-384",
    signatureAlgorithm,
    ECDSA_P384_SHA384,
  );
  const [r, s] = [0, 1].map((index) =>
    signature.slice(index * FIELD_BYTES, index * FIELD_BYTES + P384_BYTES).reverse(),
  );
  if (r === undefined || s === undefined) return;
  // Nothing signs these bytes: left alone, they would carry whatever anyone writes there.
  checklist.note(
    isPaddingZero(signature),
    "snp-signature-padding",
    "report: nothing beside the signature",
    "other bytes",
    "zeros",
  );
  checklist.note(
    isSignedBy(leaf, report.signedBytes, concatBytes(r, s)),
    "snp-signature-invalid",
    "report: signed by its signer's key",
    "a signature that does not verify",
    `a signature by ${leaf.commonName}`,
  );
}

const isPaddingZero = (signature: Uint8Array): boolean =>
  signature.every(
    (byte, index) => byte === 0 || (index < 2 * FIELD_BYTES && index % FIELD_BYTES < P384_BYTES),
  );

function isSignedBy(leaf: Certificate, signed: Uint8Array, signature: Uint8Array): boolean {
  if (leaf.publicKeyKind !== "ec-p384") return false;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(leaf.publicKeyDer), format: "der", type: "spki" });
  } catch {
    // A point that is not on its curve.
    return false;
  }
  return verify("sha384", signed, { key, dsaEncoding: "ieee-p1363" }, signature);
}

/** From version 3 on a report names its processor; before, only the certificate says what it is. */
function checkProcessor(checklist: Checklist, report: SnpReport, signer: SnpSigner): void {
  const { cpu } = report;
  if (cpu === undefined) return;
  checklist.note(
    productOfReport(report) === signer.product,
    "snp-product-mismatch",
    "report: made by a processor of the certified product",
    () => `family ${cpu.family} model ${cpu.model}`,
    signer.product,
  );
}

/** A VLEK names no chip, and a host may withhold the chip's id: then it is zero. */
function checkChip(checklist: Checklist, report: SnpReport, signer: SnpSigner): void {
  const { hardwareId } = signer;
  if (hardwareId === undefined) return;
  const isMasked = report.chipId.every((byte) => byte === 0);
  checklist.note(
    isMasked || equalBytes(report.chipId.subarray(0, hardwareId.byteLength), hardwareId),
    "snp-chip-id-mismatch",
    isMasked ? "report: names no chip" : "report: made by the certified chip",
    () => toHex(report.chipId),
    toHex(hardwareId),
  );
}
