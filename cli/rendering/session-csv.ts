import type { SessionView } from "../views.ts";

const FIELDS = [
  "round",
  "attempt",
  "status",
  "cohort",
  "folded",
  "weight_sum",
  "update_bytes",
  "opened_at_ms",
  "committed_at_ms",
  "seconds",
  "model_hash",
  "validated_clients",
  "validated_examples",
] as const;

/** A line per round, RFC 4180 with line feeds; metrics are the last columns, by name. */
export function sessionCsv(session: SessionView): string {
  const names = [
    ...new Set(session.roundHistory.flatMap((each) => Object.keys(each.metrics))),
  ].sort();
  const rows = session.roundHistory.map((round) => [
    round.round,
    round.attempt,
    round.status,
    round.cohortCount,
    round.foldedCount,
    round.weightSum,
    round.updateBytes,
    round.openedAtMs,
    round.committedAtMs ?? "",
    round.committedAtMs === undefined ? "" : (round.committedAtMs - round.openedAtMs) / 1000,
    round.modelHash ?? "",
    round.validatedCount,
    round.validatedExamples,
    ...names.map((name) => round.metrics[name] ?? ""),
  ]);
  return [[...FIELDS, ...names.map((name) => `metric_${name}`)], ...rows]
    .map((row) => `${row.map((cell) => csvCell(String(cell))).join(",")}\n`)
    .join("");
}

const csvCell = (text: string): string =>
  /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
