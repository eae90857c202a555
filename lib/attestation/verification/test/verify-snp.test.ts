import { describe, expect, test } from "vitest";
import { basicConstraints, keyUsage } from "../../../base/certificate-extensions.ts";
import { integer } from "../../../base/der-writer.ts";
import { digestOf } from "../../../base/ids.ts";
import { parseSnpReport } from "../../evidence/snp-report.ts";
import {
  ARK_SERIAL,
  ASK_SERIAL,
  amdName,
  authorityExtensions,
  daysFromNow,
  leafExtensions,
  newEcKey,
  newRsaKey,
} from "../../testing/snp-platform.ts";
import { codesOf, type SnpScenario, snpMaker, verifyScenario } from "../../testing/snp-scenario.ts";
import { AMD_ROOTS } from "../../trust-anchors/amd.ts";
import { verifyEndorsedSnpReport } from "../verify-snp.ts";
import { verifySnpEndorsements } from "../verify-snp-endorsements.ts";

const milan = snpMaker();
const genoa = snpMaker("Genoa");
const vlek = snpMaker("Milan", "vlek");
const { authority, ark, good, leafFacts, leafKey } = milan;
const otherRsa = newRsaKey();
const otherEc = newEcKey();
const p256 = newEcKey("P-256");

type Row = readonly [name: string, changes: Partial<SnpScenario>, codes: readonly string[]];

const refusalsOf = (changes: Partial<SnpScenario>) =>
  codesOf(verifyScenario({ ...good, ...changes }));
const leaf = (
  deviation: Parameters<typeof authority.leaf>[2],
  facts = leafFacts,
  key = leafKey,
) => ({
  leaf: authority.leaf(facts, key, deviation),
});
const ask = (deviation: Parameters<typeof authority.ask>[1]) => ({
  chain: [authority.ask("vcek", deviation), ark],
});
/** Another certificate of the trusted root's key. */
const root = (deviation: Parameters<typeof authority.ark>[0]) => ({
  chain: [authority.ask(), authority.ark(deviation)],
});
const report = (changes: Parameters<typeof milan.report>[0]) => ({ report: milan.report(changes) });
const { 8: _, ...noMicrocode } = leafFacts.versions;

