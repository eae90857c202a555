import { describe, expect, test } from "vitest";
import { toHex } from "../../../base/bytes.ts";
import { digestOf, type UnixMs } from "../../../base/ids.ts";
import {
  DCAP_CASES,
  type DcapCase,
  type DcapScenario,
  dcapCase,
  scenarioOf,
} from "../../testing/dcap-cases.ts";
import { hasTestdata } from "../../testing/testdata.ts";
import { INTEL_ROOT } from "../../trust-anchors/intel.ts";
import type { SgxClaims, TdxClaims, Verification } from "../claims.ts";
import { verifyCollateral } from "../verify-collateral.ts";
import { verifyQuote, verifyQuoteWith } from "../verify-quote.ts";

const codesOf = ({ checks }: Pick<Verification, "checks">): readonly string[] => [
  ...new Set(checks.flatMap(({ refusal }) => refusal?.code ?? [])),
];

const verify = (scenario: DcapScenario, change: Partial<DcapScenario> = {}) => {
  const { quote, collateral, anchors, nowMs } = { ...scenario, ...change };
  return verifyQuoteWith(quote, collateral, anchors, nowMs);
};

function claimsOf(verification: Verification<SgxClaims | TdxClaims>): SgxClaims | TdxClaims {
  const { claims } = verification;
  if (claims === undefined) throw new Error(codesOf(verification).join());
  return claims;
}

const isoOf = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");

/** Whether a row of the table is refused by the verifier itself; debug is a fact, and policy refuses it. */
const isRefused = ({ expect: wanted }: DcapCase): boolean =>
  wanted.reject !== undefined && wanted.reject !== "debug";

