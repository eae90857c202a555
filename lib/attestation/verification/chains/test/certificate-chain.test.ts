import { describe, expect, test } from "vitest";
import { certificatePem } from "../../../../base/certificate.ts";
import { crlDistributionPoint } from "../../../../base/certificate-extensions.ts";
import type { UnixMs } from "../../../../base/ids.ts";
import type { Certificate } from "../../../endorsements/certificate.ts";
import { readPublicKey } from "../../../endorsements/signature-algorithm.ts";
import {
  at,
  type Deviations,
  GOOD_PLANS,
  issue,
  KEYS,
  NOW,
  named,
  pckChain,
  tcbSigningChain,
} from "../../../testing/intel-chain.ts";
import { Checklist } from "../../checklist.ts";
import { checkChain, checkIssuer, readChain } from "../certificate-chain.ts";
import {
  type ChainProfile,
  PCK_CHAIN,
  PCK_CRL_CHAIN,
  TCB_SIGNING_CHAIN,
} from "../certificate-profile.ts";

function refusalsOf(
  chain: readonly Certificate[],
  profile: ChainProfile = PCK_CHAIN,
  nowMs: UnixMs = NOW,
): readonly string[] {
  const checklist = new Checklist();
  const holds = checkChain(checklist, chain, profile, nowMs);
  const codes = checklist.refusals.map(({ code }) => code);
  expect(holds).toBe(codes.length === 0);
  return codes;
}

const UNKNOWN_EXTENSION = { oid: "1.2.3", critical: true, value: new Uint8Array() };
const END_USAGES = ["digitalSignature"] as const;

test.each<[string, Deviations, readonly string[]]>([
  // Who is who
  ["a PCK named otherwise", { pck: { subject: named("Intel SGX PCK") } }, ["pck-wrong-name"]],
  [
    "a TCB signing key for PCK",
    { pck: { subject: named("Intel SGX TCB Signing") } },
    ["pck-wrong-name"],
  ],
  ["a PCK without a name", { pck: { subject: [] } }, ["pck-wrong-name"]],
  [
    "two names, one of them right",
    { pck: { subject: [...named("Intel SGX PCK Certificate"), ...named("x")] } },
    ["pck-wrong-name"],
  ],
  [
    "a PCK CA named otherwise",
    { ca: { subject: named("Intel SGX PCK CA") }, pck: { issuer: named("Intel SGX PCK CA") } },
    ["pck-ca-wrong-name"],
  ],
  [
    "a root named otherwise",
    { ca: { issuer: named("Root") }, root: { subject: named("Root"), issuer: named("Root") } },
    ["root-wrong-name"],
  ],
  // Who issued whom
  [
    "a PCK of another issuer's name",
    { pck: { issuer: named("Intel SGX PCK Processor CA") } },
    ["pck-issuer-mismatch"],
  ],
  [
    "a PCK CA of another issuer's name",
    { ca: { issuer: named("Intel SGX Root") } },
    ["pck-ca-issuer-mismatch"],
  ],
  [
    "a root of another issuer's name",
    { root: { issuer: named("Cross CA") } },
    ["root-issuer-mismatch"],
  ],
  [
    "the same name, spelled in another type",
    { ca: { issuer: [{ oid: "2.5.4.3", text: "Intel SGX Root CA", kind: "printable" }] } },
    ["pck-ca-issuer-mismatch"],
  ],
  ["a PCK signed by a stranger", { pck: { signedBy: KEYS.stranger } }, ["pck-signature-invalid"]],
  ["a PCK signed by the root", { pck: { signedBy: KEYS.root } }, ["pck-signature-invalid"]],
  ["a PCK signed by itself", { pck: { signedBy: KEYS.leaf } }, ["pck-signature-invalid"]],
  [
    "a PCK CA signed by a stranger",
    { ca: { signedBy: KEYS.stranger } },
    ["pck-ca-signature-invalid"],
  ],
  [
    "a root signed by a stranger",
    { root: { signedBy: KEYS.stranger } },
    ["root-signature-invalid"],
  ],
  // Who may issue
  ["a PCK CA that says it is none", { ca: { authority: undefined } }, ["pck-ca-not-a-ca"]],
  ["a PCK CA that says nothing of it", { ca: { authority: "absent" } }, ["pck-ca-not-a-ca"]],
  ["a PCK CA without keyCertSign", { ca: { usages: ["cRLSign"] } }, ["pck-ca-not-a-ca"]],
  [
    "a PCK CA without any key usage",
    { ca: { usages: undefined } },
    ["pck-ca-wrong-profile", "pck-ca-not-a-ca"],
  ],
  ["a PCK CA without cRLSign", { ca: { usages: ["keyCertSign"] } }, ["pck-ca-wrong-profile"]],
  ["a root that says it is none", { root: { authority: undefined } }, ["root-not-a-ca"]],
  [
    "a root for end certificates only",
    { root: { authority: { pathLength: 0 } } },
    ["root-not-a-ca"],
  ],
  ["a PCK that is an authority", { pck: { authority: {} } }, ["pck-is-a-ca"]],
  [
    "a PCK that may sign certificates",
    { pck: { usages: ["digitalSignature", "keyCertSign"] } },
    ["pck-is-a-ca"],
  ],
  // Algorithms, keys, uses, extensions
  ["a PCK that may not sign", { pck: { usages: ["keyAgreement"] } }, ["pck-wrong-profile"]],
  ["a PCK that does not say what for", { pck: { usages: undefined } }, ["pck-wrong-profile"]],
  ["a PCK signed with SHA-384", { pck: { algorithm: "ecdsa-sha384" } }, ["pck-wrong-profile"]],
  ["a PCK CA signed with SHA-512", { ca: { algorithm: "ecdsa-sha512" } }, ["pck-ca-wrong-profile"]],
  ["a PCK of another curve", { pck: { key: KEYS.p384 } }, ["pck-wrong-profile"]],
  [
    "an unknown critical extension of the PCK",
    { pck: { extra: [UNKNOWN_EXTENSION] } },
    ["pck-wrong-profile"],
  ],
  ["one of the PCK CA", { ca: { extra: [UNKNOWN_EXTENSION] } }, ["pck-ca-wrong-profile"]],
  ["one of the root", { root: { extra: [UNKNOWN_EXTENSION] } }, ["root-wrong-profile"]],
  // Dates
  [
    "a PCK from tomorrow on",
    { pck: { notBeforeMs: at("2025-06-16T12:00:00Z") } },
    ["pck-not-yet-valid"],
  ],
  ["a PCK until yesterday", { pck: { notAfterMs: at("2025-06-14T12:00:00Z") } }, ["pck-expired"]],
  [
    "a PCK CA from tomorrow on",
    { ca: { notBeforeMs: at("2025-06-16T12:00:00Z") } },
    ["pck-ca-not-yet-valid"],
  ],
  [
    "a PCK CA until yesterday",
    { ca: { notAfterMs: at("2025-06-14T12:00:00Z") } },
    ["pck-ca-expired"],
  ],
  [
    "a root from tomorrow on",
    { root: { notBeforeMs: at("2025-06-16T12:00:00Z") } },
    ["root-not-yet-valid"],
  ],
  [
    "a root until yesterday",
    { root: { notAfterMs: at("2025-06-14T12:00:00Z") } },
    ["root-expired"],
  ],
])("%s is refused for that alone", (_, deviations, codes) => {
  expect(refusalsOf(pckChain(deviations))).toEqual(codes);
});