describe("refused, each with its own code", () => {
  const chains: readonly Row[] = [
    [
      "AMD's roots, which did not sign this",
      { anchors: Object.values(AMD_ROOTS) },
      ["root-not-trusted"],
    ],
    ["no root at all", { anchors: [] }, ["root-not-trusted"]],
    ["no chain", { chain: [] }, ["chain-length"]],
    ["a chain without its root", { chain: [authority.ask()] }, ["chain-length"]],
    ["one certificate too many", { chain: [authority.ask(), ark, ark] }, ["chain-length"]],
    ["a chain that is no DER", { chain: [Uint8Array.of(1, 2), ark] }, ["chain-malformed"]],
    ["a leaf that is no DER", { leaf: new Uint8Array() }, ["chain-malformed"]],
    ["a root that is not there yet", root({ notBeforeMs: daysFromNow(1) }), ["ark-not-yet-valid"]],
    ["a root that has ended", root({ notAfterMs: daysFromNow(-1) }), ["ark-expired"]],
    ["a root signed by another key", root({ signedWith: otherRsa }), ["ark-signature-invalid"]],
    [
      "a root that is no authority",
      root({ extensions: [basicConstraints(undefined)] }),
      ["ark-not-a-ca"],
    ],
    [
      "a root that names another issuer",
      root({ issuer: amdName("ARK-Genoa") }),
      ["ark-issuer-mismatch"],
    ],
    [
      "a root with a stepping",
      root({ subject: amdName("ARK-Milan-B0"), issuer: amdName("ARK-Milan-B0") }),
      ["ask-issuer-mismatch", "ark-wrong-name"],
    ],
    ["an ASK that is not there yet", ask({ notBeforeMs: daysFromNow(1) }), ["ask-not-yet-valid"]],
    ["an ASK that has ended", ask({ notAfterMs: daysFromNow(-1) }), ["ask-expired"]],
    ["an ASK signed by another key", ask({ signedWith: otherRsa }), ["ask-signature-invalid"]],
    ["an ASK signed without PSS", ask({ algorithm: "rsa-sha384" }), ["ask-wrong-profile"]],
    [
      "an ASK that names another issuer",
      ask({ issuer: amdName("ARK-Genoa") }),
      ["ask-issuer-mismatch"],
    ],
    [
      "an ASK that is no authority",
      ask({ extensions: [basicConstraints(undefined), keyUsage("keyCertSign")] }),
      ["ask-not-a-ca"],
    ],
    [
      "an ASK that may not sign certificates",
      ask({ extensions: [basicConstraints({}), keyUsage("cRLSign")] }),
      ["ask-not-a-ca"],
    ],
    [
      "an ASK with a critical extension that nobody knows",
      ask({
        extensions: [
          ...authorityExtensions(0),
          { oid: "1.3.6.1.4.1.3704.9", critical: true, value: integer(1) },
        ],
      }),
      ["ask-wrong-profile"],
    ],
    [
      "a VLEK's ASVK above a VCEK",
      { chain: vlek.good.chain },
      ["vcek-issuer-mismatch", "ask-wrong-name"],
    ],
    [
      "a root of no product",
      root({ subject: amdName("ARK-Rome"), issuer: amdName("ARK-Rome") }),
      ["snp-product-unknown"],
    ],
  ];
  const leaves: readonly Row[] = [
    ["a leaf that is not there yet", leaf({ notBeforeMs: daysFromNow(1) }), ["vcek-not-yet-valid"]],
    ["a leaf that has ended", leaf({ notAfterMs: daysFromNow(-1) }), ["vcek-expired"]],
    ["a leaf signed by another key", leaf({ signedWith: otherRsa }), ["vcek-signature-invalid"]],
    [
      "a leaf signed by the root",
      leaf({ signedWith: authority.arkKey }),
      ["vcek-signature-invalid"],
    ],
    [
      "a leaf that names another issuer",
      leaf({ issuer: amdName("SEV-Genoa") }),
      ["vcek-issuer-mismatch"],
    ],
    [
      "a leaf that may issue certificates",
      leaf({ extensions: [...leafExtensions(leafFacts), ...authorityExtensions()] }),
      ["vcek-is-a-ca"],
    ],
    [
      "a leaf with another name",
      leaf({ subject: amdName("SEV-OCA") }),
      ["vcek-wrong-profile", "vcek-wrong-name"],
    ],
    [
      "a leaf without AMD's extensions",
      leaf({ extensions: [basicConstraints(undefined)] }),
      ["vcek-wrong-profile"],
    ],
    [
      "a leaf of a product we do not know",
      leaf({}, { ...leafFacts, productName: "Venice-A0" }),
      ["vcek-wrong-profile"],
    ],
    [
      "a leaf without one security version",
      leaf({}, { ...leafFacts, versions: noMicrocode }),
      ["vcek-wrong-profile"],
    ],
    [
      "a chip's leaf that names a provider",
      leaf({}, { ...leafFacts, cloudProvider: "CN=a" }),
      ["vcek-wrong-profile"],
    ],
    [
      "a leaf of another product",
      leaf({}, { ...leafFacts, productName: "Genoa" }),
      ["snp-product-mismatch", "snp-product-mismatch"],
    ],
    [
      "a leaf on another curve",
      { ...leaf({}, leafFacts, p256) },
      ["vcek-wrong-profile", "snp-signature-invalid"],
    ],
    ["a leaf of another chip's key", leaf({}, leafFacts, otherEc), ["snp-signature-invalid"]],
  ];
  const reports: readonly Row[] = [
    [
      "one bit of the measurement",
      { report: flipped(good.report, 0x90) },
      ["snp-signature-invalid"],
    ],
    [
      "a signature of zeros",
      { report: good.report.slice().fill(0, 0x2a0) },
      ["snp-signature-invalid"],
    ],
    ["another algorithm", report({ signatureAlgorithm: 2 }), ["snp-signature-algorithm-unknown"]],
    ["a byte above R", { report: flipped(good.report, 0x2a0 + 48) }, ["snp-signature-padding"]],
    ["a byte above S", { report: flipped(good.report, 0x2a0 + 143) }, ["snp-signature-padding"]],
    ["a byte after S", { report: flipped(good.report, 0x330) }, ["snp-signature-padding"]],
    ["the last byte", { report: flipped(good.report, 1183) }, ["snp-signature-padding"]],
    ["a VCEK's report that says VLEK", report({ flags: 1 << 2 }), ["snp-signing-key-mismatch"]],
    ["a report that says unsigned", report({ flags: 7 << 2 }), ["snp-signing-key-mismatch"]],
    ["a report with a reserved key", report({ flags: 3 << 2 }), ["snp-signing-key-mismatch"]],
    ["another chip", report({ chipId: new Uint8Array(64).fill(9) }), ["snp-chip-id-mismatch"]],
    ["another processor", report({ cpu: [0x19, 0x11, 1] }), ["snp-product-mismatch"]],
    ["a processor that we do not know", report({ cpu: [0x1b, 0x01, 0] }), ["snp-product-mismatch"]],
  ];
  test.each([...chains, ...leaves, ...reports])("%s", (_name, changes, codes) => {
    expect([...refusalsOf(changes)].sort()).toEqual([...codes].sort());
    expect(verifyScenario({ ...good, ...changes }).claims).toBeUndefined();
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7])("byte %i of a TCB that was not certified", (index) => {
    const reportedTcb = Uint8Array.of(4, 1, 0, 0, 0, 0, 24, 217);
    reportedTcb[index] = (reportedTcb[index] ?? 0) + 1;
    expect(refusalsOf(report({ reportedTcb }))).toEqual(["snp-tcb-mismatch"]);
  });

  test("another product's chain", () => {
    expect(refusalsOf({ chain: genoa.good.chain })).toEqual(
      expect.arrayContaining(["vcek-issuer-mismatch", "snp-product-mismatch"]),
    );
  });

  test("a VLEK with a report that a VCEK signed, and the reverse", () => {
    const other = verifyScenario({ ...vlek.good, report: good.report });
    expect(codesOf(other)).toEqual(["snp-signing-key-mismatch"]);
    expect(refusalsOf({ report: vlek.good.report })).toEqual(["snp-signing-key-mismatch"]);
  });

  test("a VLEK that has ended", () => {
    const leaf = vlek.authority.leaf(vlek.leafFacts, leafKey, { notAfterMs: daysFromNow(-1) });
    expect(codesOf(verifyScenario({ ...vlek.good, leaf }))).toEqual(["vcek-expired"]);
  });

  test("a VLEK that names a chip", () => {
    const facts = { ...vlek.leafFacts, hardwareId: new Uint8Array(64) };
    const leaf = vlek.authority.leaf(facts, leafKey);
    expect(codesOf(verifyScenario({ ...vlek.good, leaf }))).toEqual(["vcek-wrong-profile"]);
  });

  test("a chip's key that issues keys of its own", () => {
    const genuine = good.leaf;
    const forged = authority.leaf(leafFacts, otherEc, {
      issuer: amdName("SEV-VCEK"),
      signedWith: leafKey,
      algorithm: "ecdsa-sha384",
    });
    const codes = refusalsOf({ leaf: forged, chain: [genuine, ark] });
    expect(codes).toEqual(
      expect.arrayContaining(["ask-not-a-ca", "ask-wrong-name", "vcek-wrong-profile"]),
    );
  });

  test("several reasons at once, all of them", () => {
    const changes = {
      ...leaf({ notAfterMs: daysFromNow(-1) }),
      ...report({ flags: 1 << 2, chipId: new Uint8Array(64).fill(9) }),
      anchors: [],
    };
    expect(refusalsOf(changes)).toEqual([
      "root-not-trusted",
      "vcek-expired",
      "snp-signing-key-mismatch",
      "snp-chip-id-mismatch",
    ]);
  });
});

