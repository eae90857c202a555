/** Whether a DCAP quote is genuine: made by Intel's quoting enclave on a platform that Intel certified and grades. */
import type { UnixMs } from "../../base/ids.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import type { PckPlatform } from "../endorsements/sgx-extension.ts";
import type { Quote } from "../evidence/quote.ts";
import { isDebugEnclave } from "../evidence/sgx-report.ts";
import { isDebugTd } from "../evidence/td-report.ts";
import { checkDates } from "./chains/check-dates.ts";
import { Checklist } from "./checklist.ts";
import type { DcapPlatform, SgxClaims, TdxClaims, Verification } from "./claims.ts";
import { examineCollateral } from "./examine-collateral.ts";
import { examineQuote, type QuoteParts } from "./examine-quote.ts";
import { type VerifiedCollateral, verifiedOf } from "./verify-collateral.ts";

/**
 * Verifies a quote with endorsements that were verified before, perhaps long ago: their dates are asked again.
 *
 * @param collateral  undefined where there is none: the quote's own signatures are checked all the same
 * @param nowMs  the time at which everything must be valid
 */
export function verifyQuote(
  quote: Quote,
  collateral: VerifiedCollateral | undefined,
  nowMs: UnixMs,
): Verification<SgxClaims | TdxClaims> {
  const checklist = new Checklist();
  for (const { object, title, validity } of collateral?.dated ?? []) {
    checkDates(checklist, object, title, validity, nowMs);
  }
  const anchors = collateral && [collateral.root.der];
  const parts = examineQuote(checklist, quote, collateral, anchors, nowMs);
  return conclude(checklist, quote, parts, collateral);
}

/**
 * Verifies a quote with endorsements that nobody has verified. All reasons are noted, of both; claims exist only if
 * there is none.
 *
 * @param given  undefined where there are none: the quote is checked up to its root all the same
 * @param anchors  roots that are trusted, DER, compared byte for byte
 * @param nowMs  the time at which everything must be valid
 */
export function verifyQuoteWith(
  quote: Quote,
  given: DcapCollateral | undefined,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): Verification<SgxClaims | TdxClaims> {
  const checklist = new Checklist();
  const found = given && examineCollateral(checklist, given, anchors, nowMs);
  const isVerified = checklist.refusals.length === 0;
  const known = found && { ...found, pckCertificateChain: given.pckCertificateChain };
  const parts = examineQuote(checklist, quote, known, anchors, nowMs);
  const collateral = isVerified && found ? verifiedOf(found, given) : undefined;
  return conclude(checklist, quote, parts, collateral);
}

/** Claims, if nothing was found wrong with anything. */
function conclude(
  { checks, refusals }: Checklist,
  { body, reportData, version }: Quote,
  { pck, platform, tcb }: QuoteParts,
  collateral: VerifiedCollateral | undefined,
): Verification<SgxClaims | TdxClaims> {
  const isWhole = pck !== undefined && platform !== undefined && tcb !== undefined;
  if (refusals.length > 0 || collateral === undefined || !isWhole) return { checks };
  const common = {
    anchor: collateral.anchor,
    reportData,
    expiresAtMs: Math.min(collateral.expiresAtMs, pck.expiresAtMs) as UnixMs,
    quoteVersion: version,
    platform: platformOf(platform, pck.pckCa),
    tcb,
  };
  const { tee } = body;
  if (tee === "sgx") {
    const { measurements } = body.report;
    return {
      checks,
      claims: { ...common, tee, measurements, isDebug: isDebugEnclave(measurements) },
    };
  }
  const { measurements } = body.report;
  return { checks, claims: { ...common, tee, measurements, isDebug: isDebugTd(measurements) } };
}

/** The platform without its security versions: they are what the grade says. */
function platformOf(platform: PckPlatform, pckCa: DcapPlatform["pckCa"]): DcapPlatform {
  const { componentSvns: _components, pceSvn: _pce, cpuSvn: _cpu, ...named } = platform;
  return { ...named, pckCa };
}