describe("keys that act as what they are not", () => {
  test("a PCK key that issues another PCK", () => {
    const real = issue(GOOD_PLANS.pck);
    const forged = issue({
      ...GOOD_PLANS.pck,
      issuer: GOOD_PLANS.pck.subject,
      signedBy: KEYS.leaf,
    });
    expect(refusalsOf([forged, real, issue(GOOD_PLANS.root)])).toEqual([
      "pck-ca-wrong-name",
      "pck-ca-wrong-profile",
      "pck-ca-not-a-ca",
      "pck-ca-issuer-mismatch",
      "pck-ca-signature-invalid",
    ]);
  });

  test("a TCB signing key, which the root did certify, that issues a PCK", () => {
    const signing = issue(GOOD_PLANS.tcbSigning);
    const { subject } = GOOD_PLANS.tcbSigning;
    const forged = issue({ ...GOOD_PLANS.pck, issuer: subject, signedBy: KEYS.leaf });
    expect(refusalsOf([forged, signing, issue(GOOD_PLANS.root)])).toEqual([
      "pck-ca-wrong-name",
      "pck-ca-wrong-profile",
      "pck-ca-not-a-ca",
    ]);
  });

  test("a PCK, or its CA, that signs TCB info", () => {
    const [pck, ca, root] = pckChain();
    expect(refusalsOf([pck!, root!], TCB_SIGNING_CHAIN)).toEqual([
      "tcb-signing-wrong-name",
      "tcb-signing-issuer-mismatch",
      "tcb-signing-signature-invalid",
    ]);
    expect(refusalsOf([ca!, root!], TCB_SIGNING_CHAIN)).toEqual([
      "tcb-signing-wrong-name",
      "tcb-signing-wrong-profile",
      "tcb-signing-is-a-ca",
    ]);
  });

  test("a root whose path length leaves no room for the CA of a revocation list", () => {
    const [, ca, root] = pckChain({ root: { authority: { pathLength: 0 } } });
    expect(refusalsOf([ca!, root!], PCK_CRL_CHAIN)).toEqual(["root-not-a-ca"]);
  });
});

test("every reason is collected, in the order of the chain", () => {
  const stranger = { signedBy: KEYS.stranger, notAfterMs: at("2025-02-01T00:00:00Z") };
  const chain = pckChain({ pck: stranger, ca: stranger, root: stranger });
  expect(refusalsOf(chain)).toEqual([
    "pck-expired",
    "pck-signature-invalid",
    "pck-ca-expired",
    "pck-ca-signature-invalid",
    "root-expired",
    "root-signature-invalid",
  ]);
});