describe("the revocation list of the root", () => {
  const rows: readonly Row[] = [
    ["no list of anything", { crl: Uint8Array.of(0x30, 0) }, ["ark-crl-malformed"]],
    ["names the ASK", { crl: authority.crl([ASK_SERIAL]) }, ["ask-revoked"]],
    ["names the root", { crl: authority.crl([ARK_SERIAL]) }, ["ark-revoked"]],
    [
      "by another issuer",
      { crl: authority.crl([], { issuer: amdName("ARK-Genoa") }) },
      ["ark-crl-issuer-mismatch"],
    ],
    [
      "signed by the ASK",
      { crl: authority.crl([], { signedWith: authority.askKey }) },
      ["ark-crl-signature-invalid"],
    ],
    [
      "not there yet",
      { crl: authority.crl([], { thisUpdateMs: daysFromNow(1) }) },
      ["ark-crl-not-yet-valid"],
    ],
    ["too old", { crl: authority.crl([], { nextUpdateMs: daysFromNow(-1) }) }, ["ark-crl-expired"]],
  ];
  test.each(rows)("is refused, or refuses: %s", (_name, changes, codes) => {
    expect(refusalsOf(changes)).toEqual(codes);
  });

  test("counts only under a root that may sign lists", () => {
    const extensions = [basicConstraints({}), keyUsage("keyCertSign")];
    const changes = { ...root({ extensions }), crl: authority.crl([]) };
    expect(refusalsOf(changes)).toEqual(["ark-crl-signature-invalid"]);
  });

  test("is refused with one bit changed in any byte, and cut at any", () => {
    const crl = authority.crl([Uint8Array.of(7)]);
    const accepted = [...crl.keys()].filter(
      (index) =>
        refusalsOf({ crl: flipped(crl, index) }).length === 0 ||
        refusalsOf({ crl: crl.subarray(0, index) })[0] !== "ark-crl-malformed",
    );
    expect(accepted).toEqual([]);
  });

  test("a list that does not hold revokes nothing by itself", () => {
    const crl = authority.crl([ASK_SERIAL], { signedWith: otherRsa });
    expect(refusalsOf({ crl })).toEqual(["ark-crl-signature-invalid"]);
  });

  test("says so in the claims, and they end with it", () => {
    const without = verifyScenario(good).claims;
    const withList = verifyScenario({ ...good, crl: authority.crl([Uint8Array.of(7)]) }).claims;
    expect(without?.platform.revocationChecked).toBe(false);
    expect(without?.expiresAtMs).toBe(daysFromNow(100));
    expect(withList?.platform.revocationChecked).toBe(true);
    expect(withList?.expiresAtMs).toBe(daysFromNow(10));
  });
});

