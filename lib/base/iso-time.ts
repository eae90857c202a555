/** Instants as people and documents write them. */
import type { UnixMs } from "./ids.ts";

/** UTC in the form of RFC 3339, with milliseconds only where there are any: "2025-06-19T10:32:27Z". */
export const isoTime = (instantMs: UnixMs): string =>
  new Date(instantMs).toISOString().replace(".000Z", "Z");
