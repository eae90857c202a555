/**
 * The layout in which Intel's quote verification library and most tools pass collateral around (QuoteCollateralV3 as
 * JSON): one set, PEM as text, lists and signatures in hex, signed documents as they are.
 */
import { toHex } from "../../base/bytes.ts";
import { parseJson } from "../encoding/json-fields.ts";
import { MAX_PEM_CHAIN_BYTES, parsePemChain } from "../encoding/pem.ts";
import { parseCertificate } from "../endorsements/certificate.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import { EvidenceError } from "../evidence-error.ts";
import type { DcapPlatformKey } from "./collateral-source.ts";

/** One part of a set. */
export const MAX_PART_BYTES = 1024 * 1024;
const MAX_FILE_LENGTH = 8 * MAX_PART_BYTES;
const SIGNATURE_BYTES = 64;

const REQUIRED = [
  "pck_crl_issuer_chain",
  "root_ca_crl",
  "pck_crl",
  "tcb_info_issuer_chain",
  "tcb_info",
  "tcb_info_signature",
  "qe_identity_issuer_chain",
  "qe_identity",
  "qe_identity_signature",
] as const;

/**
 * Reads a set. What its parts say is not looked at; the case of hex digits and the layout of the JSON around the parts
 * may vary.
 * @throws EvidenceError "malformed-collateral" | "too-large"
 */
export function parseQuoteCollateral(text: string): DcapCollateral {
  const { get, find } = parseJson(text, "malformed-collateral", MAX_FILE_LENGTH).strictObject(
    REQUIRED,
    ["pck_certificate_chain"],
  );
  const chain = find("pck_certificate_chain");
  return {
    pckCrlIssuerChain: get("pck_crl_issuer_chain").string(undefined, MAX_PEM_CHAIN_BYTES),
    rootCaCrl: get("root_ca_crl").hexUpTo(MAX_PART_BYTES),
    pckCrl: get("pck_crl").hexUpTo(MAX_PART_BYTES),
    tcbInfoIssuerChain: get("tcb_info_issuer_chain").string(undefined, MAX_PEM_CHAIN_BYTES),
    tcbInfo: get("tcb_info").string(undefined, MAX_PART_BYTES),
    tcbInfoSignature: get("tcb_info_signature").hex(SIGNATURE_BYTES),
    qeIdentityIssuerChain: get("qe_identity_issuer_chain").string(undefined, MAX_PEM_CHAIN_BYTES),
    qeIdentity: get("qe_identity").string(undefined, MAX_PART_BYTES),
    qeIdentitySignature: get("qe_identity_signature").hex(SIGNATURE_BYTES),
    ...(chain && { pckCertificateChain: chain.string(undefined, MAX_PEM_CHAIN_BYTES) }),
  };
}

/** The same layout as text, for other tools. */
export function writeQuoteCollateral(set: DcapCollateral): string {
  const fields = {
    pck_crl_issuer_chain: set.pckCrlIssuerChain,
    root_ca_crl: toHex(set.rootCaCrl),
    pck_crl: toHex(set.pckCrl),
    tcb_info_issuer_chain: set.tcbInfoIssuerChain,
    tcb_info: set.tcbInfo,
    tcb_info_signature: toHex(set.tcbInfoSignature),
    qe_identity_issuer_chain: set.qeIdentityIssuerChain,
    qe_identity: set.qeIdentity,
    qe_identity_signature: toHex(set.qeIdentitySignature),
    pck_certificate_chain: set.pckCertificateChain,
  };
  return `${JSON.stringify(fields, null, 1)}\n`;
}

/**
 * Which platform a set says it is for. Nothing of it is verified: it serves to find a set, not to believe it.
 * @throws EvidenceError
 */
export function platformOf(set: DcapCollateral): DcapPlatformKey {
  const { get, find } = parseJson(set.tcbInfo, "malformed-collateral", MAX_PART_BYTES).openObject(
    ["fmspc"],
    ["id"],
  );
  // TCB info of version 2 has no id: there was SGX only.
  const id = find("id")?.oneOf(["SGX", "TDX"]) ?? "SGX";
  const [issuer = new Uint8Array()] = parsePemChain(set.pckCrlIssuerChain);
  const { commonName = "" } = parseCertificate(issuer);
  const [, ca] = /^Intel SGX PCK (Platform|Processor) CA$/.exec(commonName) ?? [];
  if (ca === undefined) {
    throw new EvidenceError("malformed-collateral", `"${commonName}" issues no PCK certificates`);
  }
  return {
    tee: id === "SGX" ? "sgx" : "tdx",
    fmspc: toHex(get("fmspc").hex(6)),
    pckCa: ca === "Platform" ? "platform" : "processor",
  };
}
