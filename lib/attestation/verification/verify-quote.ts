/** Whether a DCAP quote is genuine: made by Intel's quoting enclave on a platform that Intel certified and grades. */
import type { UnixMs } from "../../base/ids.ts";
import { checkDates } from "../endorsements/check-dates.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import type { Quote } from "../evidence/quote.ts";
import { isDebugEnclave } from "../evidence/sgx-report.ts";
import { isDebugTd } from "../evidence/td-report.ts";
import { checkTcbLevels, gradeOf } from "./check-dcap-tcb.ts";
import { checkPckChain, type KnownAuthority, type Pck } from "./check-pck-chain.ts";
import { checkQeIdentity, checkSignatures } from "./check-quoting-enclave.ts";
import { Checklist } from "./checklist.ts";
import type { DcapPlatform, DcapTcb, SgxClaims, TdxClaims, Verification } from "./claims.ts";
import { type CollateralParts, examineCollateral } from "./examine-collateral.ts";
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
  if (collateral === undefined) noteMissing(checklist);
  const found = checkQuote(checklist, quote, collateral ?? NOTHING, collateral, nowMs);
  return conclude(checklist, quote, found, collateral);
}

/**
 * Verifies a quote with endorsements that nobody has verified. All reasons are noted, of both; claims exist only if
 * there is none.
 *
 * @param anchors  roots that are trusted, DER, compared byte for byte
 * @param nowMs  the time at which everything must be valid
 */
export function verifyQuoteWith(
  quote: Quote,
  given: DcapCollateral | undefined,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): Verification<SgxClaims | TdxClaims> {
  if (given === undefined) return verifyQuote(quote, undefined, nowMs);
  const checklist = new Checklist();
  const parts = examineCollateral(checklist, given, anchors, nowMs);
  const collateral = checklist.refusals.length === 0 ? verifiedOf(parts, given) : undefined;
  const found = checkQuote(checklist, quote, parts, given, nowMs);
  return conclude(checklist, quote, found, collateral);
}

const NOTHING: KnownAuthority & Pick<CollateralParts, "tcbInfo" | "qeIdentity"> = {
  root: undefined,
  pckCa: undefined,
  rootCrl: undefined,
  pckCrl: undefined,
  tcbInfo: undefined,
  qeIdentity: undefined,
};

const noteMissing = (checklist: Checklist): boolean =>
  checklist.note(
    false,
    "collateral-missing",
    "endorsements: at hand",
    "none",
    "Intel's endorsements of this platform",
  );

/** What the claims are made of, as far as it was found. */
type Found = { readonly pck: Pck | undefined; readonly tcb: DcapTcb | undefined };

function checkQuote(
  checklist: Checklist,
  quote: Quote,
  known: KnownAuthority & Pick<CollateralParts, "tcbInfo" | "qeIdentity">,
  beside: { readonly pckCertificateChain?: string } | undefined,
  nowMs: UnixMs,
): Found {
  const { body, quotingEnclave } = quote;
  const { tcbInfo, qeIdentity } = known;
  const { certification } = quotingEnclave;
  const pck = checkPckChain(checklist, certification, beside?.pckCertificateChain, known, nowMs);
  checkSignatures(checklist, quote, pck?.key);
  const qeLevel =
    qeIdentity === undefined
      ? undefined
      : checkQeIdentity(checklist, quotingEnclave.report, qeIdentity);
  if (pck?.platform === undefined || tcbInfo === undefined) return { pck, tcb: undefined };
  const { platform, module } = checkTcbLevels(checklist, body, pck.platform, tcbInfo);
  const isGraded = platform !== undefined && qeLevel !== undefined && qeIdentity !== undefined;
  const tcb = isGraded ? gradeOf(platform, module, qeLevel, tcbInfo, qeIdentity) : undefined;
  return { pck, tcb };
}

function conclude(
  { checks, refusals }: Checklist,
  quote: Quote,
  { pck, tcb }: Found,
  collateral: VerifiedCollateral | undefined,
): Verification<SgxClaims | TdxClaims> {
  if (refusals.length > 0 || collateral === undefined) return { checks };
  if (pck?.platform === undefined || tcb === undefined) return { checks };
  const common = {
    anchor: collateral.anchor,
    reportData: quote.reportData,
    expiresAtMs: Math.min(collateral.expiresAtMs, pck.certificate.notAfterMs) as UnixMs,
    quoteVersion: quote.version,
    platform: platformOf(pck.platform, pck.pckCa),
    tcb,
  };
  const claims =
    quote.body.tee === "sgx"
      ? {
          ...common,
          tee: "sgx" as const,
          measurements: quote.body.report.measurements,
          isDebug: isDebugEnclave(quote.body.report.measurements),
        }
      : {
          ...common,
          tee: "tdx" as const,
          measurements: quote.body.report.measurements,
          isDebug: isDebugTd(quote.body.report.measurements),
        };
  return { checks, claims };
}

/** The platform without its security versions: they are what the grade says. */
function platformOf(
  { componentSvns: _components, pceSvn: _pce, ...platform }: NonNullable<Pck["platform"]>,
  pckCa: DcapPlatform["pckCa"],
): DcapPlatform {
  return { ...platform, pckCa };
}
