/** What PCS and PCCS answer: documents in bodies, certificate chains in headers. */
import { fromHex } from "../../base/bytes.ts";
import { certificatePem } from "../../base/certificate.ts";
import { findPemBlocks } from "../encoding/pem.ts";
import { parseCrl } from "../endorsements/crl.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import { EvidenceError } from "../evidence-error.ts";
import type { HttpAnswer } from "./http-get.ts";
import { cutSignedJson } from "./signed-json.ts";

const DER_SEQUENCE = 0x30;

/**
 * A revocation list in any of the spellings in use: DER as was asked for, hex (PCCS, always for the root's list), PEM
 * (PCS, unless asked).
 * @returns DER
 * @throws EvidenceError "malformed-collateral" | "malformed-crl" | "malformed-pem"
 */
export function readCrl({ body }: HttpAnswer): Uint8Array {
  const der = body[0] === DER_SEQUENCE ? body : derOfText(Buffer.from(body).toString("latin1"));
  if (der === undefined) {
    throw new EvidenceError("malformed-collateral", "no revocation list in DER, hex or PEM");
  }
  parseCrl(der);
  return der;
}

function derOfText(text: string): Uint8Array | undefined {
  const hex = fromHex(text.trim().toLowerCase());
  if (hex !== undefined && hex.byteLength > 0) return hex;
  const [block, ...others] = findPemBlocks(text);
  return block?.label === "X509 CRL" && others.length === 0 ? block.der : undefined;
}

/** @throws EvidenceError */
export const readPckCrl = (
  answer: HttpAnswer,
): Pick<DcapCollateral, "pckCrl" | "pckCrlIssuerChain"> => ({
  pckCrl: readCrl(answer),
  pckCrlIssuerChain: readIssuerChain(answer, ["sgx-pck-crl-issuer-chain"]),
});

/** @throws EvidenceError */
export function readTcbInfo(
  answer: HttpAnswer,
): Pick<DcapCollateral, "tcbInfo" | "tcbInfoSignature" | "tcbInfoIssuerChain"> {
  const { text, signature } = cutSignedJson(answer.body, "tcbInfo");
  // The second name is that of version 3 of the interface, which caches have kept for longer than Intel.
  const names = ["tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain"];
  const tcbInfoIssuerChain = readIssuerChain(answer, names);
  return { tcbInfo: text, tcbInfoSignature: signature, tcbInfoIssuerChain };
}

/** @throws EvidenceError */
export function readQeIdentity(
  answer: HttpAnswer,
): Pick<DcapCollateral, "qeIdentity" | "qeIdentitySignature" | "qeIdentityIssuerChain"> {
  const { text, signature } = cutSignedJson(answer.body, "enclaveIdentity");
  const qeIdentityIssuerChain = readIssuerChain(answer, ["sgx-enclave-identity-issuer-chain"]);
  return { qeIdentity: text, qeIdentitySignature: signature, qeIdentityIssuerChain };
}

/**
 * A chain from a percent-encoded header, written again in the one PEM spelling that the verifier reads: services
 * differ in line ends, and nobody signs them.
 */
function readIssuerChain(answer: HttpAnswer, names: readonly string[]): string {
  const encoded = names.map(answer.header).find((value) => value !== undefined);
  if (encoded === undefined) {
    throw new EvidenceError("malformed-collateral", `no header ${names.join(" or ")}`);
  }
  const certificates = findPemBlocks(percentDecoded(encoded));
  if (certificates.length === 0 || certificates.some(({ label }) => label !== "CERTIFICATE")) {
    throw new EvidenceError("malformed-collateral", `no certificates in header ${names[0]}`);
  }
  return certificates.map(({ der }) => certificatePem(der)).join("");
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new EvidenceError("malformed-collateral", "a header is not percent-encoded", { cause });
  }
}
