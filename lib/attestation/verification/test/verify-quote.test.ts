import { describe, expect, test } from "vitest";
import { concatBytes } from "../../../base/bytes.ts";
import { certificatePem } from "../../../base/certificate.ts";
import type { UnixMs } from "../../../base/ids.ts";
import { certificationPart, writeQuote } from "../../attester/simulated/formats/quote-writer.ts";
import { parsePemChain } from "../../encoding/pem.ts";
import type { DcapCollateral } from "../../endorsements/dcap-collateral.ts";
import { parseQuote, type Quote } from "../../evidence/quote.ts";
import { type DcapScenario, dcapCase, scenarioOf } from "../../testing/dcap-cases.ts";
import { hasTestdata } from "../../testing/testdata.ts";
import { INTEL_ROOT } from "../../trust-anchors/intel.ts";
import type { Verification } from "../claims.ts";
import { verifyCollateral } from "../verify-collateral.ts";
import { verifyQuote, verifyQuoteWith } from "../verify-quote.ts";

/** Order of the group of P-256 (FIPS 186-5). */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const codesOf = ({ checks }: Pick<Verification, "checks">): readonly string[] => [
  ...new Set(checks.flatMap(({ refusal }) => refusal?.code ?? [])),
];

type Change = Partial<DcapScenario> & { readonly parts?: Partial<DcapCollateral> };

/** Verifies with something exchanged; a refusal never comes with claims. */
function codesWith(scenario: DcapScenario, change: Change = {}): readonly string[] {
  const { quote, collateral, anchors, nowMs } = { ...scenario, ...change };
  const given = { ...collateral, ...change.parts };
  const verification = verifyQuoteWith(quote, given, anchors, nowMs);
  const codes = codesOf(verification);
  expect(verification.claims === undefined).toBe(codes.length > 0);
  return codes;
}

/** The same quote with other certification data. */
function repacked(quote: Quote, type: 1 | 2 | 3 | 4 | 5, data: Uint8Array): Quote {
  const { report, signature, authData } = quote.quotingEnclave;
  const bytes = certificationPart(quote.version, {
    attestationKey: quote.attestationKey,
    report: report.bytes,
    reportSignature: signature,
    authenticationData: authData,
    // The simulator makes two of them only.
    certificationType: type as 1 | 5,
    certificationData: data,
  });
  return parseQuote(writeQuote(quote.toBeSigned, quote.signature, bytes));
}