describe("endorsements that were verified once", () => {
  const { report: bytes, anchors, nowMs, ...given } = { ...good, crl: authority.crl([]) };
  const { endorsements } = verifySnpEndorsements(given, anchors, nowMs);
  const later = (days: number, report = bytes) =>
    endorsements &&
    verifyEndorsedSnpReport(parseSnpReport(report), endorsements, daysFromNow(days));

  test("give the claims that everything at once gives", () => {
    expect(later(0)?.claims).toEqual(verifyScenario({ ...good, crl: given.crl }).claims);
  });

  test("do not outlive their dates", () => {
    expect(codesOf(later(11) ?? { checks: [] })).toEqual(["ark-crl-expired"]);
    expect(later(101)?.claims).toBeUndefined();
    expect(codesOf(later(101) ?? { checks: [] })).toEqual([
      "vcek-expired",
      "ask-expired",
      "ark-expired",
      "ark-crl-expired",
    ]);
  });

  test("do not make up for a report", () => {
    const other = later(0, flipped(bytes, 0x90));
    expect(codesOf(other ?? { checks: [] })).toEqual(["snp-signature-invalid"]);
  });

  test("are not there if anything is refused", () => {
    const refused = verifySnpEndorsements(given, [], nowMs);
    expect(refused.endorsements).toBeUndefined();
    expect(codesOf(refused)).toEqual(["root-not-trusted"]);
  });
});

