/**
 * The newest endorsements that a relying party has seen. Intel's documents are valid for 30 days, so that whoever
 * brings them may choose an older one which does not know of a flaw or a revocation yet: here numbers never go back.
 */
import { toHex } from "../../base/bytes.ts";
import { type Refusal, refusal } from "../../base/refusal.ts";
import type { VerificationCode } from "./codes.ts";
import type { VerifiedCollateral } from "./verify-collateral.ts";

/** Decimal numbers by what they count: plain JSON, to be kept where it cannot be rolled back itself. */
export type CollateralFloor = { readonly [object: string]: string };

/** Nothing was seen yet. */
export const EMPTY_FLOOR: CollateralFloor = {};

/** A number of a set of endorsements that only rises. */
type Mark = {
  readonly object: string;
  readonly number: bigint;
  readonly code: VerificationCode;
  readonly title: string;
};

/** Which objects of the set are older than what was seen before. */
export const checkFloor = (
  collateral: VerifiedCollateral,
  floor: CollateralFloor,
): readonly Refusal<VerificationCode>[] =>
  marksOf(collateral).flatMap(({ object, number, code, title }) => {
    const seen = BigInt(floor[object] ?? 0);
    return number >= seen ? [] : [refusal(code, `${title} ${number}`, `${seen} or higher`)];
  });

/** The floor once this set was accepted. */
export function raiseFloor(
  collateral: VerifiedCollateral,
  floor: CollateralFloor,
): CollateralFloor {
  const raised: Record<string, string> = { ...floor };
  for (const { object, number } of marksOf(collateral)) {
    if (number > BigInt(raised[object] ?? 0)) raised[object] = number.toString();
  }
  return raised;
}

/** Numbers are counted apart for each root, TEE, family of platforms and CA. */
function marksOf(collateral: VerifiedCollateral): readonly Mark[] {
  const { anchor, tcbInfo, qeIdentity, rootCrl, pckCrl, pckCa } = collateral;
  const { tee, fmspc } = tcbInfo;
  return [
    {
      object: `${anchor}/tcb-info/${tee}/${toHex(fmspc)}`,
      number: BigInt(tcbInfo.evaluationDataNumber),
      code: "tcb-info-rolled-back",
      title: "tcbEvaluationDataNumber of TCB info",
    },
    {
      object: `${anchor}/qe-identity/${tee}`,
      number: BigInt(qeIdentity.evaluationDataNumber),
      code: "qe-identity-rolled-back",
      title: "tcbEvaluationDataNumber of QE identity",
    },
    {
      object: `${anchor}/root-crl`,
      number: rootCrl.crlNumber,
      code: "root-crl-rolled-back",
      title: "number of Intel root's CRL",
    },
    {
      object: `${anchor}/pck-crl/${pckCa.commonName ?? ""}`,
      number: pckCrl.crlNumber,
      code: "pck-crl-rolled-back",
      title: "number of the PCK CRL",
    },
  ];
}