/** The other signature of the same key over the same bytes: (r, n − s). */
function otherSignature(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString("hex")}`);
  const other = (P256_ORDER - s).toString(16).padStart(64, "0");
  return concatBytes(signature.subarray(0, 32), Buffer.from(other, "hex"));
}

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("a genuine quote (needs ../shared/testdata)", () => {
  const load = (file: string, collateral: string) => scenarioOf(dcapCase(file, collateral));
  const sgx = () => load("v3-phala", "");
  const tdx = () => load("v4-phala", "");
  const testRoot = () => load("intelqvl", "");
  const chainOf = ({ quote }: DcapScenario) =>
    parsePemChain(quote.quotingEnclave.certification.data);
  const pemOf = (chain: readonly Uint8Array[]) => chain.map(certificatePem).join("");

  describe("is refused with", () => {
    test("no endorsements, after all else was checked", () => {
      const { quote, nowMs } = sgx();
      const without = (anchors: readonly Uint8Array[]) =>
        codesOf(verifyQuoteWith(quote, undefined, anchors, nowMs));
      expect(without([INTEL_ROOT])).toEqual(["collateral-missing"]);
      expect(without(testRoot().anchors)).toEqual(["collateral-missing", "root-not-trusted"]);
      expect(codesOf(verifyQuote(quote, undefined, nowMs))).toEqual(["collateral-missing"]);
      const late = Date.UTC(2050, 0, 1) as UnixMs;
      expect(codesOf(verifyQuote(quote, undefined, late))).toEqual([
        "collateral-missing",
        "pck-expired",
        "pck-ca-expired",
        "root-expired",
      ]);
    });

    test("endorsements of another family of platforms", () => {
      const { collateral } = load("v3-tlsn", "2025-05.json");
      const nowMs = Date.parse("2025-06-22T00:00:00Z") as UnixMs;
      expect(codesWith(sgx(), { collateral, nowMs })).toEqual([
        "fmspc-mismatch",
        "tcb-level-not-found",
      ]);
    });

    test("endorsements of platforms under the other CA", () => {
      const { collateral } = load("v3-debug", "");
      const { pckCrl, pckCrlIssuerChain } = collateral;
      const nowMs = Date.parse("2025-07-15T00:00:00Z") as UnixMs;
      const codes = codesWith(sgx(), { nowMs, parts: { pckCrl, pckCrlIssuerChain } });
      expect(codes).toContain("pck-ca-differs");
      const list = codesWith(sgx(), { nowMs, parts: { pckCrl } });
      expect(list).toEqual(
        expect.arrayContaining(["pck-crl-issuer-mismatch", "pck-crl-signature-invalid"]),
      );
    });

    test("endorsements of the other TEE", () => {
      const { collateral } = tdx();
      expect(codesWith(sgx(), { collateral })).toEqual(
        expect.arrayContaining(["tcb-info-wrong-tee", "qe-mrsigner-mismatch", "pck-ca-differs"]),
      );
      const { qeIdentity, qeIdentitySignature } = collateral;
      const codes = codesWith(sgx(), { parts: { qeIdentity, qeIdentitySignature } });
      expect(codes).toEqual([
        "qe-identity-wrong-tee",
        "qe-mrsigner-mismatch",
        "qe-prodid-mismatch",
      ]);
      const sgxCodes = codesWith(tdx(), { collateral: sgx().collateral });
      expect(sgxCodes).toEqual(
        expect.arrayContaining(["tcb-info-wrong-tee", "tcb-level-not-found", "tdx-module-unknown"]),
      );
    });

    test.each<[string, (set: DcapCollateral) => Partial<DcapCollateral>, readonly string[]]>([
      [
        "documents signed by each other's signature",
        ({ tcbInfoSignature, qeIdentitySignature }) => ({
          tcbInfoSignature: qeIdentitySignature,
          qeIdentitySignature: tcbInfoSignature,
        }),
        ["tcb-info-signature-invalid", "qe-identity-signature-invalid"],
      ],
      [
        "a signature of 63 bytes",
        ({ tcbInfoSignature }) => ({ tcbInfoSignature: tcbInfoSignature.subarray(1) }),
        ["tcb-info-signature-invalid"],
      ],
      [
        "a signature of 65 bytes",
        ({ qeIdentitySignature }) => ({
          qeIdentitySignature: concatBytes(qeIdentitySignature, Uint8Array.of(0)),
        }),
        ["qe-identity-signature-invalid"],
      ],
      [
        "no signature",
        () => ({ tcbInfoSignature: new Uint8Array() }),
        ["tcb-info-signature-invalid"],
      ],
      [
        "a space after TCB info",
        ({ tcbInfo }) => ({ tcbInfo: `${tcbInfo} ` }),
        ["tcb-info-signature-invalid"],
      ],
      [
        "no TCB info",
        () => ({ tcbInfo: "" }),
        ["tcb-info-malformed", "tcb-info-signature-invalid"],
      ],
      [
        "no QE identity",
        () => ({ qeIdentity: "{}" }),
        ["qe-identity-malformed", "qe-identity-signature-invalid"],
      ],
      ["no PCK list", () => ({ pckCrl: new Uint8Array() }), ["pck-crl-malformed"]],
      ["no root list", () => ({ rootCaCrl: new Uint8Array() }), ["root-crl-malformed"]],
      [
        "lists in each other's place",
        ({ rootCaCrl, pckCrl }) => ({ rootCaCrl: pckCrl, pckCrl: rootCaCrl }),
        [
          "root-crl-issuer-mismatch",
          "root-crl-signature-invalid",
          "pck-crl-issuer-mismatch",
          "pck-crl-signature-invalid",
        ],
      ],
      ["no chain", () => ({ tcbInfoIssuerChain: "" }), ["chain-malformed"]],
      [
        "a chain without its root",
        ({ qeIdentityIssuerChain }) => ({
          qeIdentityIssuerChain: pemOf(parsePemChain(qeIdentityIssuerChain).slice(0, 1)),
        }),
        ["chain-length"],
      ],
      [
        "the PCK CA as the signer of documents",
        ({ pckCrlIssuerChain }) => ({ tcbInfoIssuerChain: pckCrlIssuerChain }),
        [
          "tcb-signing-wrong-name",
          "tcb-signing-wrong-profile",
          "tcb-signing-is-a-ca",
          "tcb-info-signature-invalid",
        ],
      ],
      [
        "the signer of documents as the PCK CA",
        ({ tcbInfoIssuerChain }) => ({ pckCrlIssuerChain: tcbInfoIssuerChain }),
        [
          "pck-ca-wrong-name",
          "pck-ca-wrong-profile",
          "pck-ca-not-a-ca",
          "pck-crl-issuer-mismatch",
          "pck-crl-signature-invalid",
          "pck-ca-differs",
        ],
      ],
    ])("%s", (_, change, codes) => {
      const scenario = sgx();
      expect(codesWith(scenario, { parts: change(scenario.collateral) })).toEqual(codes);
    });

    test("everything that is wrong at once", () => {
      const scenario = sgx();
      const bytes = Uint8Array.from(scenario.bytes);
      bytes[48 + 64] = (bytes[48 + 64] ?? 0) ^ 1;
      const codes = codesWith(scenario, {
        quote: parseQuote(bytes),
        anchors: [],
        nowMs: Date.UTC(2026, 0, 1) as UnixMs,
        parts: { tcbInfoSignature: new Uint8Array(64) },
      });
      expect([...codes].sort()).toEqual([
        "pck-crl-expired",
        "qe-identity-expired",
        "quote-signature-invalid",
        "root-not-trusted",
        "tcb-info-expired",
        "tcb-info-signature-invalid",
      ]);
    });

    test("a chain under another root than the kept endorsements'", () => {
      const { quote, collateral, anchors, nowMs } = sgx();
      const kept = verifyCollateral(collateral, anchors, nowMs).collateral;
      const [pck = latin1(""), ca = latin1("")] = chainOf(sgx());
      const other = repacked(quote, 5, latin1(pemOf([pck, ca, ...testRoot().anchors])));
      expect(codesOf(verifyQuote(other, kept, nowMs))).toContain("root-not-trusted");
      const both = [...anchors, ...testRoot().anchors];
      expect(codesWith(sgx(), { quote: other, anchors: both })).toContain("root-not-trusted");
      const twice = repacked(quote, 5, latin1(pemOf([pck, ca, ca])));
      expect(codesOf(verifyQuote(twice, kept, nowMs))).toContain("root-not-trusted");
    });

    test("a chain that is not three certificates in canonical PEM", () => {
      const scenario = sgx();
      const chain = chainOf(scenario);
      const codes = (data: string) =>
        codesWith(scenario, { quote: repacked(scenario.quote, 5, latin1(data)) });
      const left = ["qe-report-signature-invalid"];
      expect(codes("")).toEqual(["chain-malformed", ...left]);
      expect(codes(`\n${pemOf(chain)}`)).toEqual(["chain-malformed", ...left]);
      expect(codes(pemOf(chain.slice(0, 2)))).toEqual(["chain-length", ...left]);
      expect(codes(pemOf([...chain, ...chain.slice(2)]))).toEqual(["chain-length", ...left]);
      expect(codes(pemOf([latin1("no certificate"), ...chain.slice(1)]))).toEqual([
        "chain-malformed",
        ...left,
      ]);
      expect(codes(pemOf([...chain.slice(1), ...chain.slice(0, 1)]))).toContain("pck-wrong-name");
    });
  });

  describe("is genuine whatever is chosen where nobody signs", () => {
    test("which of two signatures of the same key", () => {
      const scenario = sgx();
      const { quotingEnclave, signature } = scenario.quote;
      const quote = {
        ...scenario.quote,
        signature: otherSignature(signature),
        quotingEnclave: {
          ...quotingEnclave,
          signature: otherSignature(quotingEnclave.signature),
        },
      };
      const { tcbInfoSignature, qeIdentitySignature } = scenario.collateral;
      const parts = {
        tcbInfoSignature: otherSignature(tcbInfoSignature),
        qeIdentitySignature: otherSignature(qeIdentitySignature),
      };
      expect(codesWith(scenario, { quote, parts })).toEqual([]);
    });

    test("how lines of PEM end", () => {
      const scenario = tdx();
      const text = pemOf(chainOf(scenario));
      const crlf = text.replaceAll("\n", "\r\n");
      for (const data of [text, text.trimEnd(), `${text}\0`, crlf, `${crlf}\0`]) {
        const quote = repacked(scenario.quote, 5, latin1(data));
        expect(codesWith(scenario, { quote })).toEqual([]);
      }
    });

    test("whether the quote carries the chain, its certificate alone, or only names it", () => {
      const scenario = sgx();
      const chain = chainOf(scenario);
      const alone = repacked(scenario.quote, 4, latin1(pemOf(chain.slice(0, 1))));
      expect(codesWith(scenario, { quote: alone })).toEqual([]);
      const { nowMs, anchors, collateral } = scenario;
      const kept = verifyCollateral(collateral, anchors, nowMs).collateral;
      expect(codesOf(verifyQuote(alone, kept, nowMs))).toEqual([]);
      // Without endorsements nothing is known above the certificate.
      expect(codesOf(verifyQuote(alone, undefined, nowMs))).toContain("chain-length");
    });

    test("what an encrypted PPID says, but nothing beside it", () => {
      const scenario = testRoot();
      const { data } = scenario.quote.quotingEnclave.certification;
      const versions = data.subarray(16);
      const codes = (type: 1 | 2 | 3 | 4 | 5, ...parts: readonly Uint8Array[]) =>
        codesWith(scenario, { quote: repacked(scenario.quote, type, concatBytes(...parts)) });
      const pceId = Uint8Array.of(0, 0);
      const anything = (length: number) => new Uint8Array(length).fill(0xee);
      expect(codes(1, data, pceId)).toEqual([]);
      expect(codes(2, anything(256), versions, pceId)).toEqual([]);
      expect(codes(3, anything(384), versions)).toEqual([]);
      const differs = ["pck-differs-from-quote"];
      expect(codes(1, data, Uint8Array.of(0, 1))).toEqual(differs);
      expect(codes(1, data, Uint8Array.of(0))).toEqual(differs);
      expect(codes(1, anything(16), versions)).toEqual(differs);
      expect(codes(2, anything(257), versions)).toEqual(differs);
      expect(codes(3, anything(256), versions)).toEqual(differs);
      expect(codes(1)).toEqual(differs);
      expect(codes(5, data)).toContain("chain-malformed");
    });

    test("nothing of what names the platform in plain", () => {
      const scenario = testRoot();
      const { data } = scenario.quote.quotingEnclave.certification;
      const accepted = [...data.keys()].filter((offset) => {
        const other = data.with(offset, (data[offset] ?? 0) ^ 0x10);
        return codesWith(scenario, { quote: repacked(scenario.quote, 1, other) }).length === 0;
      });
      expect(accepted).toEqual([]);
    });
  });

  test("that only names its platform needs the chain beside the endorsements", () => {
    const scenario = testRoot();
    const { pckCertificateChain: _, ...collateral } = scenario.collateral;
    expect(codesWith(scenario, { collateral })).toEqual([
      "pck-chain-missing",
      "qe-report-signature-invalid",
    ]);
    const other = pemOf(chainOf(sgx()));
    expect(codesWith(scenario, { parts: { pckCertificateChain: other } })).toEqual(
      expect.arrayContaining(["root-not-trusted", "pck-differs-from-quote", "fmspc-mismatch"]),
    );
  });
});
