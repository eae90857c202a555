/** Figures as benches report them: medians of several runs, with the conditions under which they were taken. */
import { cpus } from "node:os";

/** Measured values by name, with the unit at the end of the name. */
export type Figures = { readonly [name: string]: number | string | boolean | null };

/** The same quantities of several cases, by the name of a case; every row has the same figures. */
export type Rows = { readonly [name: string]: Figures };

/** What a bench found. */
export type Report = { readonly figures: Figures; readonly rows?: Rows };

/** What a reader needs to compare figures. */
export const conditions = (): Figures => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  node: process.version,
  platform: `${process.platform}-${process.arch}`,
  takenAt: new Date().toISOString().slice(0, 10),
});

/** The value below which this part of the sorted samples lies; 0 ≤ part ≤ 1, at least one sample. */
export function quantile(samples: readonly number[], part: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

/** The middle of the samples; needs one at least. */
export const median = (samples: readonly number[]): number => quantile(samples, 0.5);
