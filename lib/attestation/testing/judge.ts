/** What verifier, floor and policies say of a simulated machine, each stage asked only if the one before is content. */
import type { UnixMs } from "../../base/ids.ts";
import { silentLog } from "../../base/log.ts";
import { systemRandomness } from "../../base/randomness.ts";
import { defaultRefusals } from "../appraisal/default-policy.ts";
import { appraiseDcapTcb, type DcapTcbPolicy } from "../appraisal/tcb-policy.ts";
import type { Evidence } from "../attester/attester.ts";
import {
  createSnpAuthority,
  generateSnpKeys,
  type SnpAuthorityKeys,
} from "../attester/simulated/authorities/snp-authority.ts";
import {
  createDevelopmentRoot,
  type DevelopmentRoot,
  restoreDevelopmentRoot,
} from "../attester/simulated/root/development-root.ts";
import {
  type SimulatedEndorsements,
  type SimulatedTeeGiven,
  simulatedEndorsements,
  simulatedTee,
} from "../attester/simulated/simulated-attester.ts";
import { openFloors } from "../collateral/floors.ts";
import { parseCrl } from "../endorsements/crl.ts";
import { parseQuote } from "../evidence/quote.ts";
import { parseSnpReport } from "../evidence/snp-report.ts";
import { EvidenceError } from "../evidence-error.ts";
import type { Verification, VerifiedClaims } from "../verification/claims.ts";
import { verifyCollateral } from "../verification/verify-collateral.ts";
import { verifyQuote, verifyQuoteWith } from "../verification/verify-quote.ts";
import { verifySnpReport } from "../verification/verify-snp.ts";

/** When everything simulated in tests happens. */
export const TEST_NOW_MS = Date.UTC(2026, 5, 1, 12) as UnixMs;

/** One root for a test file. All SNP products have the same RSA keys here, because each pair takes seconds to make. */
export function testRoot(): DevelopmentRoot {
  const made = createDevelopmentRoot({ randomness: systemRandomness, nowMs: TEST_NOW_MS });
  let keys: Promise<SnpAuthorityKeys> | undefined;
  return restoreDevelopmentRoot(made, async (product) => {
    keys ??= generateSnpKeys();
    return createSnpAuthority(await keys, product, made.createdAtMs);
  });
}

/** 64 bytes that tell. */
export const TEST_REPORT_DATA = Uint8Array.from({ length: 64 }, (_, index) => index + 1);

/** A cautious policy: one advisory is known, one is refused by name, a month of grace, no documents of before 18. */
export const TEST_TCB_POLICY: DcapTcbPolicy = {
  accepted: [
    { status: "UpToDate", advisories: { any: true, because: "Intel lists none that matter" } },
    { status: "SWHardeningNeeded", advisories: ["INTEL-SA-00615"] },
  ],
  refusedAdvisories: ["INTEL-SA-00837"],
  graceDays: 30,
  minEvaluationNumber: 18,
};

export type Judgement = {
  readonly by: "nobody" | "parser" | "verifier" | "floor" | "default-policy" | "tcb-policy";
  /** Sorted, each once. */
  readonly codes: readonly string[];
  /** If the evidence is genuine. */
  readonly claims?: VerifiedClaims;
};

/** Evidence and endorsements as anybody could have them. */
export type Presented = {
  readonly evidence: Evidence;
  readonly endorsements: SimulatedEndorsements;
  /** What was seen of an honest machine some time before. */
  readonly before: SimulatedEndorsements;
};

/** A blank measurement on a machine. */
export async function present(given: SimulatedTeeGiven): Promise<Presented> {
  const tee = simulatedTee(given);
  return {
    evidence: await tee.attester({ tee: given.platform.tee }).attest(TEST_REPORT_DATA),
    endorsements: await tee.endorsements(TEST_NOW_MS),
    before: await simulatedEndorsements({ ...given, knobs: {}, nowMs: TEST_NOW_MS }),
  };
}

/** Asks every stage. @param anchor  unset: the machine's own */
export async function judge(
  presented: Presented,
  anchor = presented.endorsements.anchor,
): Promise<Judgement> {
  let verification: Verification;
  try {
    verification = verify(presented, anchor);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { by: "parser", codes: [error.code] };
  }
  const { checks, claims } = verification;
  const refusals = refusalsOf(checks);
  if (claims === undefined || refusals.length > 0) return judgement("verifier", refusals);
  const byDefault = defaultRefusals(claims);
  if (byDefault.length > 0) return judgement("default-policy", byDefault, claims);
  const byPolicy =
    claims.tee === "sev-snp"
      ? []
      : appraiseDcapTcb(claims.tcb, TEST_TCB_POLICY, TEST_NOW_MS).refusals;
  if (byPolicy.length > 0) return judgement("tcb-policy", byPolicy, claims);
  const older = await floorRefusals(presented);
  if (older.length > 0) return judgement("floor", older, claims);
  return { by: "nobody", codes: [], claims };
}

/**
 * What the verifier says of a quote under collateral that it verified and kept; undefined if the collateral does not
 * hold by itself. Must be what it says of both together.
 */
export function codesUnderKept({
  evidence,
  endorsements,
}: Presented): readonly string[] | undefined {
  if (evidence.kind !== "dcap-quote" || endorsements.kind !== "dcap") return undefined;
  const { collateral, anchor } = endorsements;
  const kept = verifyCollateral(collateral, [anchor], TEST_NOW_MS).collateral;
  if (kept === undefined) return undefined;
  const { checks } = verifyQuote(parseQuote(evidence.bytes), kept, TEST_NOW_MS);
  return judgement("verifier", refusalsOf(checks)).codes;
}

const refusalsOf = (checks: Verification["checks"]) =>
  checks.flatMap(({ refusal }) => refusal ?? []);

const judgement = (
  by: Judgement["by"],
  refusals: readonly { readonly code: string }[],
  claims?: VerifiedClaims,
): Judgement => ({
  by,
  codes: [...new Set(refusals.map(({ code }) => code))].sort(),
  ...(claims && { claims }),
});

function verify({ evidence, endorsements }: Presented, anchor: Uint8Array): Verification {
  if (evidence.kind === "dcap-quote" && endorsements.kind === "dcap") {
    const quote = parseQuote(evidence.bytes);
    return verifyQuoteWith(quote, endorsements.collateral, [anchor], TEST_NOW_MS);
  }
  if (evidence.kind === "snp-report" && endorsements.kind === "sev-snp") {
    const report = parseSnpReport(evidence.bytes);
    return verifySnpReport(report, endorsements.endorsements, [anchor], TEST_NOW_MS);
  }
  throw new Error("evidence and endorsements are of different vendors");
}

/** Against what honest endorsements of the same machine raised the floors to. */
async function floorRefusals({
  endorsements,
  before,
}: Presented): Promise<readonly { readonly code: string }[]> {
  const floors = await openFloors(undefined, silentLog);
  const pass = async (each: SimulatedEndorsements) => {
    if (each.kind === "sev-snp") {
      const { chain, crl } = each.endorsements;
      const listed = crl && { crl, crlNumber: parseCrl(crl).crlNumber };
      return floors.passAuthority({ authority: { chain, ...listed }, listName: "ARK", ...listed });
    }
    const verified = verifyCollateral(each.collateral, [each.anchor], TEST_NOW_MS).collateral;
    return verified === undefined ? [] : floors.passDcap(verified);
  };
  await pass(before);
  return pass(endorsements);
}
