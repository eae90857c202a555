/** Which level of Intel's documents a platform, a TDX module or a quoting enclave has reached. */
import type { UnixMs } from "../../base/ids.ts";
import type { PckPlatform } from "../endorsements/sgx-extension.ts";
import type {
  IsvLevel,
  Level,
  TcbInfo,
  TcbLevel,
  TdxModuleIdentity,
} from "../endorsements/tcb-info.ts";
import { isOutOfDate } from "./tcb-status.ts";

/** A level, and since when something newer has been there, if it is out of date. */
export type MatchedLevel = Level & { readonly outOfDateSinceMs?: UnixMs };

/**
 * The first level whose every component the platform reaches (Intel PCS API, "TCB levels").
 *
 * @param teeTcbSvn  16 bytes of a TD report; undefined for SGX. Where the module has a version of its own (byte 1 above
 *   0), bytes 0 and 1 describe the module, which is graded by its identity, and are not compared here.
 */
export function matchTcbLevel(
  { levels }: TcbInfo,
  platform: PckPlatform,
  teeTcbSvn: Uint8Array | undefined,
): MatchedLevel | undefined {
  const firstTdxComponent = moduleVersion(teeTcbSvn) === 0 ? 0 : 2;
  const reaches = (level: TcbLevel): boolean =>
    platform.pceSvn >= level.pceSvn &&
    level.sgxSvns.every((svn, index) => (platform.componentSvns[index] ?? -1) >= svn) &&
    (teeTcbSvn === undefined ||
      (level.tdxSvns.length === teeTcbSvn.byteLength &&
        level.tdxSvns.every(
          (svn, index) => index < firstTdxComponent || (teeTcbSvn[index] ?? -1) >= svn,
        )));
  return matched(levels, levels.findIndex(reaches));
}

/** Major version of the TDX module, 0 for those that have no identity of their own. */
export const moduleVersion = (teeTcbSvn: Uint8Array | undefined): number => teeTcbSvn?.[1] ?? 0;

/** How Intel names the identity of a module: "TDX_01". */
export const moduleIdOf = (teeTcbSvn: Uint8Array): string =>
  `TDX_${moduleVersion(teeTcbSvn).toString(16).padStart(2, "0").toUpperCase()}`;

/** The identity of a module that has one. */
export const moduleIdentityOf = (
  { moduleIdentities }: TcbInfo,
  teeTcbSvn: Uint8Array,
): TdxModuleIdentity | undefined =>
  moduleVersion(teeTcbSvn) === 0
    ? undefined
    : moduleIdentities.find(({ id }) => id === moduleIdOf(teeTcbSvn));

/** The first level that the security version reaches. */
export const matchIsvLevel = (
  levels: readonly IsvLevel[],
  isvSvn: number,
): MatchedLevel | undefined =>
  matched(
    levels,
    levels.findIndex((level) => isvSvn >= level.isvSvn),
  );

/**
 * Of all newer levels that are missed, the oldest tells since when the part has been out of date. Where there is none,
 * its own date does: earlier than the truth, so that grace ends rather too soon.
 */
function matched(levels: readonly Level[], index: number): MatchedLevel | undefined {
  const level = levels[index];
  if (level === undefined || !isOutOfDate(level.status)) return level;
  const missed = levels
    .slice(0, index)
    .map((each) => each.dateMs)
    .filter((dateMs) => dateMs > level.dateMs);
  const sinceMs = missed.length === 0 ? level.dateMs : Math.min(...missed);
  return { ...level, outOfDateSinceMs: sinceMs as UnixMs };
}
