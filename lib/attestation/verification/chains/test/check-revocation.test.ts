import { describe, expect, test } from "vitest";
import {
  at,
  type CrlPlan,
  issueCrl,
  KEYS,
  NOW,
  named,
  pckChain,
} from "../../../testing/intel-chain.ts";
import { Checklist } from "../../checklist.ts";
import type { CertificateProfile } from "../certificate-profile.ts";
import { PCK_CHAIN } from "../certificate-profile.ts";
import { checkCrl, checkNotRevoked } from "../check-revocation.ts";

const [pck, ca, root] = pckChain();
const [pckProfile, caProfile, rootProfile] = PCK_CHAIN as readonly [
  CertificateProfile,
  CertificateProfile,
  CertificateProfile,
];

function refusalsOf(plan: Partial<CrlPlan>, issuer = ca!): readonly string[] {
  const checklist = new Checklist();
  const crl = issueCrl(plan);
  const holds = checkCrl(checklist, crl, "pck-crl", "PCK CRL", issuer, caProfile, NOW);
  expect(holds).toBe(checklist.refusals.length === 0);
  return checklist.refusals.map(({ code }) => code);
}

test.each<[string, Partial<CrlPlan>, readonly string[]]>([
  [
    "of another issuer",
    { issuer: named("Intel SGX PCK Processor CA") },
    ["pck-crl-issuer-mismatch"],
  ],
  ["by a stranger", { signedBy: KEYS.stranger }, ["pck-crl-signature-invalid"]],
  ["by the PCK itself", { signedBy: KEYS.leaf }, ["pck-crl-signature-invalid"]],
  ["signed in another way", { algorithm: "ecdsa-sha384" }, ["pck-crl-signature-invalid"]],
  ["from tomorrow on", { thisUpdateMs: at("2025-06-16T00:00:00Z") }, ["pck-crl-not-yet-valid"]],
  ["until yesterday", { nextUpdateMs: at("2025-06-14T00:00:00Z") }, ["pck-crl-expired"]],
  [
    "of the root, in place of the PCK CA's",
    { issuer: named("Intel SGX Root CA"), signedBy: KEYS.root },
    ["pck-crl-issuer-mismatch", "pck-crl-signature-invalid"],
  ],
])("a list %s does not count", (_, plan, codes) => {
  expect(refusalsOf(plan)).toEqual(codes);
});

test("a list by a CA that may not sign lists does not count", () => {
  const [, unfit] = pckChain({ ca: { usages: ["keyCertSign"] } });
  expect(refusalsOf({}, unfit!)).toEqual(["pck-crl-signature-invalid"]);
  const [, silent] = pckChain({ ca: { usages: undefined } });
  expect(refusalsOf({}, silent!)).toEqual(["pck-crl-signature-invalid"]);
});

test("a current list by the CA counts", () => {
  expect(refusalsOf({})).toEqual([]);
});

describe("what a list revokes", () => {
  const revoking = (serial: Uint8Array) =>
    issueCrl({ revoked: [{ serial, revokedAtMs: at("2025-05-01T00:00:00Z") }] });

  test.each([
    ["pck-revoked", pck!, pckProfile],
    ["pck-ca-revoked", ca!, caProfile],
    ["root-revoked", root!, rootProfile],
  ])("%s", (code, certificate, profile) => {
    const checklist = new Checklist();
    const crl = revoking(certificate.serial);
    expect(checkNotRevoked(checklist, certificate, profile, crl)).toBe(false);
    expect(checklist.refusals.map((each) => each.code)).toEqual([code]);
  });

  test("a serial number that begins alike, or lacks a zero, is another", () => {
    for (const serial of [[0x6f], [0x6f, 3, 0], [0x6f, 2], [3]]) {
      const crl = revoking(Uint8Array.from(serial));
      expect(checkNotRevoked(new Checklist(), pck!, pckProfile, crl)).toBe(true);
    }
  });
});
