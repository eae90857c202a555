/**
 * Whether a trust domain would be current if it were launched again (Intel DCAP quote verification library, "TD relaunch
 * advised"): TDX modules can be updated under running domains, whose TEE_TCB_SVN stays that of the module that launched
 * them, while TEE_TCB_SVN2 is of the one that runs.
 */
import type { PckPlatform } from "../endorsements/sgx-extension.ts";
import type { TcbInfo } from "../endorsements/tcb-info.ts";
import type { DcapTcb } from "./claims.ts";
import { matchTcbLevel, moduleIdentityOf, moduleVersion } from "./tcb-level.ts";
import { isOutOfDate } from "./tcb-status.ts";

/** Components of TEE_TCB_SVN: the module's security version, and the microcode loaded for it. */
const MODULE = 0;
const MICROCODE = 2;

/**
 * @param grade  of the domain as it was launched
 * @param teeTcbSvn2  16 bytes, of the module that runs
 */
export function isRelaunchAdvised(
  { status, qeStatus, moduleStatus }: Pick<DcapTcb, "status" | "qeStatus" | "moduleStatus">,
  platform: PckPlatform,
  teeTcbSvn2: Uint8Array,
  tcbInfo: TcbInfo,
): boolean {
  const [newest] = tcbInfo.levels;
  // Whatever is wrong beside the module stays wrong after a launch.
  const withoutTdx = matchTcbLevel(tcbInfo, platform, undefined)?.status;
  const isOnlyModule =
    isOutOfDate(status) &&
    qeStatus === "UpToDate" &&
    moduleStatus === "OutOfDate" &&
    withoutTdx !== undefined &&
    withoutTdx !== "Revoked" &&
    !isOutOfDate(withoutTdx);
  if (!isOnlyModule || newest === undefined) return false;
  const newestModuleSvn =
    moduleVersion(teeTcbSvn2) === 0
      ? newest.tdxSvns[MODULE]
      : moduleIdentityOf(tcbInfo, teeTcbSvn2)?.levels[0]?.isvSvn;
  const newestMicrocode = newest.tdxSvns[MICROCODE];
  return (
    newestModuleSvn !== undefined &&
    newestMicrocode !== undefined &&
    (teeTcbSvn2[MODULE] ?? -1) >= newestModuleSvn &&
    (teeTcbSvn2[MICROCODE] ?? -1) >= newestMicrocode
  );
}
