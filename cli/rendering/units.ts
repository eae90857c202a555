/** Numbers as people read them. One spelling per unit, everywhere in the cli. */

const BYTE_UNITS = ["kB", "MB", "GB", "TB", "PB"] as const;

/** 1 kB = 1000 bytes: "812 B", "1.7 MB". */
export function formatBytes(sizeBytes: number): string {
  if (sizeBytes < 1000) return `${sizeBytes} B`;
  let value = sizeBytes;
  let unit: string = "B";
  for (const next of BYTE_UNITS) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${value.toFixed(value < 99.95 ? 1 : 0)} ${unit}`;
}

/** "131,072". */
export const formatCount = (count: number): string =>
  String(count).replace(/\B(?=(\d{3})+$)/g, ",");

/** "95.12 %". @param part  0 to 1 */
export const formatPercent = (part: number): string => `${(part * 100).toFixed(2)} %`;

/** Seconds for a column: "1.94", "12.3", "340". */
export function formatSeconds(durationMs: number): string {
  const seconds = durationMs / 1000;
  return seconds.toFixed(seconds < 9.995 ? 2 : seconds < 99.95 ? 1 : 0);
}

/** For a sentence: "1.9 s", "2 min 5 s", "3 h 20 min". */
export function formatDuration(durationMs: number): string {
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** UTC, to the second: "2026-11-21 05:43:10". */
export const formatInstant = (unixMs: number): string =>
  new Date(unixMs).toISOString().slice(0, 19).replace("T", " ");

const SHORT_HASH_LENGTH = 12;

/** Enough of a digest to tell it from others by eye; commands accept such a beginning too. */
export const shortHash = (digest: string): string => digest.slice(0, SHORT_HASH_LENGTH);

/** "1 client", "4 clients", "3 processes". */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${formatCount(count)} ${count === 1 ? noun : plural}`;
