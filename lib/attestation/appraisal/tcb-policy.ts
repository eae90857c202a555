/** How old or flawed a platform may be. Intel grades platforms; AMD does not, so there the minima are ours. */
import type { UnixMs } from "../../base/ids.ts";
import { type Refusal, refusal } from "../../base/refusal.ts";
import type { TcbStatus } from "../endorsements/tcb-info.ts";
import type { SnpTcb } from "../evidence/snp-tcb.ts";
import type { DcapTcb, SnpPlatform } from "../verification/claims.ts";
import { isAnything, type OrAnything } from "./anything.ts";
import type { AppraisalCode, WarningCode } from "./codes.ts";

/** A revoked platform is accepted by no policy. */
export type AcceptableStatus = Exclude<TcbStatus, "Revoked">;

/** A grade of Intel's that is accepted, and with which flaws known. */
export type AcceptedStatus = {
  readonly status: AcceptableStatus;
  /** Which advisories may be open in this status: "INTEL-SA-00615". Empty: none. */
  readonly advisories: OrAnything<readonly string[]>;
};

/** How current an SGX or TDX platform must be. */
export type DcapTcbPolicy = {
  /** Each status once. */
  readonly accepted: readonly AcceptedStatus[];
  /** Advisories that refuse a platform whatever its status, grace included. */
  readonly refusedAdvisories: readonly string[];
  /** Days in which a platform may still be used after Intel published what it misses. 0: none. */
  readonly graceDays: number;
  /** Lowest tcbEvaluationDataNumber: Intel's documents older than this TCB recovery do not count. */
  readonly minEvaluationNumber: number;
};

/** Lowest security versions; `fmc` is 0 for processors before Turin, which have none. */
export type SnpTcbMinimum = Required<SnpTcb>;

/** Reported is what the VCEK was derived for, committed what firmware cannot fall back from, launch when the guest began. */
export type SnpTcbPolicy = {
  readonly reported: SnpTcbMinimum;
  readonly committed: SnpTcbMinimum;
  readonly launch: SnpTcbMinimum;
};

/** Reasons against, and what deserves a look; accepted if there is no refusal. */
export type TcbVerdict = {
  readonly refusals: readonly Refusal<AppraisalCode>[];
  readonly warnings: readonly Refusal<WarningCode>[];
};

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Judges what Intel says of a platform: its status with the flaws that are open in it, or its grace. Warns of whatever is
 * accepted without being the best.
 */
export function appraiseDcapTcb(tcb: DcapTcb, policy: DcapTcbPolicy, nowMs: UnixMs): TcbVerdict {
  const always = [...appraiseDocuments(tcb, policy), ...appraiseRefused(tcb, policy)];
  const accepted = policy.accepted.find((each) => each.status === tcb.status);
  const byStatus =
    accepted === undefined ? [notAccepted(tcb, policy)] : appraiseAdvisories(tcb, accepted, policy);
  if (byStatus.length === 0) return { refusals: always, warnings: tcbWarnings(tcb) };
  // Grace is an addition: to accept a status as well must never refuse what was accepted without it.
  const grace = appraiseGrace(tcb, policy, nowMs);
  if (grace === undefined) return { refusals: [...always, ...byStatus], warnings: [] };
  return { refusals: [...always, ...grace.refusals], warnings: grace.warnings };
}

/** Are Intel's documents recent, and do they say what the policy depends on? */
function appraiseDocuments(tcb: DcapTcb, policy: DcapTcbPolicy): Refusal<AppraisalCode>[] {
  const refusals: Refusal<AppraisalCode>[] = [];
  const seen = Math.min(tcb.tcbEvaluationDataNumber, tcb.qeEvaluationDataNumber);
  if (seen < policy.minEvaluationNumber) {
    const wanted = `${policy.minEvaluationNumber} or higher`;
    refusals.push(refusal("evaluation-number-too-low", seen, wanted));
  }
  if (policy.refusedAdvisories.length > 0) refusals.push(...appraiseUnlisted(tcb));
  return refusals;
}

function appraiseRefused(
  { advisories }: DcapTcb,
  { refusedAdvisories }: DcapTcbPolicy,
): Refusal<AppraisalCode>[] {
  const refused = advisories.filter((each) => refusedAdvisories.includes(each));
  if (refused.length === 0) return [];
  const wanted = `none of ${refusedAdvisories.join(" ")}`;
  return [refusal("advisory-refused", refused.join(" "), wanted)];
}

