/** Dates in Intel's documents. */
import type { UnixMs } from "../../../../base/ids.ts";

/** From when until when a signed document counts. */
export type SignedDates = { readonly issueDateMs: UnixMs; readonly nextUpdateMs: UnixMs };

/** "2025-06-19T10:32:27Z" */
export const intelTime = (ms: UnixMs): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