test("a chain of another length than its profile never holds", () => {
  const [pck, ca] = pckChain();
  expect(checkChain(new Checklist(), [pck!, ca!], PCK_CHAIN, NOW)).toBe(false);
  expect(checkChain(new Checklist(), [], PCK_CHAIN, NOW)).toBe(false);
});

test("a refusal says what was seen and what was wanted", () => {
  const checklist = new Checklist();
  const chain = pckChain({ ca: { authority: undefined, notAfterMs: at("2025-06-01T00:00:00Z") } });
  checkChain(checklist, chain, PCK_CHAIN, NOW);
  expect(checklist.refusals).toEqual([
    { code: "pck-ca-not-a-ca", seen: "not an authority", wanted: "an authority above 0 others" },
    {
      code: "pck-ca-expired",
      seen: "valid until 2025-06-01T00:00:00Z",
      wanted: "valid at 2025-06-15T12:00:00Z",
    },
  ]);
});

describe("what holds", () => {
  const extra = [
    crlDistributionPoint("https://example.test/x"),
    { ...UNKNOWN_EXTENSION, critical: false },
  ];

  test.each<[string, readonly Certificate[], ChainProfile]>([
    ["a PCK under the platform CA", pckChain(), PCK_CHAIN],
    ["one under the processor CA", processorChain(), PCK_CHAIN],
    ["unknown extensions that are not critical", pckChain({ pck: { extra } }), PCK_CHAIN],
    ["no path lengths", pckChain({ ca: { authority: {} }, root: { authority: {} } }), PCK_CHAIN],
    ["a PCK that says nothing of authority", pckChain({ pck: { authority: "absent" } }), PCK_CHAIN],
    ["a PCK for signatures alone", pckChain({ pck: { usages: END_USAGES } }), PCK_CHAIN],
    ["a PCK CA and its root", pckChain().slice(1), PCK_CRL_CHAIN],
    ["a TCB signing certificate and its root", tcbSigningChain(), TCB_SIGNING_CHAIN],
  ])("%s", (_, chain, profile) => {
    expect(refusalsOf(chain, profile)).toEqual([]);
  });

  test("both ends of the dates are included, a millisecond more is not", () => {
    const chain = pckChain();
    const shifted = (iso: string, ms: number) =>
      refusalsOf(chain, PCK_CHAIN, (Date.parse(iso) + ms) as UnixMs).length;
    expect(shifted("2025-01-01T00:00:00Z", 0)).toBe(0);
    expect(shifted("2025-01-01T00:00:00Z", -1)).toBe(3);
    expect(shifted("2025-12-31T23:59:59Z", 0)).toBe(0);
    expect(shifted("2025-12-31T23:59:59Z", 1)).toBe(3);
  });

  test("an issuer's key that was read before gives the same answers", () => {
    const [pck, ca] = pckChain();
    const profile = PCK_CHAIN[0]!;
    const issuer = { ...ca!, publicKey: readPublicKey(ca!.publicKeyDer) };
    const [forged] = pckChain({ pck: { signedBy: KEYS.stranger } });
    expect(checkIssuer(new Checklist(), pck!, profile, issuer, "CA")).toBe(true);
    expect(checkIssuer(new Checklist(), forged!, profile, issuer, "CA")).toBe(false);
  });
});

describe("reading a chain", () => {
  const pem = pckChain()
    .map(({ der }) => certificatePem(der))
    .join("");

  test.each([
    ["no PEM", "hello", "chain-malformed"],
    ["a damaged certificate", pem.replace("MII", "MIJ"), "chain-malformed"],
    ["bytes past the limit", pem.padEnd(65_537, "x"), "chain-malformed"],
    ["one certificate too many", pem + pem.slice(pem.lastIndexOf("-----BEGIN")), "chain-length"],
    ["one too few", pem.slice(0, pem.lastIndexOf("-----BEGIN")), "chain-length"],
  ])("%s is refused", (_, text, code) => {
    const checklist = new Checklist();
    expect(readChain(checklist, text, PCK_CHAIN, "PCK chain")).toBeUndefined();
    expect(checklist.refusals.map((each) => each.code)).toEqual([code]);
  });

  test("a good one is read in order", () => {
    const checklist = new Checklist();
    const chain = readChain(checklist, pem, PCK_CHAIN, "PCK chain");
    expect(chain?.map(({ commonName }) => commonName)).toEqual([
      "Intel SGX PCK Certificate",
      "Intel SGX PCK Platform CA",
      "Intel SGX Root CA",
    ]);
    expect(checklist.checks.map(({ claim }) => claim)).toEqual([
      "PCK chain: readable certificates",
      "PCK chain: PCK certificate, PCK CA, Intel root",
    ]);
  });
});

function processorChain(): readonly Certificate[] {
  const name = named("Intel SGX PCK Processor CA");
  return pckChain({ ca: { subject: name }, pck: { issuer: name } });
}
