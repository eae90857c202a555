/** RA-TLS certificates that deviate from a good one, around SGX quotes that nobody signed. */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { concatBytes, sha256 } from "../../base/bytes.ts";
import { basicConstraints } from "../../base/certificate-extensions.ts";
import {
  type CertificateExtension,
  NAME_PART,
  writeCertificate,
} from "../../base/certificate-writer.ts";
import type { UnixMs } from "../../base/ids.ts";
import {
  certificationPart,
  signedPart,
  writeQuote,
} from "../attester/simulated/formats/quote-writer.ts";
import {
  BLANK_SGX_MEASUREMENTS,
  writeSgxReport,
} from "../attester/simulated/formats/sgx-report-writer.ts";
import type { CborValue } from "../encoding/cbor.ts";
import { writeCbor } from "../encoding/cbor-writer.ts";
import { GRAMINE_LEGACY_EVIDENCE, TCG_DICE_EVIDENCE } from "../evidence/ra-tls-certificate.ts";
import { SGX_REPORT_BYTES } from "../evidence/sgx-report.ts";

/** Key of the certificates, unless a deviation names another. */
export const RA_TLS_KEY = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;

export type RaTlsDeviation = {
  /** The certificate's own key. */
  readonly key?: KeyObject;
  /** The key it is signed with. */
  readonly signer?: KeyObject;
  /** All extensions but basic constraints. */
  readonly extensions?: readonly CertificateExtension[];
};

/** A certificate with the good DICE evidence of its key, but for the deviation; DER. */
export function raTlsCertificate(deviation: RaTlsDeviation = {}): Uint8Array {
  const { key = RA_TLS_KEY, signer = key } = deviation;
  const name = [{ oid: NAME_PART.commonName, text: "RATLS", kind: "utf8" }] as const;
  return writeCertificate(
    {
      serial: Uint8Array.of(1),
      issuer: name,
      subject: name,
      notBeforeMs: Date.UTC(2001, 0, 1) as UnixMs,
      notAfterMs: Date.UTC(2030, 0, 1) as UnixMs,
      publicKeyDer: spkiOf(key),
      extensions: [
        basicConstraints(undefined),
        ...(deviation.extensions ?? [diceExtension(keyClaims(key))]),
      ],
    },
    {
      privateKey: signer,
      algorithm: signer.asymmetricKeyType === "rsa" ? "rsa-sha256" : "ecdsa-sha256",
    },
  );
}

/** SubjectPublicKeyInfo of a private key. */
export const spkiOf = (key: KeyObject): Uint8Array =>
  new Uint8Array(createPublicKey(key).export({ type: "spki", format: "der" }));

/** Encoded claims of a map. */
export const encodedClaims = (entries: Readonly<Record<string, CborValue>>): Uint8Array =>
  writeCbor({ kind: "map", entries: new Map(Object.entries(entries)) });

/** The claim `pubkey-hash`. @param algorithm  its number in the registry, whatever the hash is */
export function hashClaim(algorithm: bigint, hash: Uint8Array): CborValue {
  const items: CborValue[] = [
    { kind: "integer", value: algorithm },
    { kind: "bytes", bytes: hash },
  ];
  return { kind: "bytes", bytes: writeCbor({ kind: "array", items }) };
}

/** Good claims of a key. */
export const keyClaims = (
  key: KeyObject,
  hash: "sha256" | "sha384" | "sha512" = "sha256",
): Uint8Array => {
  const algorithm = { sha256: 1n, sha384: 7n, sha512: 8n }[hash];
  const digest = createHash(hash).update(spkiOf(key)).digest();
  return encodedClaims({ "pubkey-hash": hashClaim(algorithm, new Uint8Array(digest)) });
};

/** DICE evidence over claims. @param reportData  64 bytes; unset means the good ones for the claims */
export function diceExtension(
  claims: Uint8Array,
  reportData: Uint8Array = boundTo(claims),
  tag = 60000n,
): CertificateExtension {
  const items: CborValue[] = [
    { kind: "bytes", bytes: unsignedQuote(reportData) },
    { kind: "bytes", bytes: claims },
  ];
  const value = writeCbor({ kind: "tag", tag, content: { kind: "array", items } });
  return { oid: TCG_DICE_EVIDENCE, critical: false, value };
}

/** Gramine's older evidence. @param reportData  64 bytes */
export const legacyExtension = (reportData: Uint8Array): CertificateExtension => ({
  oid: GRAMINE_LEGACY_EVIDENCE,
  critical: false,
  value: unsignedQuote(reportData),
});

/** Report data that binds bytes: their SHA-256, then zeros. */
export const boundTo = (bytes: Uint8Array): Uint8Array =>
  concatBytes(sha256(bytes), new Uint8Array(32));

/** A quote that reads well and that no platform vouches for. */
export function unsignedQuote(reportData: Uint8Array): Uint8Array {
  const cpuSvn = new Uint8Array(16);
  const report = writeSgxReport({ ...BLANK_SGX_MEASUREMENTS, cpuSvn, reportData });
  const qeVendorId = Buffer.from("939a7233f79c4ca9940a0db3957f0607", "hex");
  const header = { version: 3, body: "sgx", qeSvn: 9, pceSvn: 13 } as const;
  return writeQuote(
    signedPart({ ...header, qeVendorId, userData: new Uint8Array(20) }, report),
    new Uint8Array(64),
    certificationPart(3, {
      attestationKey: new Uint8Array(64),
      report: new Uint8Array(SGX_REPORT_BYTES),
      reportSignature: new Uint8Array(64),
      authenticationData: new Uint8Array(32),
      certificationType: 1,
      certificationData: new Uint8Array(404),
    }),
  );
}