const rows = (cases: readonly DcapCase[]) =>
  cases.map((each) => [each.file, each.collateral, each] as const);

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("quotes of real machines (needs ../shared/testdata)", () => {
  const good = DCAP_CASES.filter((each) => !isRefused(each));

  test("are all there", () => {
    expect([DCAP_CASES.length, good.length]).toEqual([16, 15]);
  });

  test.each(rows(good))("%s with %s is graded as Intel grades it", (_, _collateral, wanted) => {
    const scenario = scenarioOf(wanted);
    const verification = verify(scenario);
    const { tcb, tee, isDebug, platform, quoteVersion, reportData, anchor } =
      claimsOf(verification);
    const { expect: verdict } = wanted;
    const isStatus = verdict.reject === undefined;
    expect(tcb.status).toBe(isStatus ? verdict.status : verdict.statusIfDebugAllowed);
    const advisories = isStatus ? verdict.advisories : verdict.advisoriesIfDebugAllowed;
    if (advisories !== undefined) expect(tcb.advisories).toEqual(advisories);
    expect({ debug: isDebug, ...graded(tcb) }).toMatchObject(
      defined({
        debug: wanted.debug,
        platformStatus: verdict.platformStatus,
        qeStatus: verdict.qeStatus,
        tcbDate: verdict.tcbDate,
        tcbEvaluationDataNumber: verdict.tcbEvaluationDataNumber,
      }),
    );
    if (verdict.platformStatus !== undefined) {
      expect(tcb.moduleStatus).toBe(verdict.moduleStatus);
    }
    expect({ tee: tee.toUpperCase(), quoteVersion, fmspc: toHex(platform.fmspc) }).toMatchObject(
      defined({ tee: wanted.tee, quoteVersion: wanted.quoteVersion, fmspc: wanted.fmspc }),
    );
    if (wanted.reportData !== undefined) expect(toHex(reportData)).toBe(wanted.reportData);
    expect(anchor).toBe(digestOf(scenario.anchors[0] ?? new Uint8Array()));
  });

  test.each(rows(good))("%s with %s is the same with kept endorsements", (_, _collateral, each) => {
    const scenario = scenarioOf(each);
    const { quote, collateral, anchors, nowMs } = scenario;
    const kept = verifyCollateral(collateral, anchors, nowMs);
    expect(codesOf(kept)).toEqual([]);
    const verification = verifyQuote(quote, kept.collateral, nowMs);
    expect(verification.claims).toEqual(verify(scenario).claims);
  });

  test.each(rows(DCAP_CASES.filter(isRefused)))("%s with %s is refused", (_, _set, wanted) => {
    const verification = verify(scenarioOf(wanted));
    expect(verification.claims).toBeUndefined();
    expect(codesOf(verification)).toEqual([wanted.expect.reject]);
  });

  test.each(rows(good.filter((each) => each.validFrom !== undefined)))(
    "%s with %s is genuine from the first to the last second of its window, and not around it",
    (_, _collateral, each) => {
      const scenario = scenarioOf(each);
      const from = Date.parse(String(each.validFrom));
      const to = Date.parse(String(each.validTo));
      const at = (ms: number) => verify(scenario, { nowMs: ms as UnixMs });
      for (const ms of [from, to]) expect(codesOf(at(ms))).toEqual([]);
      expect(codesOf(at(from - 1)).every((code) => code.endsWith("-not-yet-valid"))).toBe(true);
      expect(codesOf(at(to + 1)).every((code) => code.endsWith("-expired"))).toBe(true);
      expect(at(from - 1).claims ?? at(to + 1).claims).toBeUndefined();
      expect(isoOf(claimsOf(at(from)).expiresAtMs)).toBe(isoOf(to));
    },
  );

  test("Intel's test root vouches under its own name only", () => {
    const scenario = scenarioOf(dcapCase("intelqvl", "intelqvl"));
    const claims = claimsOf(verify(scenario));
    expect([claims.tcb.status, claims.tcb.tcbInfoVersion]).toEqual(["UpToDate", 2]);
    const refused = verify(scenario, { anchors: [INTEL_ROOT] });
    expect([refused.claims, codesOf(refused)]).toEqual([undefined, ["root-not-trusted"]]);
    const none = verify(scenario, { anchors: [] });
    expect([none.claims, codesOf(none)]).toEqual([undefined, ["root-not-trusted"]]);
  });

  test("a real quote is refused under Intel's test root", () => {
    const { anchors } = scenarioOf(dcapCase("intelqvl", "intelqvl"));
    const refused = verify(scenarioOf(dcapCase("v3-phala", "")), { anchors });
    expect([refused.claims, codesOf(refused)]).toEqual([undefined, ["root-not-trusted"]]);
  });

  test("TDX 1.5 says that a launch would help where only the launching module is old", () => {
    const advised = (file: string, collateral: string) => {
      const { tcb } = claimsOf(verify(scenarioOf(dcapCase(file, collateral))));
      return [tcb.status, tcb.moduleStatus, tcb.isRelaunchAdvised];
    };
    // Launched by module 4, which module 7 replaced under it; 6 is the newest that Intel asks for.
    expect(advised("v5-oe-seamldr", "2026-02")).toEqual(["OutOfDate", "OutOfDate", true]);
    expect(advised("v5-oe-seamldr", "2025-06")).toEqual(["UpToDate", "UpToDate", false]);
    expect(advised("v4-cos113", "2025-10")).toEqual(["UpToDate", "UpToDate", undefined]);
  });

  test("the age of what is out of date counts from the next newer level", () => {
    const since = (file: string, collateral: string) => {
      const { tcb } = claimsOf(verify(scenarioOf(dcapCase(file, collateral))));
      return tcb.outOfDateSinceMs && isoOf(tcb.outOfDateSinceMs).slice(0, 10);
    };
    expect(since("v3-tlsn", "early19")).toBe("2025-05-14");
    expect(since("v3-debug", "2025-08")).toBe("2022-08-10");
    expect(since("v5-oe-seamldr", "2026-02")).toBe("2024-11-13");
    expect(since("v3-tlsn", "2025-05.json")).toBeUndefined();
  });
});

const graded = (tcb: SgxClaims["tcb"]) => ({ ...tcb, tcbDate: isoOf(tcb.tcbDateMs) });

/** Without what a row of the table does not say. */
const defined = (record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
