/** Everything that is asked of evidence when no manifest says what is wanted: is it genuine, is it harmless? */
import {
  defaultRefusals,
  defaultWarnings,
} from "../../lib/attestation/appraisal/default-policy.ts";
import type { DcapCollateral } from "../../lib/attestation/endorsements/dcap-collateral.ts";
import type { SnpEndorsements } from "../../lib/attestation/endorsements/snp-endorsements.ts";
import type { SnpReport } from "../../lib/attestation/evidence/snp-report.ts";
import { AMD_ROOTS } from "../../lib/attestation/trust-anchors/amd.ts";
import { INTEL_ROOT } from "../../lib/attestation/trust-anchors/intel.ts";
import { type Check, Checklist } from "../../lib/attestation/verification/checklist.ts";
import type { VerifiedClaims } from "../../lib/attestation/verification/claims.ts";
import { verifyQuoteWith } from "../../lib/attestation/verification/verify-quote.ts";
import { type RaTlsClaims, verifyRaTls } from "../../lib/attestation/verification/verify-ra-tls.ts";
import { verifySnpReport } from "../../lib/attestation/verification/verify-snp.ts";
import type { UnixMs } from "../../lib/base/ids.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import type { EvidenceFile } from "./evidence-file.ts";

/** What evidence is held against. */
export type Given = {
  /** Of the platform that made the quote; undefined if there is none. */
  readonly collateral: DcapCollateral | undefined;
  /** Of the processor that signed the report, as far as they are at hand. */
  readonly snp: Partial<SnpEndorsements>;
  /** DER; undefined means the vendors'. */
  readonly roots: readonly Uint8Array[] | undefined;
  /** What an RA-TLS certificate must bind; undefined if nothing was asked of its maker. */
  readonly nonce: Uint8Array | undefined;
  readonly nowMs: UnixMs;
};

/** What verification and the default policy say. */
export type Outcome = {
  readonly checks: readonly Check[];
  /** There are claims if, and only if, the evidence is genuine. */
  readonly claims: VerifiedClaims | undefined;
  /** Of an RA-TLS certificate, if it is genuine. */
  readonly raTls: RaTlsClaims | undefined;
  /** Why genuine evidence is not accepted even so. */
  readonly policyRefusals: readonly Refusal[];
  readonly warnings: readonly Refusal[];
};

/** Verifies, and appraises by the default policy. Never throws for what a stranger made. */
export function verifyEvidence(evidence: EvidenceFile, given: Given): Outcome {
  const { collateral, nonce, nowMs, roots } = given;
  const intelRoots = roots ?? [INTEL_ROOT];
  switch (evidence.kind) {
    case "quote": {
      const { quote } = evidence;
      const { checks, claims } = verifyQuoteWith(quote, collateral, intelRoots, nowMs);
      return outcome(checks, claims);
    }
    case "ra-tls": {
      const { checks, claims } = verifyRaTls(evidence.raTls, nonce, (quote) =>
        verifyQuoteWith(quote, collateral, intelRoots, nowMs),
      );
      return outcome(checks, claims?.attested, claims);
    }
    case "snp-report": {
      const { checks, claims } = verifySnp(evidence.report, given);
      return outcome(checks, claims);
    }
  }
}

function verifySnp(report: SnpReport, { snp, roots, nowMs }: Given) {
  const { leaf, chain } = snp;
  if (leaf !== undefined && chain !== undefined) {
    return verifySnpReport(
      report,
      { ...snp, leaf, chain },
      roots ?? Object.values(AMD_ROOTS),
      nowMs,
    );
  }
  const checklist = new Checklist();
  const note = (has: boolean, claim: string, wanted: string) =>
    checklist.note(has, "collateral-missing", claim, "none", wanted);
  note(leaf !== undefined, "report: certificate of its signer at hand", "--leaf FILE.der");
  note(chain !== undefined, "report: certificates of ASK and ARK at hand", "--chain FILE.pem");
  return { checks: checklist.checks, claims: undefined };
}

function outcome(
  checks: readonly Check[],
  claims: VerifiedClaims | undefined,
  raTls?: RaTlsClaims,
): Outcome {
  return {
    checks: distinct(checks),
    claims,
    raTls,
    policyRefusals: claims === undefined ? [] : defaultRefusals(claims, raTls?.otherClaims),
    warnings: claims === undefined ? [] : defaultWarnings(claims),
  };
}

/** Certificates that stand in several chains are checked in each; once is enough to read. */
const distinct = (checks: readonly Check[]): readonly Check[] => [
  ...new Map(checks.map((check) => [JSON.stringify(check), check])).values(),
];
