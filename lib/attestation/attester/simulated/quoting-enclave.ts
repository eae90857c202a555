/** A simulated quoting enclave: holds the attestation key, for which the platform's PCK key vouches. */
import { type KeyObject, sign } from "node:crypto";
import { concatBytes, sha256, toHex, utf8 } from "../../../base/bytes.ts";
import { certificatePem } from "../../../base/certificate.ts";
import type { Secret } from "../../../base/secret.ts";
import { deriveKey, publicPoint } from "./authorities/derived-key.ts";
import { spoiled } from "./authorities/issue-certificate.ts";
import { placed, uint16 } from "./formats/byte-layout.ts";
import { certificationPart } from "./formats/quote-writer.ts";
import {
  BLANK_SGX_MEASUREMENTS,
  SGX_DEBUG_FLAG,
  sgxAttributes,
  writeSgxReport,
} from "./formats/sgx-report-writer.ts";
import type { QeKnobs, QuoteKnobs } from "./knobs/simulator-knobs.ts";
import { cpuSvnOf, type PckChain } from "./pck-chain.ts";
import type { DcapSettings } from "./platform-settings.ts";

/** The part of a platform that makes quotes. */
export type QuotingEnclave = {
  /** P-256; signs quotes. */
  readonly attestationKey: KeyObject;
  /** What follows the signature in every quote. */
  readonly certification: Uint8Array;
};

/** MRSIGNER of the simulated quoting enclaves: nobody's key has this hash. */
export const QE_MRSIGNER = sha256(utf8("fedclave/simulated-quoting-enclave/1"));
/** ISVPRODID by TEE. */
export const QE_PRODUCT_IDS = { sgx: 1, tdx: 2 } as const;

/** The enclave of a platform. */
export function openQuotingEnclave(given: {
  readonly seed: Secret<Uint8Array>;
  readonly settings: DcapSettings;
  readonly chain: PckChain;
  readonly qe: QeKnobs;
  readonly quote: QuoteKnobs;
}): QuotingEnclave {
  const { settings, chain, qe } = given;
  const attestationKey = deriveKey(given.seed, "P-256", `attestation/${toHex(settings.ppid)}`);
  const point = publicPoint(attestationKey, "P-256");
  const shownPoint = qe.attestationKey === "right" ? point : spoiled(point);
  const authenticationData = Uint8Array.from(
    { length: qe.authenticationBytes },
    (_, index) => index & 0xff,
  );
  const report = qeReport(settings, qe, shownPoint, authenticationData);
  const signature = new Uint8Array(
    sign("sha256", report, { key: chain.signer.signer.privateKey, dsaEncoding: "ieee-p1363" }),
  );
  const certification = certificationPart(settings.quoteVersion, {
    attestationKey: shownPoint,
    report,
    reportSignature: qe.reportSignature === "right" ? signature : spoiled(signature),
    authenticationData,
    ...certificationData(settings, chain, given.quote),
  });
  return { attestationKey, certification };
}

function qeReport(
  settings: DcapSettings,
  qe: QeKnobs,
  attestationKey: Uint8Array,
  authenticationData: Uint8Array,
): Uint8Array {
  const hashed =
    qe.hashedAuthenticationBytes === "all"
      ? authenticationData
      : authenticationData.subarray(0, qe.hashedAuthenticationBytes);
  const productId = QE_PRODUCT_IDS[settings.tee];
  return writeSgxReport({
    ...BLANK_SGX_MEASUREMENTS,
    cpuSvn: cpuSvnOf(settings),
    mrEnclave: sha256(QE_MRSIGNER, uint16(qe.isvSvn)),
    mrSigner: qe.mrSigner === "known" ? QE_MRSIGNER : sha256(QE_MRSIGNER),
    isvProdId: qe.isvProdId === "known" ? productId : productId + 100,
    isvSvn: qe.isvSvn,
    attributes: sgxAttributes(qe.attributeFlags | (qe.isDebug ? SGX_DEBUG_FLAG : 0)),
    miscSelect: qe.miscSelect,
    reportData: placed(64, [[0, sha256(attestationKey, hashed)]]),
  });
}

function certificationData(
  settings: DcapSettings,
  chain: PckChain,
  { certificationType, namedPlatform }: QuoteKnobs,
) {
  if (certificationType === 1) {
    const names = concatBytes(
      namedPlatform === "same" ? settings.ppid : spoiled(settings.ppid),
      cpuSvnOf(settings),
      uint16(settings.pceSvn),
      settings.pceId,
    );
    return { certificationType, certificationData: names };
  }
  // Intel's library ends the text with NUL.
  const pem = `${chain.certificates.map(certificatePem).join("")}\0`;
  return { certificationType, certificationData: utf8(pem) };
}
