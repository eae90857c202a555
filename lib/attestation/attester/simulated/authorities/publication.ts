/** When something that is signed again and again was published, and under which number. */
import type { UnixMs } from "../../../../base/ids.ts";
import type { DatedObjectFault } from "../../../verification/codes.ts";

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
/** How long documents and lists count. */
const LIFETIME_MS = 30 * DAY_MS;
/** Dates of something that is published now, or with a fault. */
export function publicationDates(nowMs: UnixMs, fault: DatedObjectFault | undefined) {
  const beginMs =
    fault === "expired"
      ? nowMs - 2 * LIFETIME_MS
      : fault === "not-yet-valid"
        ? nowMs + DAY_MS
        : nowMs - HOUR_MS;
  return {
    issueDateMs: beginMs as UnixMs,
    nextUpdateMs: (beginMs + LIFETIME_MS) as UnixMs,
  };
}

/** The number of a document that counts up, or of the one before. */
export const publicationNumber = (value: number, fault: DatedObjectFault | undefined): number =>
  fault === "rolled-back" ? value - 1 : value;
