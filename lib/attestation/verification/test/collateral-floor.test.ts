import { describe, expect, test } from "vitest";
import { DCAP_CASES, type DcapCase, dcapCase, scenarioOf } from "../../testing/dcap-cases.ts";
import { hasTestdata } from "../../testing/testdata.ts";
import { type CollateralFloor, checkFloor, EMPTY_FLOOR, raiseFloor } from "../collateral-floor.ts";
import { type VerifiedCollateral, verifyCollateral } from "../verify-collateral.ts";

function verified(each: DcapCase): VerifiedCollateral {
  const { collateral, anchors, nowMs } = scenarioOf(each);
  const { collateral: found } = verifyCollateral(collateral, anchors, nowMs);
  if (found === undefined) throw new Error("does not verify");
  return found;
}

const codesOf = (collateral: VerifiedCollateral, floor: CollateralFloor) =>
  checkFloor(collateral, floor).map(({ code }) => code);

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("a floor under endorsements (needs ../shared/testdata)", () => {
  const standard = () => verified(dcapCase("v3-tlsn", "2025-05.json"));
  const early = () => verified(dcapCase("v3-tlsn", "early19"));

  test("is not there at first", () => {
    for (const each of DCAP_CASES) expect(codesOf(verified(each), EMPTY_FLOOR)).toEqual([]);
  });

  test("refuses an evaluation that is older than one that was seen", () => {
    const floor = raiseFloor(early(), EMPTY_FLOOR);
    expect(codesOf(early(), floor)).toEqual([]);
    expect(checkFloor(standard(), floor)).toEqual([
      {
        code: "tcb-info-rolled-back",
        seen: "tcbEvaluationDataNumber of TCB info 17",
        wanted: "19 or higher",
      },
    ]);
    expect(codesOf(early(), raiseFloor(standard(), EMPTY_FLOOR))).toEqual([]);
  });

  test("never falls, and is the same in whichever order sets were seen", () => {
    const up = raiseFloor(early(), raiseFloor(standard(), EMPTY_FLOOR));
    const down = raiseFloor(standard(), raiseFloor(early(), EMPTY_FLOOR));
    expect(down).toEqual(up);
    expect(raiseFloor(early(), up)).toEqual(up);
  });

  test.each<[string, (set: VerifiedCollateral) => VerifiedCollateral, string]>([
    [
      "TCB info",
      (set) => ({ ...set, tcbInfo: { ...set.tcbInfo, evaluationDataNumber: 16 } }),
      "tcb-info-rolled-back",
    ],
    [
      "QE identity",
      (set) => ({ ...set, qeIdentity: { ...set.qeIdentity, evaluationDataNumber: 16 } }),
      "qe-identity-rolled-back",
    ],
    [
      "the root's list",
      (set) => ({ ...set, rootCrl: { ...set.rootCrl, crlNumber: set.rootCrl.crlNumber - 1n } }),
      "root-crl-rolled-back",
    ],
    [
      "the PCK list",
      (set) => ({ ...set, pckCrl: { ...set.pckCrl, crlNumber: set.pckCrl.crlNumber - 1n } }),
      "pck-crl-rolled-back",
    ],
  ])("is apart for %s", (_, older, code) => {
    const floor = raiseFloor(standard(), EMPTY_FLOOR);
    expect(codesOf(older(standard()), floor)).toEqual([code]);
    expect(codesOf(standard(), raiseFloor(older(standard()), EMPTY_FLOOR))).toEqual([]);
  });

  test("is apart for each root, TEE, family and CA", () => {
    const floor = raiseFloor(early(), EMPTY_FLOOR);
    const otherFamily = verified(dcapCase("v3-phala", ""));
    const otherTee = verified(dcapCase("v4-oe", "2023-06"));
    const otherRoot = verified(dcapCase("intelqvl", "intelqvl"));
    // All under Intel's production root have its list in common.
    expect(codesOf(otherFamily, floor).filter((code) => !code.startsWith("root-crl"))).toEqual([]);
    expect(codesOf(otherTee, floor).filter((code) => !code.startsWith("root-crl"))).toEqual([]);
    expect(codesOf(otherRoot, floor)).toEqual([]);
    expect(raiseFloor(otherRoot, floor)).toEqual({
      ...raiseFloor(otherRoot, EMPTY_FLOOR),
      ...floor,
    });
  });

  test("counts list numbers past 2^53 exactly", () => {
    const big = 2n ** 100n;
    const set = standard();
    const at = (crlNumber: bigint) => ({ ...set, rootCrl: { ...set.rootCrl, crlNumber } });
    const floor = raiseFloor(at(big + 1n), EMPTY_FLOOR);
    expect(codesOf(at(big), floor)).toEqual(["root-crl-rolled-back"]);
    expect(codesOf(at(big + 1n), floor)).toEqual([]);
    expect(JSON.parse(JSON.stringify(floor))).toEqual(floor);
  });
});
