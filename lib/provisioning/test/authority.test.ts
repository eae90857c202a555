import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { certificatePem, readCertificate } from "../../base/certificate.ts";
import type { FederationId, Name, UnixMs } from "../../base/ids.ts";
import { generateSigningKey } from "../../base/keys.ts";
import { Secret } from "../../base/secret.ts";
import { hasOpenssl, openssl } from "../../base/testing/openssl.ts";
import { createAuthority, generateAuthorityKey, restoreAuthority } from "../authority.ts";
import { AUTHORITY_LIFETIME_MS, LEAF_LIFETIME_MS } from "../certificate-profile.ts";
import { verifyMemberCertificate } from "../member-certificate.ts";
import { TEST_FEDERATION_ID, testAuthority } from "../testing/test-authority.ts";

const NOW_MS = Date.UTC(2026, 5, 1, 12) as UnixMs;
const DAY_MS = 24 * 3600 * 1000;
const { authority, trust } = testAuthority(NOW_MS);
const request = {
  role: "client" as const,
  member: "hospital-a" as Name,
  publicKeyDer: generateSigningKey().publicKeyDer,
  untrustedNowMs: NOW_MS,
};
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey;
const compressed = Buffer.concat([
  Buffer.from("3039301306072a8648ce3d020106082a8648ce3d030107032200", "hex"),
  Buffer.from([2 + (request.publicKeyDer.at(-1)! & 1)]),
  request.publicKeyDer.subarray(27, 59),
]);

test.each([
  ["a P-384 key", { publicKeyDer: p384.export({ type: "spki", format: "der" }) }, "wrong-curve"],
  ["a compressed point", { publicKeyDer: compressed }, "wrong-curve"],
  ["a point off the curve", { publicKeyDer: offCurve(request.publicKeyDer) }, "wrong-curve"],
  [
    "bytes after the key",
    { publicKeyDer: Uint8Array.of(...request.publicKeyDer, 0) },
    "wrong-curve",
  ],
  ["less than a minute", { lifetimeMs: 59_999 }, "lifetime-out-of-range"],
  ["more than 30 days", { lifetimeMs: 30 * DAY_MS + 1 }, "lifetime-out-of-range"],
  ["no number as lifetime", { lifetimeMs: Number.NaN }, "lifetime-out-of-range"],
])("issues nothing for %s", (_what, deviation, code) => {
  const issue = () => authority.issueCertificate({ ...request, ...deviation });
  expect(issue).toThrow(expect.objectContaining({ code }));
});

test.each(["reducer", "combiner", "client", "admin"] as const)(
  "what it issues to role %s passes as exactly that member",
  (role) => {
    const issued = authority.issueCertificate({ ...request, role });
    const certificate = readCertificate(issued.certificateChain[0]);
    expect(verifyMemberCertificate(certificate, trust, NOW_MS)).toMatchObject({
      role,
      member: "hospital-a",
      publicKeyDer: request.publicKeyDer,
      notAfterMs: issued.notAfterMs,
    });
    expect(issued.notAfterMs).toBe(NOW_MS + LEAF_LIFETIME_MS);
    expect(Date.parse(certificate.validFrom)).toBe(NOW_MS - 300_000);
    expect(issued.certificateChain[1]).toEqual(trust.caCertificate);
  },
);

test("a leaf never outlives its authority", () => {
  const late = (NOW_MS + AUTHORITY_LIFETIME_MS - 3_600_000) as UnixMs;
  const issued = authority.issueCertificate({ ...request, untrustedNowMs: late });
  expect(issued.notAfterMs).toBe(NOW_MS + AUTHORITY_LIFETIME_MS);
});

test("serial numbers are positive, 16 bytes long and new each time", () => {
  for (const fill of [0x00, 0xff]) {
    const constant = createAuthority({
      federationId: TEST_FEDERATION_ID,
      key: generateAuthorityKey(),
      randomness: { bytes: (size) => new Uint8Array(size).fill(fill) },
      untrustedNowMs: NOW_MS,
    });
    const [leaf] = constant.issueCertificate(request).certificateChain;
    expect(readCertificate(leaf).serialNumber).toMatch(
      fill === 0 ? /^40(00){15}$/ : /^7F(FF){15}$/,
    );
  }
  const serials = [1, 2].map(
    () => readCertificate(authority.issueCertificate(request).certificateChain[0]).serialNumber,
  );
  expect(new Set(serials).size).toBe(2);
});