describe("accepted", () => {
  test.each(
    (["Milan", "Genoa", "Turin"] as const).flatMap((product) =>
      [2, 3, 4, 5].flatMap((version) =>
        (["vcek", "vlek"] as const).map((kind) => [product, version, kind] as const),
      ),
    ),
  )("%s, report version %i, signed with its %s", (product, version, kind) => {
    const maker = snpMaker(product, kind);
    const { claims, checks } = verifyScenario({ ...maker.good, report: maker.report({ version }) });
    expect(checks.filter((check) => check.refusal !== undefined)).toEqual([]);
    expect(claims).toMatchObject({ tee: "sev-snp", reportVersion: version, isDebug: false });
    expect(claims?.anchor).toBe(digestOf(maker.ark));
    expect(claims?.platform).toMatchObject({ product, signingKey: kind, platformInfo: 0x25n });
  });

  test("the four TCBs are each their own", () => {
    const turin = snpMaker("Turin");
    expect(verifyScenario(turin.good).claims?.platform).toMatchObject({
      reportedTcb: { fmc: 1, bootloader: 2, tee: 3, snp: 4, microcode: 81 },
      launchTcb: { fmc: 2, bootloader: 3, tee: 4, snp: 5, microcode: 82 },
      committedTcb: { fmc: 3, bootloader: 4, tee: 5, snp: 6, microcode: 83 },
      currentTcb: { fmc: 4, bootloader: 5, tee: 6, snp: 7, microcode: 84 },
    });
    expect(verifyScenario(good).claims?.platform.reportedTcb).toEqual({
      bootloader: 4,
      tee: 1,
      snp: 24,
      microcode: 217,
    });
  });

  test.each([
    [
      "every level, and the host's own request",
      [0, 1, 2, 3, 0xffff_ffff].map((vmpl) => ({ vmpl })),
    ],
    [
      "every bit of the policy: SMT, migration, single socket, CXL, AES-256-XTS, RAPL, hiding, swapping and later ones",
      [16, 17, 18, 20, 21, 22, 23, 24, 25, 40, 63].map((bit) => ({ policy: 1n << BigInt(bit) })),
    ],
    [
      "every bit of the platform",
      [0, 1, 2, 3, 4, 5, 7, 63].map((bit) => ({ platformInfo: 1n << BigInt(bit) })),
    ],
    ["flags of masked keys and author keys", [1, 2, 3, 1 << 5].map((flags) => ({ flags }))],
    ["a chip id that the host masks", [{ chipId: new Uint8Array(64) }]],
    ["dense processors of a product", [{ cpu: [0x19, 0x0f, 2] as const }]],
    ["signed bytes that were reserved", [{ version: 4, patches: [[0x1f8, [3]]] as const }]],
    ["a launch before the last update", [{ launchTcb: new Uint8Array(8) }]],
  ])("%s", (_name, variants) => {
    for (const variant of variants) expect(refusalsOf(report(variant))).toEqual([]);
  });

  test("Bergamo and Siena as Genoa", () => {
    for (const cpu of [[0x19, 0xa0, 2] as const, [0x19, 0xa1, 0] as const]) {
      expect(codesOf(verifyScenario({ ...genoa.good, report: genoa.report({ cpu }) }))).toEqual([]);
    }
  });

  test("a debug policy is a fact, not a refusal", () => {
    const { claims } = verifyScenario({ ...good, ...report({ policy: 0xb0000n }) });
    expect(claims).toMatchObject({ isDebug: true, measurements: { policy: 0xb0000n } });
  });

  test("another certificate of the root's key; the anchor is still the one that is trusted", () => {
    const renewed = root({ notAfterMs: daysFromNow(500), serial: Uint8Array.of(1, 0, 2) });
    const { claims } = verifyScenario({ ...good, ...renewed });
    expect(claims?.anchor).toBe(digestOf(ark));
  });

  test("the very certificate of an anchor, where another one of the same key is trusted too", () => {
    const renewed = root({ notAfterMs: daysFromNow(500), serial: Uint8Array.of(1, 0, 2) });
    const [, other] = renewed.chain;
    const { claims } = verifyScenario({ ...good, anchors: [other ?? ark, ark] });
    expect(other).not.toEqual(ark);
    expect(claims?.anchor).toBe(digestOf(ark));
  });

  test("the second spelling of the signature, which changes no fact", () => {
    const order = BigInt(
      "0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    );
    const at = 0x2a0 + 72;
    const little = Buffer.from(good.report.slice(at, at + 48).reverse()).toString("hex");
    const other = (order - BigInt(`0x${little}`)).toString(16).padStart(96, "0");
    const report = good.report.slice();
    report.set(Buffer.from(other, "hex").reverse(), at);
    expect(verifyScenario({ ...good, report }).claims).toEqual(verifyScenario(good).claims);
  });
});

/** The bytes with the lowest bit of one changed. */
function flipped(bytes: Uint8Array, index: number): Uint8Array {
  const changed = bytes.slice();
  changed[index] = (changed[index] ?? 0) ^ 1;
  return changed;
}
