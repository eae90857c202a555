/** One status from several: Intel's table (DCAP quote verification library, "TCB status convergence"). */
import type { TcbStatus } from "../endorsements/tcb-info.ts";

/** What an outdated quoting enclave or TDX module makes of a platform's own status. */
const WITH_OUTDATED_PART: Readonly<Record<TcbStatus, TcbStatus>> = {
  UpToDate: "OutOfDate",
  SWHardeningNeeded: "OutOfDate",
  ConfigurationNeeded: "OutOfDateConfigurationNeeded",
  ConfigurationAndSWHardeningNeeded: "OutOfDateConfigurationNeeded",
  OutOfDate: "OutOfDate",
  OutOfDateConfigurationNeeded: "OutOfDateConfigurationNeeded",
  Revoked: "Revoked",
};

/**
 * The status of a platform together with that of an enclave or module that serves it. Intel grades those UpToDate,
 * OutOfDate or Revoked; whatever else it may say one day counts as OutOfDate here, never as better.
 */
export function converge(platform: TcbStatus, part: TcbStatus): TcbStatus {
  if (part === "UpToDate") return platform;
  return part === "Revoked" ? "Revoked" : WITH_OUTDATED_PART[platform];
}

/** Whether something newer exists that this status misses. */
export const isOutOfDate = (status: TcbStatus): boolean =>
  status === "OutOfDate" || status === "OutOfDateConfigurationNeeded";
