/** The answer of `fedclave attest verify` as scripts read it, and the exit status that goes with it. */

import type { TcbStatus } from "../../lib/attestation/endorsements/tcb-info.ts";
import type { Tee } from "../../lib/attestation/verification/claims.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import type { CliError } from "../cli-error.ts";
import type { EvidenceFile } from "./evidence-file.ts";
import { type EvidenceSummary, summaryOf } from "./evidence-summary.ts";
import { jsonRecord } from "./measurement-fields.ts";
import type { Outcome } from "./verify-evidence.ts";

/** Exit statuses of `attest verify`, which scripts tell apart. */
export const VERDICT_STATUS = { accepted: 0, unreadable: 1, refused: 2 } as const;

/** Fields that do not apply, or that nobody vouches for, are null; nothing is left out. */
export type Verdict = {
  readonly genuine: boolean;
  /** Genuine, and nothing in the default policy speaks against it but, perhaps, its TCB status. */
  readonly accepted: boolean;
  readonly evidence: EvidenceFile["kind"] | null;
  readonly tee: Tee | null;
  /** Intel's word; null for SNP, and for what is not genuine. */
  readonly tcbStatus: TcbStatus | null;
  readonly advisories: readonly string[];
  /** These four are read from the evidence, genuine or not. Hex, lower case. */
  readonly debug: boolean | null;
  /** MRENCLAVE, MRTD or SNP measurement. */
  readonly measurement: string | null;
  /** MRSIGNER, or the digest of the SNP id key; null for a TD and an unsigned launch. */
  readonly signer: string | null;
  readonly reportData: string | null;
  /** Why it is not genuine, or not accepted. */
  readonly reasons: readonly Refusal[];
  readonly warnings: readonly Refusal[];
  readonly checks: readonly { readonly claim: string; readonly holds: boolean }[];
  /** Everything that is known of genuine evidence, by the names of `VerifiedClaims`. */
  readonly claims: Readonly<Record<string, unknown>> | null;
  /** Of a genuine RA-TLS certificate. */
  readonly raTls: Readonly<Record<string, unknown>> | null;
};

/** What was found out. */
export function verdictOf(evidence: EvidenceFile, outcome: Outcome): Verdict {
  const { checks, claims, policyRefusals, warnings } = outcome;
  const summary: EvidenceSummary | undefined = summaryOf(evidence);
  const reasons = [...checks.flatMap((check) => check.refusal ?? []), ...policyRefusals];
  const tcb = claims === undefined || claims.tee === "sev-snp" ? undefined : claims.tcb;
  return {
    genuine: claims !== undefined,
    accepted: claims !== undefined && reasons.length === 0,
    evidence: evidence.kind,
    tee: summary?.tee ?? null,
    tcbStatus: tcb?.status ?? null,
    advisories: tcb?.advisories ?? [],
    debug: summary?.debug ?? null,
    measurement: summary?.measurement ?? null,
    signer: summary?.signer ?? null,
    reportData: summary?.reportData ?? null,
    reasons,
    warnings,
    checks: checks.map(({ claim, refusal }) => ({ claim, holds: refusal === undefined })),
    claims: claims === undefined ? null : jsonRecord(claims),
    raTls: outcome.raTls === undefined ? null : raTlsRecord(outcome.raTls),
  };
}

const raTlsRecord = ({ attested: _, ...rest }: NonNullable<Outcome["raTls"]>) => jsonRecord(rest);

/** The answer where evidence, or what was given with it, could not be read, or the command line not be understood. */
export function unreadableVerdict({ code, message }: CliError): Verdict {
  const reason = code === "usage" ? "usage" : "unreadable";
  return {
    genuine: false,
    accepted: false,
    evidence: null,
    tee: null,
    tcbStatus: null,
    advisories: [],
    debug: null,
    measurement: null,
    signer: null,
    reportData: null,
    reasons: [refusal(reason, message, "evidence, and what is named with it")],
    warnings: [],
    checks: [],
    claims: null,
    raTls: null,
  };
}
