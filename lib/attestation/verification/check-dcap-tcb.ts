/** How Intel grades the platform of a quote, and for TDX the module that measured the trust domain. */
import { equalBytes, toHex } from "../../base/bytes.ts";
import type { UnixMs } from "../../base/ids.ts";
import type { QeIdentity } from "../endorsements/qe-identity.ts";
import type { PckPlatform } from "../endorsements/sgx-extension.ts";
import type { TcbInfo, TdxModule } from "../endorsements/tcb-info.ts";
import type { QuoteBody } from "../evidence/quote.ts";
import { equalUnder } from "./check-quoting-enclave.ts";
import type { Checklist } from "./checklist.ts";
import type { DcapTcb, TdxMeasurements } from "./claims.ts";
import { type MatchedLevel, matchIsvLevel, matchTcbLevel, moduleVersion } from "./tcb-level.ts";
import { converge } from "./tcb-status.ts";

/** Levels that were reached; the module's only where it has an identity of its own. */
export type ReachedLevels = {
  readonly platform: MatchedLevel | undefined;
  readonly module: MatchedLevel | undefined;
};

/** Checks that TCB info is about this platform and TEE, and finds the levels that are reached. */
export function checkTcbLevels(
  checklist: Checklist,
  body: QuoteBody,
  platform: PckPlatform,
  tcbInfo: TcbInfo,
): ReachedLevels {
  checklist.note(
    tcbInfo.tee === body.tee,
    "tcb-info-wrong-tee",
    "TCB info: about the TEE of the quote",
    tcbInfo.tee,
    body.tee,
  );
  checklist.note(
    equalBytes(tcbInfo.fmspc, platform.fmspc),
    "fmspc-mismatch",
    "TCB info: about this family of platforms",
    () => toHex(tcbInfo.fmspc),
    () => toHex(platform.fmspc),
  );
  checklist.note(
    equalBytes(tcbInfo.pceId, platform.pceId),
    "pceid-mismatch",
    "TCB info: about this certification enclave",
    () => toHex(tcbInfo.pceId),
    () => toHex(platform.pceId),
  );
  const td = body.tee === "tdx" ? body.report.measurements : undefined;
  const level = matchTcbLevel(tcbInfo, platform, td?.teeTcbSvn);
  checklist.note(
    level !== undefined,
    "tcb-level-not-found",
    "platform: reaches a level of TCB info",
    () => describe(platform, td?.teeTcbSvn),
    "at least the oldest level in every component",
  );
  const module = td === undefined ? undefined : checkModule(checklist, td, tcbInfo);
  return { platform: level, module };
}

const describe = (
  { componentSvns, pceSvn }: PckPlatform,
  teeTcbSvn: Uint8Array | undefined,
): string =>
  [
    `components ${componentSvns.join(" ")}`,
    `PCE ${pceSvn}`,
    ...(teeTcbSvn === undefined ? [] : [`TDX ${[...teeTcbSvn].join(" ")}`]),
  ].join(", ");

/**
 * Holds the TDX module against its identity (Intel TDX DCAP, "TDX module identity"): byte 1 of TEE_TCB_SVN names the
 * identity, byte 0 is its security version. Modules before 1.5 have byte 1 zero, and are graded with the platform.
 */
function checkModule(
  checklist: Checklist,
  td: TdxMeasurements,
  { module, moduleIdentities }: TcbInfo,
): MatchedLevel | undefined {
  const version = moduleVersion(td.teeTcbSvn);
  const id = `TDX_${version.toString(16).padStart(2, "0").toUpperCase()}`;
  const identity =
    version === 0 ? undefined : moduleIdentities.find((candidate) => candidate.id === id);
  const expected: TdxModule | undefined = version === 0 ? module : identity;
  checklist.note(
    expected !== undefined,
    "tdx-module-unknown",
    "TDX module: known to TCB info",
    version === 0 ? "a module before 1.5" : id,
    () => ["tdxModule", ...moduleIdentities.map((each) => each.id)].join(", "),
  );
  if (expected === undefined) return undefined;
  checklist.note(
    equalBytes(td.mrSignerSeam, expected.mrSigner),
    "tdx-module-mrsigner-mismatch",
    "TDX module: signed by Intel",
    () => toHex(td.mrSignerSeam),
    () => toHex(expected.mrSigner),
  );
  checklist.note(
    equalUnder(expected.attributesMask, td.seamAttributes, expected.attributes),
    "tdx-module-attributes-mismatch",
    "TDX module: attributes",
    () => toHex(td.seamAttributes),
    () => `${toHex(expected.attributes)} under ${toHex(expected.attributesMask)}`,
  );
  if (identity === undefined) return undefined;
  const isvSvn = td.teeTcbSvn[0] ?? 0;
  const level = matchIsvLevel(identity.levels, isvSvn);
  checklist.note(
    level !== undefined,
    "tdx-module-tcb-level-not-found",
    "TDX module: reaches a level of its identity",
    `${id} with security version ${isvSvn}`,
    () => `${Math.min(...identity.levels.map((each) => each.isvSvn))} or higher`,
  );
  return level;
}

/** One grade from the levels of platform, module and quoting enclave. */
export function gradeOf(
  platform: MatchedLevel,
  module: MatchedLevel | undefined,
  qe: MatchedLevel,
  tcbInfo: TcbInfo,
  qeIdentity: QeIdentity,
): DcapTcb {
  const parts = [platform, qe, ...(module === undefined ? [] : [module])];
  const withModule =
    module === undefined ? platform.status : converge(platform.status, module.status);
  const missedMs = parts.flatMap((each) => each.outOfDateSinceMs ?? []);
  return {
    status: converge(withModule, qe.status),
    platformStatus: platform.status,
    qeStatus: qe.status,
    ...(module === undefined ? {} : { moduleStatus: module.status }),
    tcbDateMs: platform.dateMs,
    ...(missedMs.length === 0 ? {} : { outOfDateSinceMs: Math.min(...missedMs) as UnixMs }),
    advisories: [...new Set(parts.flatMap((each) => each.advisories))],
    tcbEvaluationDataNumber: tcbInfo.evaluationDataNumber,
    qeEvaluationDataNumber: qeIdentity.evaluationDataNumber,
    tcbInfoVersion: tcbInfo.version,
  };
}
