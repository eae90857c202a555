/** Accepted or not: genuine claims against the identities that a role accepts. Never throws for what a peer sent. */
import { equalBytes, toHex } from "../../base/bytes.ts";
import { digestOf, type UnixMs } from "../../base/ids.ts";
import { isoTime } from "../../base/iso-time.ts";
import { type Refusal, refusal } from "../../base/refusal.ts";
import type { VerifiedClaims } from "../verification/claims.ts";
import { appraiseSgx } from "./appraise-sgx.ts";
import { appraiseSnp } from "./appraise-snp.ts";
import { appraiseTdx } from "./appraise-tdx.ts";
import type { AppraisalCode, WarningCode } from "./codes.ts";
import { anchorOf, type EnclaveIdentity } from "./identity.ts";
import type { TcbVerdict } from "./tcb-policy.ts";

/** One reason, and against which identity; without one it holds whatever identity is wanted. */
export type AppraisalRefusal = Refusal<AppraisalCode> & { readonly identity?: string };

/** The answer to "accepted?": nothing but `kind: "accepted"` may be acted upon. */
export type AttestationResult =
  | {
      readonly kind: "accepted";
      /** Name of the identity. */
      readonly identity: string;
      /** Empty if nothing is wrong at all. */
      readonly warnings: readonly Refusal<WarningCode>[];
    }
  | { readonly kind: "refused"; readonly refusals: readonly AppraisalRefusal[] };

/** What appraisal needs beside claims and policy. */
export type AppraisalContext = {
  readonly nowMs: UnixMs;
  /** All 64 bytes that the evidence must bind; absent only where a caller has compared them itself. */
  readonly reportData?: Uint8Array;
};

/**
 * Appraises claims. One identity that holds is enough; of several, one without warnings is named first.
 * @param identities  as parseManifest gives them
 * @returns every reason against every identity if none holds
 */
export function appraise(
  claims: VerifiedClaims,
  identities: readonly EnclaveIdentity[],
  context: AppraisalContext,
): AttestationResult {
  const general = appraiseAnyway(claims, identities, context);
  const verdicts = identities.map((identity) => ({
    name: identity.name,
    ...appraiseIdentity(claims, identity, context.nowMs),
  }));
  const holding = verdicts.filter(({ refusals }) => refusals.length === 0);
  const best = holding.find(({ warnings }) => warnings.length === 0) ?? holding[0];
  if (best !== undefined && general.length === 0) {
    return { kind: "accepted", identity: best.name, warnings: best.warnings };
  }
  const particular = verdicts.flatMap(({ name, refusals }) =>
    refusals.map((each) => ({ ...each, identity: name })),
  );
  return { kind: "refused", refusals: [...general, ...particular] };
}

/** What no identity can make good. */
function appraiseAnyway(
  claims: VerifiedClaims,
  identities: readonly EnclaveIdentity[],
  { nowMs, reportData }: AppraisalContext,
): Refusal<AppraisalCode>[] {
  const refusals: Refusal<AppraisalCode>[] = [];
  if (identities.length === 0) {
    refusals.push(refusal("no-identity-accepted", claims.tee, "a role that accepts enclaves"));
  }
  if (nowMs > claims.expiresAtMs) {
    const [seen, wanted] = [isoTime(claims.expiresAtMs), `valid at ${isoTime(nowMs)}`];
    refusals.push(refusal("claims-expired", `valid until ${seen}`, wanted));
  }
  if (reportData !== undefined && !equalBytes(claims.reportData, reportData)) {
    const [seen, wanted] = [toHex(claims.reportData), toHex(reportData)];
    refusals.push(refusal("report-data-mismatch", seen, wanted));
  }
  return refusals;
}

function appraiseIdentity(
  claims: VerifiedClaims,
  identity: EnclaveIdentity,
  nowMs: UnixMs,
): TcbVerdict {
  const verdict = appraiseTee(claims, identity, nowMs);
  const anchor = digestOf(anchorOf(identity));
  if (claims.anchor === anchor) return verdict;
  const refused = refusal<AppraisalCode>("wrong-anchor", claims.anchor, anchor);
  return { ...verdict, refusals: [refused, ...verdict.refusals] };
}

function appraiseTee(claims: VerifiedClaims, identity: EnclaveIdentity, nowMs: UnixMs): TcbVerdict {
  if (claims.tee === "sgx" && identity.kind === "sgx") return appraiseSgx(claims, identity, nowMs);
  if (claims.tee === "tdx" && identity.kind === "tdx") return appraiseTdx(claims, identity, nowMs);
  if (claims.tee === "sev-snp" && identity.kind === "sev-snp") return appraiseSnp(claims, identity);
  return { refusals: [refusal("wrong-tee", claims.tee, identity.kind)], warnings: [] };
}
