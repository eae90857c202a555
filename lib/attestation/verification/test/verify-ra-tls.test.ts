import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { sha256, utf8 } from "../../../base/bytes.ts";
import { certificatePem, readCertificate } from "../../../base/certificate.ts";
import type { CertificateExtension } from "../../../base/certificate-writer.ts";
import { digestOf } from "../../../base/ids.ts";
import type { CborValue } from "../../encoding/cbor.ts";
import { parseRaTlsCertificate } from "../../evidence/ra-tls-certificate.ts";
import { flips } from "../../testing/damage.ts";
import {
  boundTo,
  diceExtension,
  encodedClaims,
  hashClaim,
  keyClaims,
  legacyExtension,
  RA_TLS_KEY,
  type RaTlsDeviation,
  raTlsCertificate,
  spkiOf,
} from "../../testing/ra-tls-fixture.ts";
import type { SgxClaims } from "../claims.ts";
import { type QuoteVerifier, verifyRaTls } from "../verify-ra-tls.ts";

const P256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const RSA = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const SPKI = spkiOf(RA_TLS_KEY);
const NONCE = Uint8Array.of(1, 2, 3);
const bytes = (value: Uint8Array): CborValue => ({ kind: "bytes", bytes: value });
const KEY_HASH = hashClaim(1n, sha256(SPKI));
const withNonce = encodedClaims({ "pubkey-hash": KEY_HASH, nonce: bytes(NONCE) });

/** What a genuine quote would give; which one is not what is tested here. */
const ATTESTED = { tee: "sgx" } as SgxClaims;
const genuine: QuoteVerifier = () => ({ checks: [{ claim: "quote" }], claims: ATTESTED });
const notGenuine: QuoteVerifier = () => ({
  checks: [
    {
      claim: "quote",
      refusal: { code: "quote-signature-invalid", seen: "another", wanted: "one" },
    },
  ],
});

const foreign = (oid: string, value: Uint8Array = NONCE): CertificateExtension => ({
  oid,
  critical: false,
  value,
});
const OPEN_ENCLAVE = foreign("1.2.840.113556.10.1.1");
const SGX_SDK = foreign("1.2.840.113741.1.13.1");
const DICE = diceExtension(keyClaims(RA_TLS_KEY));
const LEGACY = legacyExtension(boundTo(SPKI));
const claims = (entries: Readonly<Record<string, CborValue>>): RaTlsDeviation => ({
  extensions: [diceExtension(encodedClaims(entries))],
});
const reportData = (value: Uint8Array): RaTlsDeviation => ({
  extensions: [diceExtension(keyClaims(RA_TLS_KEY), value)],
});

