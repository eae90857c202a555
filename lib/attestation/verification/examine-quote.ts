/** Looks through a quote, holds it against endorsements as far as they are at hand, and notes whatever is wrong. */
import type { UnixMs } from "../../base/ids.ts";
import type { PckPlatform } from "../endorsements/sgx-extension.ts";
import type { Quote } from "../evidence/quote.ts";
import { checkPckChain, type KnownAuthority, type Pck } from "./check-pck-chain.ts";
import { checkPlatformTcb } from "./check-platform-tcb.ts";
import { checkQeIdentity, checkSignatures } from "./check-quoting-enclave.ts";
import { checkTdxModule } from "./check-tdx-module.ts";
import type { Checklist } from "./checklist.ts";
import type { DcapTcb } from "./claims.ts";
import { gradeOf, withRelaunch } from "./dcap-grade.ts";
import type { CollateralParts } from "./examine-collateral.ts";

/** Endorsements, verified or not: whatever is wrong with them was noted. */
export type KnownEndorsements = KnownAuthority &
  Partial<Pick<CollateralParts, "tcbInfo" | "qeIdentity">>;

/** What claims are made of, as far as it was found. */
export type QuoteParts = {
  readonly pck: Pick<Pck, "pckCa" | "expiresAtMs"> | undefined;
  readonly platform: PckPlatform | undefined;
  readonly tcb: DcapTcb | undefined;
};

/**
 * Checks the chain of keys from the root to the quote, who made it, and how Intel grades the platform.
 *
 * @param known  undefined where there are no endorsements
 * @param anchors  roots that are trusted, DER; undefined where nobody said
 */
export function examineQuote(
  checklist: Checklist,
  { body, quotingEnclave, ...quote }: Quote,
  known: KnownEndorsements | undefined,
  anchors: readonly Uint8Array[] | undefined,
  nowMs: UnixMs,
): QuoteParts {
  checklist.note(
    known !== undefined,
    "collateral-missing",
    "endorsements: at hand",
    "none",
    "Intel's endorsements of this platform",
  );
  const { tcbInfo, qeIdentity } = known ?? {};
  const { certification, report } = quotingEnclave;
  const pck = checkPckChain(checklist, certification, known ?? {}, anchors, nowMs);
  checkSignatures(checklist, { ...quote, quotingEnclave }, pck?.key);
  const qe = qeIdentity && checkQeIdentity(checklist, report, qeIdentity);
  const platform = pck?.platform;
  if (platform === undefined || tcbInfo === undefined) return { pck, platform, tcb: undefined };
  const level = checkPlatformTcb(checklist, body, platform, tcbInfo);
  const td = body.tee === "tdx" ? body.report.measurements : undefined;
  const module = td && checkTdxModule(checklist, td, tcbInfo);
  if (level === undefined || qe === undefined || qeIdentity === undefined) {
    return { pck, platform, tcb: undefined };
  }
  const grade = gradeOf({ platform: level, qe, module }, tcbInfo, qeIdentity);
  return { pck, platform, tcb: withRelaunch(grade, body, platform, tcbInfo) };
}
