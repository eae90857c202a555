/** Whether a set of DCAP endorsements holds. The answer is for every platform of one FMSPC and CA, and may be kept. */
import { type Digest, digestOf, type UnixMs } from "../../base/ids.ts";
import type { Crl } from "../endorsements/crl.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import type { KeyedCertificate } from "../endorsements/keyed-certificate.ts";
import type { QeIdentity } from "../endorsements/qe-identity.ts";
import type { TcbInfo } from "../endorsements/tcb-info.ts";
import { type Check, Checklist } from "./checklist.ts";
import type { VerificationCode } from "./codes.ts";
import { type CollateralParts, type DatedPart, examineCollateral } from "./examine-collateral.ts";

/** Endorsements that held when they were looked at. */
export type VerifiedCollateral = {
  /** SHA-256 of the root's DER. */
  readonly anchor: Digest;
  readonly root: KeyedCertificate;
  /** Who issues PCK certificates and revokes them. */
  readonly pckCa: KeyedCertificate;
  readonly rootCrl: Crl;
  readonly pckCrl: Crl;
  readonly tcbInfo: TcbInfo;
  readonly qeIdentity: QeIdentity;
  /** PEM; for quotes without a chain of their own. */
  readonly pckCertificateChain?: string;
  /** Everything that must still be valid when a quote is verified. */
  readonly dated: readonly DatedPart[];
  /** The first moment at which something of it ends. */
  readonly expiresAtMs: UnixMs;
};

/**
 * Verifies endorsements alone; all reasons are noted.
 *
 * @param anchors  roots that are trusted, DER, compared byte for byte
 * @param nowMs  the time at which everything must be valid
 */
export function verifyCollateral(
  given: DcapCollateral,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): {
  readonly checks: readonly Check<VerificationCode>[];
  readonly collateral?: VerifiedCollateral;
} {
  const checklist = new Checklist();
  const parts = examineCollateral(checklist, given, anchors, nowMs);
  const { checks, refusals } = checklist;
  const collateral = refusals.length === 0 ? verifiedOf(parts, given) : undefined;
  return collateral === undefined ? { checks } : { checks, collateral };
}

/** The set, once nothing was found wrong with its parts; undefined if one could not be read. */
export function verifiedOf(
  { root, pckCa, rootCrl, pckCrl, tcbInfo, qeIdentity, dated }: CollateralParts,
  { pckCertificateChain }: DcapCollateral,
): VerifiedCollateral | undefined {
  const isWhole =
    root !== undefined &&
    pckCa !== undefined &&
    rootCrl !== undefined &&
    pckCrl !== undefined &&
    tcbInfo !== undefined &&
    qeIdentity !== undefined;
  if (!isWhole) return undefined;
  return {
    anchor: digestOf(root.der),
    root,
    pckCa,
    rootCrl,
    pckCrl,
    tcbInfo,
    qeIdentity,
    ...(pckCertificateChain === undefined ? {} : { pckCertificateChain }),
    dated,
    expiresAtMs: Math.min(...dated.map(({ validity }) => validity.toMs)) as UnixMs,
  };
}
