import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCertificate } from "../certificate.ts";
import {
  authorityKeyId,
  basicConstraints,
  crlDistributionPoint,
  crlNumber,
  keyUsage,
  subjectKeyId,
} from "../certificate-extensions.ts";
import {
  type CertificateExtension,
  type DistinguishedName,
  NAME_PART,
  writeCertificate,
} from "../certificate-writer.ts";
import { type CrlFields, writeCrl } from "../crl-writer.ts";
import { curveSigner, type DerSigner, type SigningAlgorithm } from "../der-signature.ts";
import { enumerated } from "../der-writer.ts";
import type { UnixMs } from "../ids.ts";
import { hasOpenssl, openssl } from "../testing/openssl.ts";

const NOW_MS = Date.UTC(2026, 5, 1) as UnixMs;
const NEXT_MONTH_MS = Date.UTC(2026, 6, 1) as UnixMs;
const NAME: DistinguishedName = [
  { oid: NAME_PART.country, text: "XX", kind: "printable" },
  { oid: NAME_PART.organization, text: "Größe", kind: "utf8" },
  { oid: NAME_PART.commonName, text: "root", kind: "utf8" },
];

const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

test.each<[SigningAlgorithm, KeyObject]>([
  ["ecdsa-sha256", p256],
  ["ecdsa-sha256", p384],
  ["ecdsa-sha384", p384],
  ["ecdsa-sha512", p384],
  ["rsa-sha256", rsa],
  ["rsa-sha384", rsa],
  ["rsa-pss-sha384", rsa],
])("Node reads a certificate signed with %s and finds its signature good", (algorithm, key) => {
  const certificate = readCertificate(selfSigned({ privateKey: key, algorithm }));
  expect(certificate.verify(createPublicKey(key))).toBe(true);
  expect(certificate.subject).toBe("C=XX\nO=Größe\nCN=root");
  expect(certificate.ca).toBe(true);
});

test("a curve has its usual hash, and another key none", () => {
  expect(curveSigner(p256).algorithm).toBe("ecdsa-sha256");
  expect(curveSigner(p384).algorithm).toBe("ecdsa-sha384");
  expect(() => curveSigner(rsa)).toThrow(/invariant/);
});

describe.skipIf(!hasOpenssl)("OpenSSL", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "fedclave-writer-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("prints every extension, and raw bytes as they were given", () => {
    const extensions: CertificateExtension[] = [
      keyUsage("digitalSignature", "nonRepudiation"),
      crlDistributionPoint("https://crl.example/root.der"),
      { oid: "1.2.3.4", critical: false, value: Buffer.from("plain text") },
    ];
    const file = write("leaf.der", selfSigned(curveSigner(p256), extensions));
    const text = openssl("x509", "-noout", "-text", "-in", file);
    expect(text).toMatch(/Key Usage: critical\n\s+Digital Signature, Non Repudiation\n/);
    expect(text).toContain("URI:https://crl.example/root.der");
    expect(text).toMatch(/1\.2\.3\.4: *\n\s+plain text\n/);
  });

  test.each<[string, DerSigner]>([
    ["ECDSA", curveSigner(p256)],
    ["RSA-PSS", { privateKey: rsa, algorithm: "rsa-pss-sha384" }],
  ])("verifies a revocation list of %s, and sees what it revokes", (_what, signer) => {
    const root = selfSigned(signer);
    const crl = write("list.der", revocationList(signer));
    const text = openssl("crl", "-noout", "-text", "-in", crl);
    expect(text).toMatch(/CRL Number: *\n\s+300\n/);
    expect(text).toMatch(/Serial Number: 8001\n\s+Revocation Date: May 31 00:00:00 2026 GMT/);
    expect(text).toMatch(/CRL Reason Code: *\n\s+Key Compromise/);
    const pem = write("root.pem", Buffer.from(readCertificate(root).toString()));
    expect(openssl("crl", "-noout", "-in", crl, "-CAfile", pem)).toContain("verify OK");
  });

  test("reads a revocation list that revokes nothing", () => {
    const file = write("empty.der", revocationList(curveSigner(p256), { revoked: [] }));
    expect(openssl("crl", "-noout", "-text", "-in", file)).toContain("No Revoked Certificates.");
  });

  function write(name: string, bytes: Uint8Array): string {
    const file = path.join(folder, name);
    writeFileSync(file, bytes);
    return file;
  }
});

function selfSigned(signer: DerSigner, more: readonly CertificateExtension[] = []): Uint8Array {
  const spki = createPublicKey(signer.privateKey).export({ type: "spki", format: "der" });
  return writeCertificate(
    {
      serial: Uint8Array.of(1),
      issuer: NAME,
      subject: NAME,
      notBeforeMs: NOW_MS,
      notAfterMs: NEXT_MONTH_MS,
      publicKeyDer: spki,
      extensions:
        more.length > 0
          ? more
          : [basicConstraints({}), keyUsage("keyCertSign", "cRLSign"), subjectKeyId(spki)],
    },
    signer,
  );
}

function revocationList(signer: DerSigner, deviation: Partial<CrlFields> = {}): Uint8Array {
  const spki = createPublicKey(signer.privateKey).export({ type: "spki", format: "der" });
  const keyCompromise = { oid: "2.5.29.21", critical: false, value: enumerated(1) };
  return writeCrl(
    {
      issuer: NAME,
      thisUpdateMs: NOW_MS,
      nextUpdateMs: NEXT_MONTH_MS,
      revoked: [
        {
          serial: Uint8Array.of(0x80, 1),
          revokedAtMs: Date.UTC(2026, 4, 31) as UnixMs,
          extensions: [keyCompromise],
        },
        { serial: Uint8Array.of(7), revokedAtMs: NOW_MS },
      ],
      extensions: [authorityKeyId(spki), crlNumber(300)],
      ...deviation,
    },
    signer,
  );
}
