import type { UnixMs } from "../../lib/base/ids.ts";
import { usageError } from "../cli-error.ts";

/** RFC 3339, where the time may be left out, or cut to the minute. */
const ISO_TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:T([01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))?$/;

/**
 * The instant that a person wrote: "2025-07-04T10:28:44Z", "2025-07-04T12:28+02:00", "2025-07-04" (its first, in UTC).
 * @param option  for the message: "--now"
 * @throws CliError "usage"
 */
export function parseInstant(text: string, option: string): UnixMs {
  const [, year = "", month = "", day = ""] = ISO_TIME.exec(text) ?? [];
  const atMs = Date.parse(text);
  // JavaScript reads the 31st of February as a day of March.
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (year === "" || Number.isNaN(atMs) || Number(day) > lastDay) {
    throw usageError(`${option}: "${text}" is no time such as 2025-07-04T10:28:44Z`);
  }
  return atMs as UnixMs;
}
