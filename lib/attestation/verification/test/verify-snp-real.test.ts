import { describe, expect, test } from "vitest";
import { toHex } from "../../../base/bytes.ts";
import { digestOf, type UnixMs } from "../../../base/ids.ts";
import { parsePemChain } from "../../encoding/pem.ts";
import { EvidenceError } from "../../evidence-error.ts";
import { codesOf, type SnpScenario, verifyScenario } from "../../testing/snp-scenario.ts";
import { hasTestdata, readTestdata, readTestdataText } from "../../testing/testdata.ts";
import { AMD_ROOTS } from "../../trust-anchors/amd.ts";
import { verifySnpEndorsements } from "../verify-snp-endorsements.ts";

type SnpCase = {
  readonly file: string;
  readonly kind?: string;
  readonly leaf: string;
  readonly chain: string;
  readonly now: string;
  readonly product: string;
  readonly debug: boolean;
  readonly migrateMa: boolean;
  readonly leafValid: readonly [string, string];
  readonly expect: { readonly valid: boolean };
  readonly [fact: string]: unknown;
};

const ANCHORS = Object.values(AMD_ROOTS);
const chainOf = (file: string): readonly Uint8Array[] => parsePemChain(readTestdata(file));
const scenarioOf = (each: SnpCase): SnpScenario => ({
  report: readTestdata(each.file),
  leaf: readTestdata(each.leaf),
  chain: chainOf(each.chain),
  anchors: ANCHORS,
  nowMs: Date.parse(each.now) as UnixMs,
});