test.each<[string, RaTlsDeviation, string]>([
  ["signed with another key", { signer: P256 }, "self-signature-invalid"],
  [
    "with a critical extension that nobody knows",
    { extensions: [DICE, { ...foreign("1.2.3.4"), critical: true }] },
    "critical-extension-unknown",
  ],
  ["without evidence", { extensions: [] }, "no-evidence"],
  ["with a local report", { extensions: [diceExtension(NONCE, undefined, 60001n)] }, "no-evidence"],
  ["with evidence of Open Enclave", { extensions: [OPEN_ENCLAVE] }, "no-evidence"],
  ["with the older evidence of the SGX SDK alone", { extensions: [SGX_SDK] }, "no-evidence"],
  [
    "with evidence of DICE and of Open Enclave",
    { extensions: [DICE, OPEN_ENCLAVE] },
    "several-evidences",
  ],
  [
    "with older evidence of Gramine and of the SGX SDK",
    { extensions: [LEGACY, SGX_SDK] },
    "several-evidences",
  ],
  ["with no hash of its key among the claims", claims({}), "public-key-not-bound"],
  [
    "with nothing but a nonce among the claims",
    claims({ nonce: bytes(NONCE) }),
    "public-key-not-bound",
  ],
  [
    "with the hash of another key",
    { extensions: [diceExtension(keyClaims(P256))] },
    "public-key-not-bound",
  ],
  [
    "with a shortened hash",
    claims({ "pubkey-hash": hashClaim(2n, sha256(SPKI).subarray(0, 16)) }),
    "public-key-not-bound",
  ],
  [
    "with a shortened hash under the name of the whole",
    claims({ "pubkey-hash": hashClaim(1n, sha256(SPKI).subarray(0, 16)) }),
    "public-key-not-bound",
  ],
  [
    "with an empty hash",
    claims({ "pubkey-hash": hashClaim(1n, new Uint8Array()) }),
    "public-key-not-bound",
  ],
  [
    "with the right hash under the name of another",
    claims({ "pubkey-hash": hashClaim(7n, sha256(SPKI)) }),
    "public-key-not-bound",
  ],
  [
    "with a hash of no known algorithm",
    claims({ "pubkey-hash": hashClaim(-1n, sha256(SPKI)) }),
    "public-key-not-bound",
  ],
  ["over other claims", reportData(boundTo(withNonce)), "report-data-mismatch"],
  ["over its key and not its claims", reportData(boundTo(SPKI)), "report-data-mismatch"],
  ["over zeros", reportData(new Uint8Array(64)), "report-data-mismatch"],
  [
    "with something in the upper half of the report data",
    reportData(boundTo(keyClaims(RA_TLS_KEY)).with(63, 1)),
    "report-data-mismatch",
  ],
  [
    "with something at the start of the upper half",
    reportData(boundTo(keyClaims(RA_TLS_KEY)).with(32, 1)),
    "report-data-mismatch",
  ],
  [
    "in Gramine's older form over another key",
    { extensions: [legacyExtension(boundTo(spkiOf(P256)))] },
    "public-key-not-bound",
  ],
  [
    "in Gramine's older form with something in the upper half",
    { extensions: [legacyExtension(boundTo(SPKI).with(32, 1))] },
    "report-data-mismatch",
  ],
  [
    "whose DICE evidence is bad, though Gramine's older is good",
    { extensions: [LEGACY, diceExtension(keyClaims(P256))] },
    "public-key-not-bound",
  ],
])("refuses a certificate %s", (_what, deviation, code) => {
  const { claims: found, codes } = verified(raTlsCertificate(deviation));
  expect(codes).toEqual([code]);
  expect(found).toBeUndefined();
});

test("a quote that is not genuine is refused for its own reasons", () => {
  const { codes, claims: found } = verified(raTlsCertificate(), undefined, notGenuine);
  expect(codes).toEqual(["quote-signature-invalid"]);
  expect(found).toBeUndefined();
});

test("every reason is given at once", () => {
  const evidence = diceExtension(keyClaims(P256), new Uint8Array(64));
  const certificate = raTlsCertificate({ signer: P256, extensions: [evidence] });
  expect(verified(certificate, NONCE, notGenuine).codes).toEqual([
    "self-signature-invalid",
    "public-key-not-bound",
    "report-data-mismatch",
    "nonce-mismatch",
    "quote-signature-invalid",
  ]);
});

test.each<[string, RaTlsDeviation]>([
  ["in Gramine's older form", { extensions: [LEGACY] }],
  ["in both of Gramine's forms", { extensions: [LEGACY, DICE] }],
  ["with a DICE form beside a bad older one", { extensions: [foreign(LEGACY.oid), DICE] }],
  ["of the SGX SDK, which has an older form too", { extensions: [DICE, SGX_SDK] }],
  ["with the SHA-384 of its key", { extensions: [diceExtension(keyClaims(RA_TLS_KEY, "sha384"))] }],
  ["with the SHA-512 of its key", { extensions: [diceExtension(keyClaims(RA_TLS_KEY, "sha512"))] }],
  ["whose evidence is critical", { extensions: [{ ...DICE, critical: true }] }],
  ["of a P-256 key", { key: P256 }],
  ["of an RSA key", { key: RSA }],
])("accepts a certificate %s", (_what, deviation) => {
  const { claims: found, codes } = verified(raTlsCertificate(deviation));
  expect(codes).toEqual([]);
  const spki = spkiOf(deviation.key ?? RA_TLS_KEY);
  expect(found).toMatchObject({ attested: ATTESTED, publicKeyDer: spki, otherClaims: [] });
  expect(found?.spkiDigest).toBe(digestOf(spki));
});

