/** How the changes of a group follow from those of its parts: fields, lists without order, variants. */
import { canonicalJson, type Json } from "../../../base/canonical-json.ts";
import { type Change, type Comparator, isSame, shown } from "./change.ts";

/** One comparator for every field: a field that is forgotten does not compile. */
export const fields =
  <T extends object>(
    comparators: {
      readonly [K in keyof T]-?: Comparator<T[K]>;
    },
  ): Comparator<T> =>
  (before, after, place) =>
    (Object.keys(comparators) as (keyof T & string)[]).flatMap((field) =>
      comparators[field](before[field], after[field], place === "" ? field : `${place}.${field}`),
    );

/** What it means that an entry comes or goes: [direction, one sentence] each. */
export type Membership = {
  readonly added: readonly [Change["direction"], string];
  readonly removed: readonly [Change["direction"], string];
};

/** Lists in which each entry lets something in. */
export const admits = (added: string, removed: string): Membership => ({
  added: ["loosening", added],
  removed: ["tightening", removed],
});

/** Lists in which each entry keeps something out. */
export const refuses = (added: string, removed: string): Membership => ({
  added: ["tightening", added],
  removed: ["loosening", removed],
});

/**
 * A list whose order means nothing. Entries of both sides belong together by their key.
 * @param compare  of two entries with the same key
 * @param show  an entry that came or went
 */
export const byKey =
  <T>(
    keyOf: (entry: T) => string,
    { added, removed }: Membership,
    compare: Comparator<T>,
    show: (entry: T) => string = shown,
  ): Comparator<readonly T[]> =>
  (before, after, place) => {
    const old = new Map(before.map((entry) => [keyOf(entry), entry]));
    const current = new Map(after.map((entry) => [keyOf(entry), entry]));
    const at = (key: string): string => `${place}[${key}]`;
    const gone = [...old].filter(([key]) => !current.has(key));
    const come = [...current].filter(([key]) => !old.has(key));
    const stayed = [...current].flatMap(([key, entry]) => {
      const was = old.get(key);
      return was === undefined ? [] : compare(was, entry, at(key));
    });
    return [
      ...gone.map(([key, entry]) => change(at(key), removed, show(entry), null)),
      ...come.map(([key, entry]) => change(at(key), added, null, show(entry))),
      ...stayed,
      ...reordered([...old.keys()], [...current.keys()], place),
    ];
  };

/** A list of values that stand for themselves. */
export const entries = <T>(membership: Membership): Comparator<readonly T[]> =>
  byKey(
    (entry) => (typeof entry === "string" ? entry : canonicalJson(entry as Json)),
    membership,
    () => [],
  );

/**
 * One of several kinds of a thing.
 * @param crossing  what it means that one kind takes the place of another
 */
export const variants =
  <T extends { readonly kind: string }>(
    crossing: Comparator<T>,
    byKind: { readonly [K in T["kind"]]: Comparator<Extract<T, { readonly kind: K }>> },
  ): Comparator<T> =>
  (before, after, place) => {
    if (before.kind !== after.kind) return crossing(before, after, place);
    const compare = byKind[before.kind as T["kind"]] as unknown as Comparator<T>;
    return compare(before, after, place);
  };

function reordered(old: string[], current: string[], place: string): readonly Change[] {
  const [before, after] = [
    old.filter((key) => current.includes(key)),
    current.filter((key) => old.includes(key)),
  ];
  if (isSame(before, after)) return [];
  const because = "the order of a list means nothing";
  return [change(place, ["neutral", because], before.join(" "), after.join(" "))];
}

const change = (
  place: string,
  [direction, because]: readonly [Change["direction"], string],
  before: string | null,
  after: string | null,
): Change => ({
  place,
  direction,
  before: before === null ? null : shown(before),
  after: after === null ? null : shown(after),
  because,
});
