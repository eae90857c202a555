/** DCAP quotes of versions 3, 4 and 5 (Intel SGX and TDX DCAP quoting library API, appendices A.3 and A.4). */
import { concatBytes } from "../../../../base/bytes.ts";
import { exactly, placed, uint16, uint32 } from "./byte-layout.ts";

/** "sgx" and the two forms of a TD. */
export type QuoteBodyKind = "sgx" | "td-1.0" | "td-1.5";

/** What is written before the body, reserved fields aside. */
export type QuoteHeader = {
  readonly version: 3 | 4 | 5;
  readonly body: QuoteBodyKind;
  /** Of the quoting enclave and the PCE; version 3 alone has room for them. */
  readonly qeSvn: number;
  readonly pceSvn: number;
  /** 16 bytes: who wrote the quoting enclave. */
  readonly qeVendorId: Uint8Array;
  /** 20 bytes. */
  readonly userData: Uint8Array;
};

/** What vouches for the attestation key; the same in every quote of a platform. */
export type QuotingEnclave = {
  /** x ‖ y, 64 bytes. */
  readonly attestationKey: Uint8Array;
  /** 384 bytes. */
  readonly report: Uint8Array;
  /** r ‖ s by the PCK key, 64 bytes. */
  readonly reportSignature: Uint8Array;
  readonly authenticationData: Uint8Array;
  /** 5: PEM of [PCK, PCK CA, root]. 1: names of the platform, for a verifier that finds the chain elsewhere. */
  readonly certificationType: 1 | 5;
  readonly certificationData: Uint8Array;
};

/** ECDSA over P-256 with SHA-256. */
const ATTESTATION_KEY_TYPE = 2;
const TEE_TYPES: Readonly<Record<QuoteBodyKind, number>> = {
  sgx: 0x00,
  "td-1.0": 0x81,
  "td-1.5": 0x81,
};
/** Version 5 says what follows the header. */
const BODY_TYPES: Readonly<Record<QuoteBodyKind, number>> = { sgx: 1, "td-1.0": 2, "td-1.5": 3 };
/** From version 4 on the quoting enclave's report is certification data itself. */
const QE_REPORT_CERTIFICATION = 6;

/** What the attestation key signs: header, in version 5 a description of the body, body. */
export function signedPart(header: QuoteHeader, body: Uint8Array): Uint8Array {
  const head = placed(48, [
    [0, uint16(header.version)],
    [2, uint16(ATTESTATION_KEY_TYPE)],
    [4, uint32(TEE_TYPES[header.body])],
    [8, uint16(header.version === 3 ? header.qeSvn : 0)],
    [10, uint16(header.version === 3 ? header.pceSvn : 0)],
    [12, exactly(16, header.qeVendorId)],
    [28, exactly(20, header.userData)],
  ]);
  const description =
    header.version === 5 ? [uint16(BODY_TYPES[header.body]), uint32(body.byteLength)] : [];
  return concatBytes(head, ...description, body);
}

/**
 * Everything in a quote that follows the signature over it. Fixed for a platform, so it is made once.
 * @returns attestation key and certification
 */
export function certificationPart(version: 3 | 4 | 5, qe: QuotingEnclave): Uint8Array {
  const certified = concatBytes(
    exactly(384, qe.report),
    exactly(64, qe.reportSignature),
    uint16(qe.authenticationData.byteLength),
    qe.authenticationData,
    certification(qe.certificationType, qe.certificationData),
  );
  const whole = version === 3 ? certified : certification(QE_REPORT_CERTIFICATION, certified);
  return concatBytes(exactly(64, qe.attestationKey), whole);
}

/** The quote. @param signature  r ‖ s by the attestation key over the signed part, 64 bytes */
export function writeQuote(
  signed: Uint8Array,
  signature: Uint8Array,
  certificationBytes: Uint8Array,
): Uint8Array {
  const length = signature.byteLength + certificationBytes.byteLength;
  return concatBytes(signed, uint32(length), exactly(64, signature), certificationBytes);
}

const certification = (type: number, data: Uint8Array): Uint8Array =>
  concatBytes(uint16(type), uint32(data.byteLength), data);