describe("a nonce that was asked for", () => {
  const certificate = raTlsCertificate({ extensions: [diceExtension(withNonce)] });

  test("is found and reported", () => {
    expect(verified(certificate, NONCE).claims).toMatchObject({ nonce: NONCE });
  });

  test.each([
    ["another", certificate, Uint8Array.of(1, 2, 4)],
    ["a longer one", certificate, Uint8Array.of(1, 2, 3, 0)],
    ["none", raTlsCertificate(), NONCE],
    ["none, for lack of claims", raTlsCertificate({ extensions: [LEGACY] }), NONCE],
  ])("refuses a certificate with %s", (_what, der, asked) => {
    expect(verified(der, asked).codes).toEqual(["nonce-mismatch"]);
  });

  test("is not missed where none was asked for, and one that is there is reported", () => {
    expect(verified(raTlsCertificate()).claims).not.toHaveProperty("nonce");
    expect(verified(certificate).claims).toMatchObject({ nonce: NONCE });
  });
});

test("claims that nobody understands are facts, by name and in order", () => {
  const value: CborValue = { kind: "text", text: "value" };
  const entries = { "pubkey-hash": KEY_HASH, key_1: value, key_0: value, nonce: bytes(NONCE) };
  expect(verified(raTlsCertificate(claims(entries))).claims).toMatchObject({
    otherClaims: ["key_1", "key_0"],
  });
});

test("dates are reported as the certificate has them", () => {
  expect(verified(raTlsCertificate()).claims).toMatchObject({
    notBeforeMs: Date.UTC(2001, 0, 1),
    notAfterMs: Date.UTC(2030, 0, 1),
  });
});

describe("a genuine certificate as PEM inside an attacker's", () => {
  const innocent = raTlsCertificate();
  // OpenSSL finds PEM at the beginning of a line.
  const hidden = foreign("1.2.3.4", utf8(`\n${certificatePem(innocent)}`));

  test("deceives Node's own constructor, which is why nothing calls it", () => {
    const attacker = raTlsCertificate({ key: P256, extensions: [hidden] });
    expect(new X509Certificate(attacker).raw).toEqual(Buffer.from(innocent));
    expect(readCertificate(attacker).raw).toEqual(Buffer.from(attacker));
  });

  test.each<[string, CertificateExtension[], string]>([
    ["alone", [hidden], "no-evidence"],
    ["beside the genuine evidence", [hidden, DICE], "public-key-not-bound"],
    [
      "in the place of evidence of Open Enclave",
      [{ ...hidden, oid: OPEN_ENCLAVE.oid }],
      "no-evidence",
    ],
  ])("is never read in its place: %s", (_what, extensions, code) => {
    const attacker = raTlsCertificate({ key: P256, extensions });
    expect(parseRaTlsCertificate(attacker).certificate.publicKeyDer).toEqual(spkiOf(P256));
    expect(verified(attacker).codes).toEqual([code]);
  });
});

test("no flipped bit of a certificate leaves it genuine", () => {
  for (const { offset, bytes: damaged } of flips(raTlsCertificate({ key: P256 }), 1)) {
    let found: unknown;
    try {
      found = verified(damaged).claims;
    } catch (error) {
      expect(error).toHaveProperty("code", expect.stringMatching(/^malformed-/));
    }
    expect([offset, found]).toEqual([offset, undefined]);
  }
});

test("PEM text in the place of DER is not read", () => {
  const pem = utf8(certificatePem(raTlsCertificate()));
  expect(() => parseRaTlsCertificate(pem)).toThrow(
    expect.objectContaining({ code: "malformed-certificate" }),
  );
});

function verified(der: Uint8Array, nonce?: Uint8Array, verifyQuote: QuoteVerifier = genuine) {
  const { checks, claims: found } = verifyRaTls(parseRaTlsCertificate(der), nonce, verifyQuote);
  const codes = checks.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal.code]));
  return { codes, claims: found };
}