/** All reasons; what cannot be read at all counts as one. */
function refusalsOf(scenario: SnpScenario): readonly string[] {
  try {
    return codesOf(verifyScenario(scenario));
  } catch (error) {
    if (error instanceof EvidenceError) return [error.code];
    throw error;
  }
}

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("reports of real machines (needs ../shared/testdata)", () => {
  const cases = hasTestdata
    ? (JSON.parse(readTestdataText("cases.json")) as SnpCase[]).filter(
        ({ kind }) => kind === "sev-snp",
      )
    : [];
  const rows = cases.map((each) => [each.file, each] as const);
  const scenarios = () => cases.map(scenarioOf);

  test.each(rows)("%s is what it claims to be", (_file, wanted) => {
    const { claims, checks } = verifyScenario(scenarioOf(wanted));
    expect(checks.filter(({ refusal }) => refusal !== undefined)).toEqual([]);
    if (claims === undefined) throw new Error("no claims");
    const { measurements, platform } = claims;
    const { bootloader, tee, snp, microcode } = platform.reportedTcb;
    const facts = {
      reportVersion: claims.reportVersion,
      policy: `0x${measurements.policy.toString(16)}`,
      debug: claims.isDebug,
      migrateMa: (measurements.policy & (1n << 18n)) !== 0n,
      vmpl: measurements.vmpl,
      guestSvn: measurements.guestSvn,
      measurement: toHex(measurements.measurement),
      reportData: toHex(claims.reportData),
      hostData: toHex(measurements.hostData),
      chipId: toHex(platform.chipId),
      reportedTcb: { bl: bootloader, tee, snp, ucode: microcode },
    };
    expect(wanted).toMatchObject(facts);
    expect(wanted.expect).toEqual({ valid: true });
    expect(wanted.product).toMatch(platform.product);
    expect(platform.signingKey).toBe(wanted.leaf.includes("vlek") ? "vlek" : "vcek");
    expect(claims.anchor).toBe(digestOf(AMD_ROOTS.Milan));
    expect(claims.expiresAtMs).toBe(Date.parse(wanted.leafValid[1]));
  });

  test.each(rows)("%s is refused before and after its leaf's time", (_file, each) => {
    const scenario = scenarioOf(each);
    const [from, to] = each.leafValid.map((time) => Date.parse(time) as UnixMs);
    const at = (nowMs: number | undefined) =>
      refusalsOf({ ...scenario, nowMs: (nowMs ?? 0) as UnixMs });
    expect(at((from ?? 0) - 1)).toEqual(["vcek-not-yet-valid"]);
    expect(at(from)).toEqual([]);
    expect(at(to)).toEqual([]);
    expect(at((to ?? 0) + 1000)).toEqual(["vcek-expired"]);
  });

  test.each(rows)("%s is refused with any other's leaf or report", (_file, each) => {
    for (const other of scenarios()) {
      const mixed = { ...scenarioOf(each), report: other.report };
      const isSame = toHex(other.report) === toHex(readTestdata(each.file));
      expect(refusalsOf(mixed).includes("snp-signature-invalid")).toBe(!isSame);
    }
  });

  test.each(rows)("%s is refused under another product's chain or root", (_file, each) => {
    const scenario = scenarioOf(each);
    for (const product of ["genoa", "turin"]) {
      const chain = chainOf(`snp/${product}-ask-ark.pem`);
      expect(refusalsOf({ ...scenario, chain })).toEqual(
        expect.arrayContaining(["vcek-signature-invalid", "snp-product-mismatch"]),
      );
      const [, ark = new Uint8Array()] = chain;
      const [ask = new Uint8Array()] = scenario.chain;
      expect(refusalsOf({ ...scenario, chain: [ask, ark] })).toEqual(
        expect.arrayContaining(["ask-signature-invalid", "ask-issuer-mismatch"]),
      );
    }
    const { Genoa, Turin } = AMD_ROOTS;
    expect(refusalsOf({ ...scenario, anchors: [Genoa, Turin] })).toEqual(["root-not-trusted"]);
    const intel = [readTestdata("collateral/intel-sgx-root-ca.der")];
    expect(refusalsOf({ ...scenario, anchors: intel })).toEqual(["root-not-trusted"]);
  });

  test("a VLEK under the chips' ASK, and a VCEK under the providers' ASVK", () => {
    const [vcek, , vlek] = scenarios();
    if (vcek === undefined || vlek === undefined) throw new Error("cases.json has changed");
    const wanted = ["vcek-issuer-mismatch", "vcek-signature-invalid", "ask-wrong-name"];
    expect(refusalsOf({ ...vlek, chain: vcek.chain })).toEqual(wanted);
    expect(refusalsOf({ ...vcek, chain: vlek.chain })).toEqual(wanted);
    const exchanged = { ...vcek, leaf: vlek.leaf, chain: vlek.chain };
    expect(refusalsOf(exchanged)).toContain("snp-signing-key-mismatch");
  });

  test("a VCEK that AMD did not sign", () => {
    const [good] = scenarios();
    if (good === undefined) throw new Error("cases.json has changed");
    const leaf = readTestdata("bad/snp-vcek-invalid-new.der");
    expect(refusalsOf({ ...good, leaf })).toContain("vcek-signature-invalid");
  });

  test("the chain of a Turin chip, without a report", () => {
    const given = {
      leaf: readTestdata("snp/turin-vcek.der"),
      chain: chainOf("snp/turin-ask-ark.pem"),
    };
    const nowMs = Date.UTC(2026, 0, 1) as UnixMs;
    const { checks, endorsements } = verifySnpEndorsements(given, ANCHORS, nowMs);
    expect(checks.filter(({ refusal }) => refusal !== undefined)).toEqual([]);
    expect(endorsements?.anchor).toBe(digestOf(AMD_ROOTS.Turin));
    expect(endorsements?.signer).toMatchObject({ kind: "vcek", product: "Turin" });
  });

  describe("one bit changed in any byte is refused", () => {
    test.each(rows.slice(0, 3))("of the report %s", (_file, each) => {
      const scenario = scenarioOf(each);
      const { report } = scenario;
      expectAllRefused(report, (changed) => refusalsOf({ ...scenario, report: changed }));
    });

    test.each(rows.slice(3, 4))("of the certificates of %s", (_file, each) => {
      const scenario = scenarioOf(each);
      const [ask = new Uint8Array(), ark = new Uint8Array()] = scenario.chain;
      expectAllRefused(scenario.leaf, (leaf) => refusalsOf({ ...scenario, leaf }));
      expectAllRefused(ask, (changed) => refusalsOf({ ...scenario, chain: [changed, ark] }));
      expectAllRefused(ark, (changed) => refusalsOf({ ...scenario, chain: [ask, changed] }));
    });
  });

  test("a report or certificate cut at any byte is refused", () => {
    const [good] = scenarios();
    if (good === undefined) throw new Error("cases.json has changed");
    const [ask = new Uint8Array(), ark = new Uint8Array()] = good.chain;
    const cuts = (bytes: Uint8Array) => Array.from(bytes, (_, length) => bytes.subarray(0, length));
    for (const report of cuts(good.report)) {
      expect(refusalsOf({ ...good, report })).toEqual(["malformed-snp-report"]);
    }
    for (const leaf of cuts(good.leaf)) {
      expect(refusalsOf({ ...good, leaf })).toEqual(["chain-malformed"]);
    }
    for (const cut of cuts(ask)) {
      expect(refusalsOf({ ...good, chain: [cut, ark] })).toEqual(["chain-malformed"]);
    }
    for (const cut of cuts(ark)) {
      expect(refusalsOf({ ...good, chain: [ask, cut] })).toEqual(["chain-malformed"]);
    }
  });
});

/** Changes one bit in each byte, another one in each. */
function expectAllRefused(
  bytes: Uint8Array,
  refusals: (changed: Uint8Array) => readonly string[],
): void {
  const accepted: number[] = [];
  bytes.forEach((byte, index) => {
    const changed = bytes.slice();
    changed[index] = byte ^ (1 << ((index * 5) % 8));
    if (refusals(changed).length === 0) accepted.push(index);
  });
  expect(accepted).toEqual([]);
}
