/** One grade from the levels of platform, module and quoting enclave. */
import type { UnixMs } from "../../base/ids.ts";
import type { QeIdentity } from "../endorsements/qe-identity.ts";
import type { PckPlatform } from "../endorsements/sgx-extension.ts";
import type { TcbInfo } from "../endorsements/tcb-info.ts";
import type { QuoteBody } from "../evidence/quote.ts";
import type { DcapTcb } from "./claims.ts";
import type { MatchedLevel } from "./tcb-level.ts";
import { converge } from "./tcb-status.ts";
import { isRelaunchAdvised } from "./td-relaunch.ts";

/** Levels that were reached. */
export type ReachedLevels = {
  readonly platform: MatchedLevel;
  readonly qe: MatchedLevel;
  /** Only of TDX modules that have an identity. */
  readonly module: MatchedLevel | undefined;
};

/** What the levels say together; by Intel's table no part can make it better. */
export function gradeOf(
  { platform, qe, module }: ReachedLevels,
  tcbInfo: TcbInfo,
  qeIdentity: QeIdentity,
): DcapTcb {
  const parts = [platform, qe, ...(module === undefined ? [] : [module])];
  const statuses = parts.slice(1).map(({ status }) => status);
  const missedMs = parts.flatMap((each) => each.outOfDateSinceMs ?? []);
  return {
    status: statuses.reduce(converge, platform.status),
    platformStatus: platform.status,
    qeStatus: qe.status,
    ...(module !== undefined && { moduleStatus: module.status }),
    tcbDateMs: platform.dateMs,
    ...(missedMs.length > 0 && { outOfDateSinceMs: Math.min(...missedMs) as UnixMs }),
    advisories: [...new Set(parts.flatMap((each) => each.advisories))],
    tcbEvaluationDataNumber: tcbInfo.evaluationDataNumber,
    qeEvaluationDataNumber: qeIdentity.evaluationDataNumber,
    tcbInfoVersion: tcbInfo.version,
  };
}

/** The grade with what is known of a launch with the module that runs now; nothing is before TDX 1.5. */
export function withRelaunch(
  grade: DcapTcb,
  body: QuoteBody,
  platform: PckPlatform,
  tcbInfo: TcbInfo,
): DcapTcb {
  const teeTcbSvn2 = body.tee === "tdx" ? body.report.teeTcbSvn2 : undefined;
  if (teeTcbSvn2 === undefined) return grade;
  return { ...grade, isRelaunchAdvised: isRelaunchAdvised(grade, platform, teeTcbSvn2, tcbInfo) };
}
