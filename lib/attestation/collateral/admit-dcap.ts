/** Which DCAP endorsements a cache takes: those that verify, are for the platform asked for, and are not older than before. */
import { toHex } from "../../base/bytes.ts";
import type { UnixMs } from "../../base/ids.ts";
import { type Refusal, refusal } from "../../base/refusal.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import { Checklist } from "../verification/checklist.ts";
import { examineCollateral } from "../verification/examine-collateral.ts";
import { type VerifiedCollateral, verifyCollateral } from "../verification/verify-collateral.ts";
import { type DcapPlatformKey, nameOfDcap } from "./collateral-source.ts";
import type { Kept } from "./kept-object.ts";
import { refusedEndorsements } from "./refused-endorsements.ts";

/** A set as it came, and what its verification found. */
export type DcapSet = {
  readonly collateral: DcapCollateral;
  readonly verified: VerifiedCollateral;
};

/**
 * The set with its end, if it may be kept for that platform. Whether it is older than what was seen is asked elsewhere.
 * @param anchors  roots that are trusted, DER
 * @throws CollateralError "bad-response" | "stale"
 */
export function admitDcap(
  key: DcapPlatformKey,
  collateral: DcapCollateral,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): Kept<DcapSet> {
  const what = whatOf(key);
  const { checks, collateral: verified } = verifyCollateral(collateral, anchors, nowMs);
  const refusals = checks.flatMap(({ refusal: each }) => (each === undefined ? [] : [each]));
  if (verified === undefined) throw refusedEndorsements(what, refusals);
  const mistaken = mistakenFor(key, verified);
  if (mistaken.length > 0) throw refusedEndorsements(what, mistaken);
  const { expiresAtMs, dated } = verified;
  const first = dated.find(({ validity }) => validity.toMs === expiresAtMs);
  const ends = { what: `${first?.title ?? "something"} of ${nameOfDcap(key)}`, atMs: expiresAtMs };
  return { value: { collateral, verified }, ends };
}

/** For messages: "collateral of SGX platform 00906ed50000 (processor CA)". */
export const whatOf = (key: DcapPlatformKey): string => `collateral of ${nameOfDcap(key)}`;

/**
 * The last moment at which all parts of a set count, as they say themselves: unverified.
 * @returns undefined if no part can be read
 */
export function unverifiedEndOfDcap(collateral: DcapCollateral): UnixMs | undefined {
  const { dated } = examineCollateral(new Checklist(), collateral, [], 0 as UnixMs);
  const endsMs = dated.map(({ validity }) => validity.toMs);
  return endsMs.length === 0 ? undefined : (Math.min(...endsMs) as UnixMs);
}

/** In what the set is not the one that was asked for. */
function mistakenFor(
  key: DcapPlatformKey,
  { tcbInfo, pckCa }: VerifiedCollateral,
): readonly Refusal[] {
  const fmspc = toHex(tcbInfo.fmspc);
  const ca = pckCa.commonName?.includes("Platform") ? "platform" : "processor";
  return [
    ...(fmspc === key.fmspc ? [] : [refusal("fmspc-mismatch", fmspc, key.fmspc)]),
    ...(tcbInfo.tee === key.tee ? [] : [refusal("tcb-info-wrong-tee", tcbInfo.tee, key.tee)]),
    ...(ca === key.pckCa ? [] : [refusal("pck-ca-differs", ca, key.pckCa)]),
  ];
}
