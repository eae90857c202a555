/** Whether now is within the dates of something that a vendor signed. */
import type { UnixMs } from "../../../base/ids.ts";
import { isoTime } from "../../../base/iso-time.ts";
import type { Checklist } from "../checklist.ts";
import type { CertificatePart, DatedObject } from "../codes.ts";

/** Both ends are included, to the millisecond: the second that an end begins is not. */
export type Validity = { readonly fromMs: UnixMs; readonly toMs: UnixMs };

/**
 * Notes whether the object is valid now: "…-not-yet-valid", "…-expired".
 * @param title  for people: "PCK CRL"
 * @returns whether it is
 */
export function checkDates(
  checklist: Checklist,
  object: CertificatePart | DatedObject,
  title: string,
  { fromMs, toMs }: Validity,
  nowMs: UnixMs,
): boolean {
  const hasBegun = checklist.note(
    fromMs <= nowMs,
    `${object}-not-yet-valid`,
    `${title}: valid already`,
    () => `valid from ${isoTime(fromMs)}`,
    () => `valid at ${isoTime(nowMs)}`,
  );
  const hasNotEnded = checklist.note(
    nowMs <= toMs,
    `${object}-expired`,
    `${title}: valid still`,
    () => `valid until ${isoTime(toMs)}`,
    () => `valid at ${isoTime(nowMs)}`,
  );
  return hasBegun && hasNotEnded;
}