test("an authority restored from its key issues under the same certificate", () => {
  const restored = restoreAuthority({
    federationId: TEST_FEDERATION_ID,
    privateKeyDer: authority.exportPrivateKey(),
    caCertificate: authority.caCertificate,
    randomness: { bytes: (size) => new Uint8Array(size) },
  });
  const [leaf] = restored.issueCertificate(request).certificateChain;
  expect(verifyMemberCertificate(readCertificate(leaf), trust, NOW_MS).member).toBe("hospital-a");
});

test.each([
  ["another P-384 key", { privateKeyDer: testAuthority(NOW_MS).authority.exportPrivateKey() }],
  ["a P-256 key", { privateKeyDer: pkcs8(generateSigningKey().privateKey) }],
  ["bytes that are no key", { privateKeyDer: new Secret(new Uint8Array(185)) }],
  ["another federation's id", { federationId: `${"b".repeat(51)}a` as FederationId }],
])("is not restored from %s", (_what, deviation) => {
  const restore = () =>
    restoreAuthority({
      federationId: TEST_FEDERATION_ID,
      privateKeyDer: authority.exportPrivateKey(),
      caCertificate: authority.caCertificate,
      randomness: { bytes: (size) => new Uint8Array(size) },
      ...deviation,
    });
  expect(restore).toThrow(expect.objectContaining({ code: "wrong-authority-key" }));
});

test("the exported key prints as a secret", () => {
  const exported = authority.exportPrivateKey();
  expect(String(exported)).toBe("[secret]");
  expect(() => JSON.stringify({ exported })).toThrow();
  const key = createPrivateKey({
    key: Buffer.from(exported.reveal()),
    format: "der",
    type: "pkcs8",
  });
  expect(key.asymmetricKeyDetails?.namedCurve).toBe("secp384r1");
});

test("OpenSSL's strict check accepts the chain and prints the extensions of the profile", (context) => {
  if (!hasOpenssl) return context.skip();
  const directory = mkdtempSync(path.join(tmpdir(), "fedclave-authority-"));
  try {
    const [leaf, ca] = authority
      .issueCertificate({ ...request, role: "combiner" })
      .certificateChain.map((der, index) => {
        const file = path.join(directory, `${index}.pem`);
        writeFileSync(file, certificatePem(der));
        return file;
      });
    const at = ["-attime", String(NOW_MS / 1000), "-x509_strict", "-CAfile", ca!];
    const verified = openssl("verify", ...at, "-purpose", "sslserver", leaf!);
    expect(verified).toContain("OK");
    const text = openssl("x509", "-noout", "-text", "-in", leaf!);
    expect(text).toMatch(/Signature Algorithm: ecdsa-with-SHA384/);
    expect(text).toMatch(/Basic Constraints: critical\n\s+CA:FALSE/);
    expect(text).toMatch(/X509v3 Key Usage: critical\n\s+Digital Signature\n/);
    expect(text).toMatch(/Extended Key Usage: critical/);
    expect(text).toMatch(/Authority Key Identifier/);
    const caText = openssl("x509", "-noout", "-text", "-in", ca!);
    expect(caText).toMatch(/Basic Constraints: critical\n\s+CA:TRUE, pathlen:0/);
    expect(caText).toMatch(/X509v3 Key Usage: critical\n\s+Certificate Sign, CRL Sign\n/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function offCurve(publicKeyDer: Uint8Array): Uint8Array {
  const bad = publicKeyDer.slice();
  bad[bad.byteLength - 1]! ^= 1;
  return bad;
}

function pkcs8(key: { export(options: { type: "pkcs8"; format: "der" }): Buffer }) {
  return new Secret(new Uint8Array(key.export({ type: "pkcs8", format: "der" })));
}
