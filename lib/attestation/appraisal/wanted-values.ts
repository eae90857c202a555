/** Comparisons that every TEE needs: bytes wanted exactly, versions wanted at least, platforms wanted by name. */
import { toHex } from "../../base/bytes.ts";
import { type Refusal, refusal } from "../../base/refusal.ts";
import type { DcapPlatform } from "../verification/claims.ts";
import { isAnything, type OrAnything } from "./anything.ts";
import type { AppraisalCode } from "./codes.ts";
import type { DcapPlatformId } from "./identity.ts";

/** @param label  told before the seen value where one code stands for several fields */
export function exactly(
  code: AppraisalCode,
  seen: Uint8Array,
  wanted: OrAnything<string>,
  label = "",
): Refusal<AppraisalCode>[] {
  if (isAnything(wanted)) return [];
  const hex = toHex(seen);
  return hex === wanted ? [] : [refusal(code, `${label}${hex}`, wanted)];
}

/** Compares a version with its minimum, both included. */
export const atLeast = (
  code: AppraisalCode,
  seen: number,
  minimum: number,
): Refusal<AppraisalCode>[] =>
  seen >= minimum ? [] : [refusal(code, seen, `${minimum} or higher`)];

/** Intel's platforms are known by either of two names. */
export function listedDcapPlatform(
  platform: DcapPlatform,
  wanted: OrAnything<readonly DcapPlatformId[]>,
): Refusal<AppraisalCode>[] {
  const ppid = toHex(platform.ppid);
  const instance =
    platform.platformInstanceId === undefined ? undefined : toHex(platform.platformInstanceId);
  if (isAnything(wanted)) return [];
  const isListed = wanted.some(({ kind, id }) => id === (kind === "ppid" ? ppid : instance));
  const seen = `ppid ${ppid}${instance === undefined ? "" : `, platform-instance ${instance}`}`;
  return isListed ? [] : [refusal("platform-not-listed", seen, `one of ${wanted.length} listed`)];
}
