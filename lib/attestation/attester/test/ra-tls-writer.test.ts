import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { sha256, toHex } from "../../../base/bytes.ts";
import { certificatePem } from "../../../base/certificate.ts";
import type { DistinguishedName } from "../../../base/certificate-writer.ts";
import { hasOpenssl, openssl } from "../../../base/testing/openssl.ts";
import { parseRaTlsCertificate } from "../../evidence/ra-tls-certificate.ts";
import { boundTo, spkiOf, unsignedQuote } from "../../testing/ra-tls-fixture.ts";
import type { SgxClaims } from "../../verification/claims.ts";
import { verifyRaTls } from "../../verification/verify-ra-tls.ts";
import { type Attester, AttesterError, type Evidence } from "../attester.ts";
import { writeRaTlsCertificate } from "../ra-tls-writer.ts";

const P384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
const P256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const P521 = generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey;

const attesterGiving = (evidence: (reportData: Uint8Array) => Evidence): Attester => ({
  kind: "simulated",
  attest: async (reportData) => evidence(reportData),
});
const attester = attesterGiving((reportData) => ({
  kind: "dcap-quote",
  bytes: unsignedQuote(reportData),
}));

test.each<[string, Attester, string]>([
  [
    "an SNP report",
    attesterGiving((bytes) => ({ kind: "snp-report", bytes, certificates: [] })),
    "no-evidence",
  ],
  [
    "a quote over other bytes",
    attesterGiving((reportData) => ({
      kind: "dcap-quote",
      bytes: unsignedQuote(reportData.with(63, 1)),
    })),
    "wrong-report-data",
  ],
  [
    "no quote at all",
    attesterGiving(() => {
      throw new AttesterError("not-in-tee", "no device");
    }),
    "not-in-tee",
  ],
  [
    "bytes that are no quote",
    attesterGiving((bytes) => ({ kind: "dcap-quote", bytes })),
    "malformed-quote",
  ],
])("writes nothing when the attester gives %s", async (_what, giving, code) => {
  const writing = writeRaTlsCertificate({ attester: giving, privateKey: P384, nonce: undefined });
  await expect(writing).rejects.toMatchObject({ code });
});

test("writes nothing over a key that Gramine's verifier would not take", async () => {
  const writing = writeRaTlsCertificate({ attester, privateKey: P521, nonce: undefined });
  await expect(writing).rejects.toThrow(/invariant/);
});

test.each<[string, KeyObject]>([
  ["P-384", P384],
  ["P-256", P256],
])("what is written over a %s key binds it and the nonce", async (_curve, privateKey) => {
  const nonce = Uint8Array.of(7, 8);
  const der = await writeRaTlsCertificate({ attester, privateKey, nonce });
  const genuine = () => ({ checks: [], claims: { tee: "sgx" } as SgxClaims });
  const { claims } = verifyRaTls(parseRaTlsCertificate(der), nonce, genuine);
  expect(claims).toMatchObject({ form: "tcg-dice", nonce, otherClaims: [] });
  expect(claims?.publicKeyDer).toEqual(spkiOf(privateKey));
});

/** The constants are read off a certificate of Gramine's own (`ratls/gramine-cert.pem` of the shared test data). */
test("is what Gramine writes, but for its older extension and NULL after the algorithm", async () => {
  const der = await writeRaTlsCertificate({
    attester,
    privateKey: P384,
    nonce: undefined,
    subject: GRAMINE_SUBJECT,
  });
  const name =
    "3039310e300c06035504030c055241544c53311a3018060355040a0c114772616d696e65446576656c6f70657273310b3009060355040613025553";
  const claims = `a16b7075626b65792d68617368582482015820${toHex(sha256(spkiOf(P384)))}`;
  const quote = toHex(unsignedQuote(boundTo(Buffer.from(claims, "hex"))));
  const evidence = `d9ea608259${size(quote)}${quote}5833${claims}`;
  const keyId = toHex(sha256(spkiOf(P384)).subarray(0, 20));
  const extensions = [
    "30090603551d1304023000",
    `301d0603551d0e04160414${keyId}`,
    `301f0603551d23041830168014${keyId}`,
    sequence(`06066781050504090482${size(evidence)}${evidence}`),
  ];
  const list = sequence(extensions.join(""));
  const body = [
    "a003020102",
    "020101",
    "300a06082a8648ce3d040302",
    name,
    "301e170d3031303130313030303030305a170d3330313233313233353935395a",
    name,
    toHex(spkiOf(P384)),
    `a382${size(list)}${list}`,
  ];
  const { certificate } = parseRaTlsCertificate(der);
  expect(toHex(certificate.toBeSigned)).toBe(sequence(body.join("")));
});

test.skipIf(!hasOpenssl)("OpenSSL reads it, and finds its self-signature good", async () => {
  const der = await writeRaTlsCertificate({ attester, privateKey: P256, nonce: undefined });
  const folder = mkdtempSync(path.join(tmpdir(), "fedclave-ra-tls-"));
  try {
    const file = path.join(folder, "certificate.pem");
    writeFileSync(file, certificatePem(der));
    const text = openssl("x509", "-noout", "-text", "-in", file);
    expect(text).toMatch(/Subject: CN ?= ?RATLS, O ?= ?Fedclave\n/);
    expect(text).toMatch(/Basic Constraints: *\n\s+CA:FALSE/);
    expect(text).toMatch(/2\.23\.133\.5\.4\.9: *\n/);
    const at = String(Date.UTC(2026, 0, 1) / 1000);
    const verdict = openssl("verify", "-check_ss_sig", "-attime", at, "-CAfile", file, file);
    expect(verdict).toContain("OK");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const GRAMINE_SUBJECT: DistinguishedName = [
  { oid: "2.5.4.3", text: "RATLS", kind: "utf8" },
  { oid: "2.5.4.10", text: "GramineDevelopers", kind: "utf8" },
  { oid: "2.5.4.6", text: "US", kind: "printable" },
];

/** Length of hex in bytes as 4 digits. */
const size = (hex: string): string => (hex.length / 2).toString(16).padStart(4, "0");

const sequence = (hex: string): string => `3082${size(hex)}${hex}`;
