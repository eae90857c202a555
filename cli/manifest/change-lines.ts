import type { Change, Direction } from "../../lib/federation/manifest/changes/change.ts";
import { renderTable } from "../rendering/table.ts";
import { counted } from "../rendering/units.ts";

/** The order in which people should hear of them. */
const DIRECTIONS: readonly Direction[] = ["loosening", "tightening", "neutral"];
/** Longest value that a table shows; --json has more. */
const MAX_VALUE_LENGTH = 24;

/** A table of changes, what matters most on top, and a line that counts them. */
export function changeLines(changes: readonly Change[]): string[] {
  if (changes.length === 0) return ["No difference: the same bytes, the same digest."];
  const ordered = DIRECTIONS.flatMap((direction) =>
    changes.filter((each) => each.direction === direction),
  );
  return [
    ...renderTable(
      [
        { title: "direction" },
        { title: "place" },
        { title: "before" },
        { title: "after" },
        { title: "because" },
      ],
      ordered.map((each) => [
        each.direction,
        each.place,
        cut(each.before),
        cut(each.after),
        each.because,
      ]),
    ),
    "",
    summaryLine(changes),
  ];
}

function summaryLine(changes: readonly Change[]): string {
  const counts = DIRECTIONS.map((direction) => {
    const count = changes.filter((each) => each.direction === direction).length;
    return [direction, count] as const;
  });
  const said = counts
    .filter(([, count]) => count > 0)
    .map(([direction, count]) => `${count} ${direction}`);
  const total = counted(changes.length, "change");
  const loosened = changes.some(({ direction }) => direction === "loosening");
  const consequence = loosened
    ? " A loosening binds an organization only once its own key acknowledged it."
    : "";
  return `${total}: ${said.join(", ")}.${consequence}`;
}

const cut = (value: string | null): string => {
  if (value === null) return "-";
  if (value.length <= MAX_VALUE_LENGTH) return value;
  // Keys in DER begin alike and measurements may: the end is what tells two of them apart.
  const end = value.slice(-Math.floor(MAX_VALUE_LENGTH / 2));
  return `${value.slice(0, MAX_VALUE_LENGTH - 1 - end.length)}…${end}`;
};
