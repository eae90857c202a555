import { canonicalJson, type Json } from "../../../base/canonical-json.ts";
import { printable } from "../../../base/refusal.ts";

/**
 * What a change does to what is accepted. Tightening: nothing is accepted that was not before. Loosening: something may
 * be, so it binds an organization only once its own key acknowledged it. Neutral: neither.
 */
export type Direction = "tightening" | "loosening" | "neutral";

/** One field that differs between two manifests. */
export type Change = {
  /** "roles.combiner[combiner-1].tcb.graceDays": entries of lists by their name, not their position. */
  readonly place: string;
  readonly direction: Direction;
  /** Printable and cut to 256 characters; null for an entry that was added. */
  readonly before: string | null;
  /** Null for an entry that was removed. */
  readonly after: string | null;
  /** One sentence: why it has this direction. */
  readonly because: string;
};

/** Lists what differs between two values of one field; empty exactly if they are written in the same bytes. */
export type Comparator<T> = (before: T, after: T, place: string) => readonly Change[];

/** A value for people: text as it is, anything else as JSON. */
export const shown = (value: unknown): string =>
  printable(typeof value === "string" ? value : canonicalJson(value as Json));

/** Whether two values are written in the same bytes. */
export const isSame = (before: unknown, after: unknown): boolean =>
  canonicalJson(before as Json) === canonicalJson(after as Json);

/** What happened to a value, as one change; none if nothing did. */
export function changed<T>(
  [before, after]: readonly [T, T],
  place: string,
  [direction, because]: readonly [Direction, string],
  show: (value: T) => string = shown,
): readonly Change[] {
  if (isSame(before, after)) return [];
  return [{ place, direction, before: show(before), after: show(after), because }];
}
