/** Whether TCB info is about the platform of a quote, and which of its levels the platform reaches. */
import { equalBytes, toHex } from "../../base/bytes.ts";
import type { PckPlatform } from "../endorsements/sgx-extension.ts";
import type { TcbInfo } from "../endorsements/tcb-info.ts";
import type { QuoteBody } from "../evidence/quote.ts";
import type { Checklist } from "./checklist.ts";
import { type MatchedLevel, matchTcbLevel } from "./tcb-level.ts";

/** @returns the level, if one is reached; whether the document is about this platform was noted */
export function checkPlatformTcb(
  checklist: Checklist,
  body: QuoteBody,
  platform: PckPlatform,
  tcbInfo: TcbInfo,
): MatchedLevel | undefined {
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
  const teeTcbSvn = body.tee === "tdx" ? body.report.measurements.teeTcbSvn : undefined;
  const level = matchTcbLevel(tcbInfo, platform, teeTcbSvn);
  checklist.note(
    level !== undefined,
    "tcb-level-not-found",
    "platform: reaches a level of TCB info",
    () => describe(platform, teeTcbSvn),
    "at least the oldest level in every component",
  );
  return level;
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
