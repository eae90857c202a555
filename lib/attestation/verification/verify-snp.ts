/** Whether an SNP report is genuine: signed by a key that AMD vouches for, and in agreement with what AMD certified. */
import type { UnixMs } from "../../base/ids.ts";
import type { SnpEndorsements } from "../endorsements/snp-endorsements.ts";
import { isDebugGuest, type SnpReport } from "../evidence/snp-report.ts";
import { readTcb } from "../evidence/snp-tcb.ts";
import { checkDates } from "./chains/check-dates.ts";
import { checkSnpReport } from "./check-snp-report.ts";
import { Checklist } from "./checklist.ts";
import type { SnpClaims, SnpPlatform, Verification } from "./claims.ts";
import { examineSnpEndorsements, type VerifiedSnpEndorsements } from "./verify-snp-endorsements.ts";

/**
 * Verifies a report with endorsements that nobody has verified. All reasons are noted, of both; claims exist only if
 * there is none.
 *
 * @param anchors  ARKs that are trusted, DER; a chain may present another certificate of the same key
 * @param nowMs  the time at which certificates and the revocation list must be valid
 * @throws EvidenceError for an anchor that is not a certificate; never for what a peer gave
 */
export function verifySnpReport(
  report: SnpReport,
  given: SnpEndorsements,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): Verification<SnpClaims> {
  const checklist = new Checklist();
  const { leaf, signer, verified } = examineSnpEndorsements(checklist, given, anchors, nowMs);
  if (leaf !== undefined) checkSnpReport(checklist, report, leaf, signer);
  return conclude(checklist, report, verified);
}

/**
 * Verifies a report with endorsements that were verified before, perhaps long ago: their dates are asked again.
 *
 * @param nowMs  the time at which certificates and the revocation list must be valid
 */
export function verifyEndorsedSnpReport(
  report: SnpReport,
  endorsements: VerifiedSnpEndorsements,
  nowMs: UnixMs,
): Verification<SnpClaims> {
  const checklist = new Checklist();
  for (const { object, title, validity } of endorsements.dated) {
    checkDates(checklist, object, title, validity, nowMs);
  }
  checkSnpReport(checklist, report, endorsements.leaf, endorsements.signer);
  return conclude(checklist, report, endorsements);
}

function conclude(
  { checks, refusals }: Checklist,
  report: SnpReport,
  endorsements: VerifiedSnpEndorsements | undefined,
): Verification<SnpClaims> {
  if (refusals.length > 0 || endorsements === undefined) return { checks };
  const claims: SnpClaims = {
    tee: "sev-snp",
    anchor: endorsements.anchor,
    reportData: report.reportData,
    isDebug: isDebugGuest(report.measurements),
    expiresAtMs: Math.min(...endorsements.dated.map(({ validity }) => validity.toMs)) as UnixMs,
    reportVersion: report.version,
    measurements: report.measurements,
    platform: platformOf(report, endorsements),
  };
  return { checks, claims };
}

function platformOf(
  report: SnpReport,
  { signer, revocationChecked }: VerifiedSnpEndorsements,
): SnpPlatform {
  const { product, kind } = signer;
  return {
    product,
    signingKey: kind,
    chipId: report.chipId,
    currentTcb: readTcb(report.currentTcb, product),
    reportedTcb: readTcb(report.reportedTcb, product),
    committedTcb: readTcb(report.committedTcb, product),
    launchTcb: readTcb(report.launchTcb, product),
    platformInfo: report.platformInfo,
    revocationChecked,
  };
}
