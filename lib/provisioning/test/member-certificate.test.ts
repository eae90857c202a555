import { createHash, X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { certificatePem, readCertificate } from "../../base/certificate.ts";
import { implicit, octetString, sequence } from "../../base/der-writer.ts";
import type { FederationId, Name, Role, UnixMs } from "../../base/ids.ts";
import { generateSigningKey } from "../../base/keys.ts";
import { generateAuthorityKey } from "../authority.ts";
import {
  basicConstraints,
  CLIENT_AUTH,
  certificateName,
  extendedKeyUsage,
  FEDCLAVE_ARC,
  leafKeyUsage,
  ROLE_KEY_USAGE,
  SERVER_AUTH,
} from "../certificate-profile.ts";
import { joiningKey, selfSignedIdentity, verifyMemberCertificate } from "../member-certificate.ts";
import { ProvisioningError } from "../provisioning-error.ts";
import { type Deviation, deviatingCertificate } from "../testing/deviating-certificate.ts";
import { TEST_FEDERATION_ID, testAuthority } from "../testing/test-authority.ts";

const NOW_MS = Date.UTC(2026, 5, 1, 12) as UnixMs;
const { authority, trust, key } = testAuthority(NOW_MS);
const uri = (rest: string) => ({ uris: [`fedclave://${TEST_FEDERATION_ID}/${rest}`] });
const otherFederation = `${"b".repeat(51)}a`;

test("the certificate that all deviations start from is accepted", () => {
  const certificate = readCertificate(deviatingCertificate(key, NOW_MS, {}));
  expect(verifyMemberCertificate(certificate, trust, NOW_MS)).toMatchObject({
    federationId: TEST_FEDERATION_ID,
    role: "client",
    member: "hospital-a",
    notAfterMs: NOW_MS + 1_800_000,
  });
});

const deviations: [string, Deviation, string][] = [
  [
    "signed by another authority of the same name",
    { signer: generateAuthorityKey() },
    "not-issued-by-federation",
  ],
  [
    "signed by the right key under another issuer's name",
    { fields: { issuer: certificateName("else", "someone") } },
    "not-issued-by-federation",
  ],
  ["that could issue others", { isAuthority: true }, "is-authority"],
  [
    "beginning a second from now",
    { fields: { notBeforeMs: (NOW_MS + 1000) as UnixMs } },
    "not-yet-valid",
  ],
  ["ended a second ago", { fields: { notAfterMs: (NOW_MS - 1000) as UnixMs } }, "expired"],
  ["without a name", { alternativeNames: undefined }, "bad-member-uri"],
  ["with no name in its list", { uris: [] }, "bad-member-uri"],
  [
    "with two names of ours",
    {
      uris: [
        `fedclave://${TEST_FEDERATION_ID}/client/hospital-a`,
        `fedclave://${TEST_FEDERATION_ID}/client/hospital-b`,
      ],
    },
    "bad-member-uri",
  ],
  [
    "with a DNS name before ours",
    {
      alternativeNames: {
        oid: "2.5.29.17",
        critical: false,
        value: sequence(
          implicit(2, Buffer.from("example.org")),
          implicit(6, Buffer.from(`fedclave://${TEST_FEDERATION_ID}/client/hospital-a`)),
        ),
      },
    },
    "bad-member-uri",
  ],
  [
    "with our name as a DNS name",
    {
      alternativeNames: {
        oid: "2.5.29.17",
        critical: false,
        value: sequence(
          implicit(2, Buffer.from(`fedclave://${TEST_FEDERATION_ID}/client/hospital-a`)),
        ),
      },
    },
    "bad-member-uri",
  ],
  [
    "with a DNS name that prints like a second name",
    {
      alternativeNames: {
        oid: "2.5.29.17",
        critical: false,
        value: sequence(
          implicit(2, Buffer.from(`x, URI:fedclave://${TEST_FEDERATION_ID}/client/hospital-a`)),
        ),
      },
    },
    "bad-member-uri",
  ],
  [
    "with a URI of another scheme",
    { uris: [`spiffe://${TEST_FEDERATION_ID}/client/hospital-a`] },
    "bad-member-uri",
  ],
  ["with a longer path", uri("client/hospital-a/x"), "bad-member-uri"],
  ["with a line break after its name", uri("client/hospital-a\n"), "bad-member-uri"],
  ["with a NUL in its name", uri("client/hospital-a\0.b"), "bad-member-uri"],
  [
    "of another federation",
    { uris: [`fedclave://${otherFederation}/client/hospital-a`] },
    "wrong-federation",
  ],
  ["of an unknown role", uri("auditor/hospital-a"), "unknown-role"],
  ["of a role inherited from Object", uri("constructor/hospital-a"), "unknown-role"],
  ["of a member in upper case", uri("client/Hospital"), "bad-member-name"],
  ["of a member without a name", uri("client/"), "bad-member-name"],
  ["of a member with 64 characters", uri(`client/${"a".repeat(64)}`), "bad-member-name"],
  ["without extended key usage", { keyUsage: undefined }, "wrong-key-usage"],
  ["that may also serve", { keyUsage: [SERVER_AUTH, ...ROLE_KEY_USAGE.client] }, "wrong-key-usage"],
  ["without its role's usage", { keyUsage: [CLIENT_AUTH] }, "wrong-key-usage"],
  ["with only its role's usage", { keyUsage: [`${FEDCLAVE_ARC}.1.3`] }, "wrong-key-usage"],
  ["with another role's usage", { keyUsage: ROLE_KEY_USAGE.admin }, "wrong-key-usage"],
  [
    "with a usage repeated",
    { keyUsage: [CLIENT_AUTH, ...ROLE_KEY_USAGE.client] },
    "wrong-key-usage",
  ],
  ["around a P-384 key", { fields: { publicKeyDer: key.publicKeyDer } }, "wrong-curve"],
];

test.each(deviations)("refuses a certificate %s", (_what, deviation, code) => {
  const certificate = readCertificate(deviatingCertificate(key, NOW_MS, deviation));
  const verify = () => verifyMemberCertificate(certificate, trust, NOW_MS);
  expect(verify).toThrow(ProvisioningError);
  expect(verify).toThrow(expect.objectContaining({ code }));
});

test("a certificate of one role is refused under the name of every other", () => {
  const roles = Object.keys(ROLE_KEY_USAGE) as Role[];
  for (const named of roles) {
    for (const used of roles) {
      const deviation = { ...uri(`${named}/m`), keyUsage: ROLE_KEY_USAGE[used] };
      const certificate = readCertificate(deviatingCertificate(key, NOW_MS, deviation));
      const verify = () => verifyMemberCertificate(certificate, trust, NOW_MS);
      if (named === used) expect(verify().role).toBe(named);
      else expect(verify).toThrow(expect.objectContaining({ code: "wrong-key-usage" }));
    }
  }
});

test("it is valid from its first to the end of its last second", () => {
  const certificate = readCertificate(deviatingCertificate(key, NOW_MS, {}));
  const at = (ms: number) => () => verifyMemberCertificate(certificate, trust, ms as UnixMs);
  expect(at(NOW_MS - 1_800_000)).not.toThrow();
  expect(at(NOW_MS - 1_800_001)).toThrow(expect.objectContaining({ code: "not-yet-valid" }));
  expect(at(NOW_MS + 1_800_999)).not.toThrow();
  expect(at(NOW_MS + 1_801_000)).toThrow(expect.objectContaining({ code: "expired" }));
  expect(at(Number.NaN)).toThrow(expect.objectContaining({ code: "not-yet-valid" }));
});

test("the authority's own certificate is no member", () => {
  const verify = () => verifyMemberCertificate(readCertificate(trust.caCertificate), trust, NOW_MS);
  expect(verify).toThrow(expect.objectContaining({ code: "is-authority" }));
});

test("a member of another federation is refused, though both have the same name", () => {
  const other = testAuthority(NOW_MS);
  const issued = other.authority.issueCertificate({
    role: "client",
    member: "hospital-a" as Name,
    publicKeyDer: generateSigningKey().publicKeyDer,
    untrustedNowMs: NOW_MS,
  });
  const certificate = readCertificate(issued.certificateChain[0]);
  expect(() => verifyMemberCertificate(certificate, trust, NOW_MS)).toThrow(
    expect.objectContaining({ code: "not-issued-by-federation" }),
  );
});

test("a member is refused where another federation is expected of the same authority", () => {
  const certificate = readCertificate(deviatingCertificate(key, NOW_MS, {}));
  const elsewhere = { ...trust, federationId: otherFederation as FederationId };
  expect(() => verifyMemberCertificate(certificate, elsewhere, NOW_MS)).toThrow(
    expect.objectContaining({ code: "wrong-federation" }),
  );
});

test("no flipped bit of a certificate leaves it acceptable", () => {
  const good = deviatingCertificate(key, NOW_MS, {});
  for (let index = 0; index < good.byteLength; index += 1) {
    const bad = good.slice();
    bad[index]! ^= 1 << (index % 8);
    expect(() => verifyMemberCertificate(readCertificate(bad), trust, NOW_MS)).toThrow();
  }
});

test("a genuine certificate hidden in an attacker's is not read in its place", () => {
  const genuine = certificatePem(deviatingCertificate(key, NOW_MS, {}));
  const attacker = generateSigningKey();
  const der = deviatingCertificate(generateAuthorityKey(), NOW_MS, {
    fields: {
      publicKeyDer: attacker.publicKeyDer,
      extensions: [
        basicConstraints(false),
        leafKeyUsage,
        extendedKeyUsage(ROLE_KEY_USAGE.client),
        {
          oid: `${FEDCLAVE_ARC}.99`,
          critical: false,
          value: octetString(Buffer.from(`\n${genuine}`)),
        },
      ],
    },
  });
  // What readCertificate is there for: Node's constructor takes the inner one.
  expect(new X509Certificate(der).raw.equals(der)).toBe(false);
  expect(readCertificate(der).raw.equals(der)).toBe(true);
  expect(joiningKey(readCertificate(der)).spkiDigest).toBe(attacker.spkiDigest);
});

test("a self-signed certificate says whose key it is and passes for no member", () => {
  const joining = generateSigningKey();
  const [der] = selfSignedIdentity(joining.privateKey).certificateChain;
  const certificate = readCertificate(der!);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(joiningKey(certificate)).toEqual({
    publicKeyDer: joining.publicKeyDer,
    spkiDigest: createHash("sha256").update(joining.publicKeyDer).digest("hex"),
  });
  expect(() => verifyMemberCertificate(certificate, trust, NOW_MS)).toThrow(
    expect.objectContaining({ code: "not-issued-by-federation" }),
  );
});

test("a self-signed certificate around a P-384 key cannot join", () => {
  const certificate = readCertificate(authority.caCertificate);
  expect(() => joiningKey(certificate)).toThrow(expect.objectContaining({ code: "wrong-curve" }));
});
