import { expect, test } from "vitest";
import type { UnixMs } from "../../../base/ids.ts";
import { TCB_STATUSES } from "../../endorsements/tcb-info.ts";
import type { DcapTcb } from "../../verification/claims.ts";
import type { Anything } from "../anything.ts";
import { appraiseDcapTcb, type DcapTcbPolicy } from "../tcb-policy.ts";
import { DAY_MS, goodSgx, NOW_MS, sgxIdentity } from "../testing/claims-and-identities.ts";

const any: Anything = { any: true, because: "of this test" };
const policy = sgxIdentity.tcb;
const tcb = (change: Partial<DcapTcb>): DcapTcb => ({ ...goodSgx.tcb, ...change });
const hardening = { status: "SWHardeningNeeded" as const, advisories: ["INTEL-SA-00615"] };
const late = (days: number) =>
  tcb({ status: "OutOfDate", outOfDateSinceMs: (NOW_MS - days * DAY_MS) as UnixMs });
const codes = (seen: DcapTcb, wanted: DcapTcbPolicy = policy): string[] => {
  const { refusals, warnings } = appraiseDcapTcb(seen, wanted, NOW_MS);
  return [...refusals.map((each) => each.code), ...warnings.map((each) => `(${each.code})`)];
};

test.each<[string, DcapTcb, DcapTcbPolicy, string[]]>([
  ["an up-to-date platform", goodSgx.tcb, policy, []],
  ["a status with its allowed advisory", tcb(hardening), policy, ["(tcb-not-up-to-date)"]],
  [
    "one advisory too many",
    tcb({ ...hardening, advisories: ["INTEL-SA-00334", "INTEL-SA-00615"] }),
    policy,
    ["advisory-not-allowed"],
  ],
  [
    "an up-to-date platform with an advisory nobody allowed",
    tcb({ advisories: ["INTEL-SA-00615"] }),
    policy,
    ["advisory-not-allowed"],
  ],
  [
    "a refused advisory that any would allow",
    tcb({ advisories: ["INTEL-SA-00999"] }),
    { ...policy, accepted: [{ status: "UpToDate", advisories: any }] },
    ["advisory-refused"],
  ],
  [
    "an old evaluation",
    tcb({ tcbEvaluationDataNumber: 18 }),
    policy,
    ["evaluation-number-too-low"],
  ],
  ["documents that list no advisories", tcb({ tcbInfoVersion: 2 }), policy, ["advisories-unknown"]],
  [
    "documents that list none, where any is allowed but one is refused",
    tcb({ tcbInfoVersion: 2 }),
    { ...policy, accepted: [{ status: "UpToDate", advisories: any }] },
    ["advisories-unknown"],
  ],
  [
    "documents that list none, where none matters",
    tcb({ tcbInfoVersion: 2 }),
    { ...policy, refusedAdvisories: [], accepted: [{ status: "UpToDate", advisories: any }] },
    [],
  ],
  [
    "a status that is not listed",
    tcb({ status: "ConfigurationNeeded" }),
    policy,
    ["tcb-status-not-accepted"],
  ],
  ["a revoked platform", tcb({ status: "Revoked" }), policy, ["tcb-status-not-accepted"]],
  [
    "a policy that accepts no status",
    goodSgx.tcb,
    { ...policy, accepted: [] },
    ["tcb-status-not-accepted"],
  ],

  ["a platform within its grace", late(13), policy, ["(tcb-in-grace)"]],
  ["a platform at the end of its grace", late(14), policy, ["tcb-grace-over"]],
  ["a platform past its grace", late(400), policy, ["tcb-grace-over"]],
  [
    "a late platform where there is no grace",
    late(0),
    { ...policy, graceDays: 0 },
    ["tcb-status-not-accepted"],
  ],
  [
    "a late platform of which nobody knows since when",
    tcb({ status: "OutOfDate" }),
    policy,
    ["tcb-status-not-accepted"],
  ],
  [
    "a late platform whose advisories are new",
    { ...late(1), advisories: ["INTEL-SA-01000"] },
    policy,
    ["(tcb-in-grace)"],
  ],
  [
    "a late platform with a refused advisory",
    { ...late(1), advisories: ["INTEL-SA-00999"] },
    policy,
    ["advisory-refused", "(tcb-in-grace)"],
  ],
  [
    "a late platform on an old evaluation",
    { ...late(1), tcbEvaluationDataNumber: 1 },
    policy,
    ["evaluation-number-too-low", "(tcb-in-grace)"],
  ],
  [
    "a late platform that is also misconfigured",
    { ...late(1), status: "OutOfDateConfigurationNeeded" },
    policy,
    ["tcb-status-not-accepted"],
  ],
  [
    "the same where the configuration is accepted",
    { ...late(1), status: "OutOfDateConfigurationNeeded" },
    { ...policy, accepted: [{ status: "ConfigurationNeeded", advisories: any }] },
    ["(tcb-in-grace)"],
  ],
  [
    "a late platform that is accepted as such, but not with this advisory, in its grace",
    { ...late(1), advisories: ["INTEL-SA-01000"] },
    { ...policy, accepted: [{ status: "OutOfDate", advisories: [] }] },
    ["(tcb-in-grace)"],
  ],
  [
    "documents that list no advisories, where an accepted status depends on them",
    tcb({ tcbInfoVersion: 2 }),
    { ...policy, refusedAdvisories: [] },
    ["advisories-unknown"],
  ],
  [
    "documents that list no advisories, where some are refused in grace too",
    { ...late(1), tcbInfoVersion: 2 },
    policy,
    ["advisories-unknown", "(tcb-in-grace)"],
  ],
  [
    "a revoked platform in what would be its grace",
    { ...late(1), status: "Revoked" },
    policy,
    ["tcb-status-not-accepted"],
  ],
])("%s", (_what, seen, wanted, expected) => {
  expect(codes(seen, wanted)).toEqual(expected);
});

test("every status but Revoked can be accepted, and Revoked never is", () => {
  for (const status of TCB_STATUSES) {
    const accepted = status === "Revoked" ? [] : [{ status, advisories: any }];
    const { refusals } = appraiseDcapTcb(tcb({ status }), { ...policy, accepted }, NOW_MS);
    expect(refusals).toHaveLength(status === "Revoked" ? 1 : 0);
  }
});

test("a refusal for age says since when, and what day was the last", () => {
  const { refusals } = appraiseDcapTcb(late(20), policy, NOW_MS);
  expect(refusals).toEqual([
    {
      code: "tcb-grace-over",
      seen: "OutOfDate since 2026-02-09",
      wanted: "updated before 2026-02-23",
    },
  ]);
});