const notAccepted = (tcb: DcapTcb, { accepted }: DcapTcbPolicy): Refusal<AppraisalCode> => {
  const wanted = accepted.map((each) => each.status).join(", ");
  return refusal("tcb-status-not-accepted", tcb.status, wanted || "no status at all");
};

/** A status the policy names: are the flaws that come with it those that were allowed? */
function appraiseAdvisories(
  tcb: DcapTcb,
  { status, advisories }: AcceptedStatus,
  { refusedAdvisories }: DcapTcbPolicy,
): Refusal<AppraisalCode>[] {
  if (isAnything(advisories)) return [];
  // Where some are refused for every status, it was said before that none are listed.
  const refusals = refusedAdvisories.length === 0 ? appraiseUnlisted(tcb) : [];
  const others = tcb.advisories.filter((each) => !advisories.includes(each));
  if (others.length > 0) {
    const wanted = `${status} with ${advisories.join(" ") || "no advisory"}`;
    refusals.push(refusal("advisory-not-allowed", others.join(" "), wanted));
  }
  return refusals;
}

const appraiseUnlisted = ({ tcbInfoVersion }: DcapTcb): Refusal<AppraisalCode>[] => {
  if (tcbInfoVersion >= 3) return [];
  const seen = `TCB info version ${tcbInfoVersion}, which lists no advisories`;
  return [refusal("advisories-unknown", seen, "TCB info version 3")];
};

/** Whether a platform that is out of date may still be used; undefined where grace has no part in it. */
function appraiseGrace(tcb: DcapTcb, policy: DcapTcbPolicy, nowMs: UnixMs): TcbVerdict | undefined {
  const { outOfDateSinceMs } = tcb;
  if (policy.graceDays === 0 || outOfDateSinceMs === undefined || !mayBeLate(tcb.status, policy)) {
    return undefined;
  }
  const endMs = outOfDateSinceMs + policy.graceDays * DAY_MS;
  const seen = `${tcb.status} since ${dayOf(outOfDateSinceMs)}`;
  const wanted = `updated before ${dayOf(endMs)}`;
  if (nowMs < endMs) return { refusals: [], warnings: [refusal("tcb-in-grace", seen, wanted)] };
  return { refusals: [refusal("tcb-grace-over", seen, wanted)], warnings: [] };
}

/** Grace forgives the age of a platform, never a configuration that the policy does not accept. */
function mayBeLate(status: TcbStatus, policy: DcapTcbPolicy): boolean {
  if (status === "OutOfDate") return true;
  const configured: readonly TcbStatus[] = [
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
  ];
  return (
    status === "OutOfDateConfigurationNeeded" &&
    policy.accepted.some((each) => configured.includes(each.status))
  );
}

/** What a person should hear of a status that was not refused. */
export const tcbWarnings = (tcb: DcapTcb): Refusal<WarningCode>[] =>
  tcb.status === "UpToDate"
    ? []
    : [refusal("tcb-not-up-to-date", [tcb.status, ...tcb.advisories].join(" "), "UpToDate")];

/** Holds the three versions that can be told apart against their minima. */
export function appraiseSnpTcb(
  platform: SnpPlatform,
  policy: SnpTcbPolicy,
): Refusal<AppraisalCode>[] {
  const versions = [
    ["reported-tcb-too-low", platform.reportedTcb, policy.reported],
    ["committed-tcb-too-low", platform.committedTcb, policy.committed],
    ["launch-tcb-too-low", platform.launchTcb, policy.launch],
  ] as const;
  return versions
    .filter(([, seen, minimum]) => SNP_COMPONENTS.some((each) => (seen[each] ?? 0) < minimum[each]))
    .map(([code, seen, minimum]) =>
      refusal(code, snpTcbText(seen), `at least ${snpTcbText(minimum)}`),
    );
}

/** Parts of an SNP platform's version, in the order in which AMD's documents name them. */
const SNP_COMPONENTS = ["fmc", "bootloader", "tee", "snp", "microcode"] as const;

const snpTcbText = (tcb: SnpTcb): string =>
  SNP_COMPONENTS.filter((each) => tcb[each] !== undefined)
    .map((each) => `${each} ${tcb[each]}`)
    .join(" ");

const dayOf = (unixMs: number): string => new Date(unixMs).toISOString().slice(0, 10);
