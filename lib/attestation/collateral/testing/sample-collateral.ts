/** Endorsements that read well and vouch for nothing, for tests of what carries them. */
import { generateKeyPairSync } from "node:crypto";
import { certificatePem } from "../../../base/certificate.ts";
import { basicConstraints, crlNumber } from "../../../base/certificate-extensions.ts";
import { NAME_PART, writeCertificate } from "../../../base/certificate-writer.ts";
import { writeCrl } from "../../../base/crl-writer.ts";
import { curveSigner } from "../../../base/der-signature.ts";
import type { UnixMs } from "../../../base/ids.ts";
import type { DcapCollateral } from "../../endorsements/dcap-collateral.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const nameOf = (text: string) => [{ oid: NAME_PART.commonName, text, kind: "utf8" }] as const;

/** ECDSA signs differently each time, so that each sample is made once. */
const certificates = new Map<string, Uint8Array>();
const crls = new Map<number, Uint8Array>();

/** A certificate of that name, by itself, DER; the same at every call. */
export function sampleCertificate(name: string): Uint8Array {
  const made = certificates.get(name) ?? makeCertificate(name);
  certificates.set(name, made);
  return made;
}

/** An empty revocation list, DER; the same at every call. */
export function sampleCrl(number: number): Uint8Array {
  const made = crls.get(number) ?? makeCrl(number);
  crls.set(number, made);
  return made;
}

const makeCertificate = (name: string): Uint8Array =>
  writeCertificate(
    {
      serial: Uint8Array.of(1),
      issuer: nameOf(name),
      subject: nameOf(name),
      notBeforeMs: Date.UTC(2020, 0, 1) as UnixMs,
      notAfterMs: Date.UTC(2049, 0, 1) as UnixMs,
      publicKeyDer: publicKey.export({ type: "spki", format: "der" }),
      extensions: [basicConstraints({})],
    },
    curveSigner(privateKey),
  );

const makeCrl = (number: number): Uint8Array =>
  writeCrl(
    {
      issuer: nameOf("issuer"),
      thisUpdateMs: Date.UTC(2026, 0, 1) as UnixMs,
      nextUpdateMs: Date.UTC(2026, 1, 1) as UnixMs,
      revoked: [],
      extensions: [crlNumber(number)],
    },
    curveSigner(privateKey),
  );

/** A chain in canonical PEM. */
export const samplePem = (...names: readonly string[]): string =>
  names.map((name) => certificatePem(sampleCertificate(name))).join("");

/** Signed text with everything that a careless cut would stumble over. */
export const sampleTcbInfo = (fmspc: string, tee: "SGX" | "TDX" = "SGX"): string =>
  `{"id":"${tee}","fmspc":"${fmspc}", "note":"a \\"signature\\":, }] \\\\","deep":{"signature":[1,{"tcbInfo":2}]}\n}`;

/** A set whose every part is another. */
export const sampleCollateral = (fmspc: string, tee: "SGX" | "TDX" = "SGX"): DcapCollateral => ({
  pckCrlIssuerChain: samplePem("Intel SGX PCK Processor CA", "Intel SGX Root CA"),
  rootCaCrl: sampleCrl(1),
  pckCrl: sampleCrl(2),
  tcbInfoIssuerChain: samplePem("Intel SGX TCB Signing", "Intel SGX Root CA"),
  tcbInfo: sampleTcbInfo(fmspc, tee),
  tcbInfoSignature: new Uint8Array(64).fill(3),
  qeIdentityIssuerChain: samplePem("Intel SGX TCB Signing", "Intel SGX Root CA"),
  qeIdentity: `{"id":"${tee === "SGX" ? "QE" : "TD_QE"}","é":"ü"}`,
  qeIdentitySignature: new Uint8Array(64).fill(4),
});
