/** Entries of a bundle file: exact shapes, sizes bounded, contents not looked at. */
import { fromBase64 } from "../../base/base64.ts";
import type { JsonValue } from "../encoding/json-fields.ts";
import { MAX_PEM_CHAIN_BYTES } from "../encoding/pem.ts";
import type { DcapEntry, SnpAuthorityEntry, VcekEntry } from "./bundle.ts";
import { MAX_PART_BYTES } from "./quote-collateral.ts";

const MAX_CERTIFICATE_BYTES = 16 * 1024;
const PRODUCTS = ["Milan", "Genoa", "Turin"] as const;
const COLLATERAL_FIELDS = [
  "pckCrlIssuerChain",
  "rootCaCrl",
  "pckCrl",
  "tcbInfoIssuerChain",
  "tcbInfo",
  "tcbInfoSignature",
  "qeIdentityIssuerChain",
  "qeIdentity",
  "qeIdentitySignature",
] as const;

/** @throws EvidenceError "malformed-collateral" */
export function readDcapEntry(entry: JsonValue): DcapEntry {
  const { get, find } = entry.strictObject(
    ["tee", "fmspc", "pckCa", ...COLLATERAL_FIELDS],
    ["pckCertificateChain"],
  );
  const pem = (value: JsonValue): string => value.string(undefined, MAX_PEM_CHAIN_BYTES);
  const chain = find("pckCertificateChain");
  return {
    key: {
      tee: get("tee").oneOf(["sgx", "tdx"]),
      fmspc: get("fmspc").string(/^[0-9a-f]{12}$/),
      pckCa: get("pckCa").oneOf(["platform", "processor"]),
    },
    collateral: {
      pckCrlIssuerChain: pem(get("pckCrlIssuerChain")),
      rootCaCrl: base64(get("rootCaCrl"), MAX_PART_BYTES),
      pckCrl: base64(get("pckCrl"), MAX_PART_BYTES),
      tcbInfoIssuerChain: pem(get("tcbInfoIssuerChain")),
      tcbInfo: get("tcbInfo").string(undefined, MAX_PART_BYTES),
      tcbInfoSignature: base64(get("tcbInfoSignature"), 64),
      qeIdentityIssuerChain: pem(get("qeIdentityIssuerChain")),
      qeIdentity: get("qeIdentity").string(undefined, MAX_PART_BYTES),
      qeIdentitySignature: base64(get("qeIdentitySignature"), 64),
      ...(chain && { pckCertificateChain: pem(chain) }),
    },
  };
}

/** @throws EvidenceError "malformed-collateral" */
export function readVcekEntry(entry: JsonValue): VcekEntry {
  const { get } = entry.strictObject(["product", "chipId", "reportedTcb", "certificate"]);
  const tcb = get("reportedTcb").strictObject(["bootloader", "tee", "snp", "microcode"], ["fmc"]);
  const fmc = tcb.find("fmc");
  return {
    key: {
      product: get("product").oneOf(PRODUCTS),
      chipId: get("chipId").hex(64),
      reportedTcb: {
        ...(fmc && { fmc: fmc.integer(0, 255) }),
        bootloader: tcb.get("bootloader").integer(0, 255),
        tee: tcb.get("tee").integer(0, 255),
        snp: tcb.get("snp").integer(0, 255),
        microcode: tcb.get("microcode").integer(0, 255),
      },
    },
    certificate: base64(get("certificate"), MAX_CERTIFICATE_BYTES),
  };
}

/** @throws EvidenceError "malformed-collateral" */
export function readSnpAuthorityEntry(entry: JsonValue): SnpAuthorityEntry {
  const { get, find } = entry.strictObject(["product", "signingKey", "chain"], ["crl"]);
  const crl = find("crl");
  return {
    key: {
      product: get("product").oneOf(PRODUCTS),
      signingKey: get("signingKey").oneOf(["vcek", "vlek"]),
    },
    authority: {
      chain: get("chain")
        .array(2, 2)
        .map((each) => base64(each, MAX_CERTIFICATE_BYTES)),
      ...(crl && { crl: base64(crl, MAX_PART_BYTES) }),
    },
  };
}

function base64(value: JsonValue, maxBytes: number): Uint8Array {
  const bytes = fromBase64(value.string(undefined, 4 * Math.ceil(maxBytes / 3)));
  if (bytes === undefined) throw value.error("not base64");
  return bytes;
}
