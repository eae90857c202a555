/** The table of a session's rounds: one line per round, while the session runs and afterwards. */
import type { RoundView, SessionView } from "../views.ts";
import type { Column } from "./table.ts";
import { renderHeader, renderRow, renderTable } from "./table.ts";
import { counted, formatBytes, formatPercent, formatSeconds } from "./units.ts";

const ABSENT = "–";

/** Fixed widths: lines are written before later ones are known. */
const COLUMNS: readonly Column[] = [
  { title: "round", align: "right", width: 7 },
  { title: "participants", align: "right" },
  { title: "loss", align: "right", width: 7 },
  { title: "accuracy", align: "right" },
  { title: "seconds", align: "right" },
  { title: "bytes", align: "right", width: 8 },
  { title: "state" },
];

export const ROUND_TABLE_HEADER = renderHeader(COLUMNS);

/** The whole table, for a session that is shown once. */
export const renderRounds = (session: SessionView, nowMs: number): string[] =>
  renderTable(
    COLUMNS,
    session.roundHistory.map((round) => cells(session, round, nowMs)),
  );

/** One line of the table. @param nowMs  for the seconds of a round under way */
export const renderRound = (session: SessionView, round: RoundView, nowMs: number): string =>
  renderRow(COLUMNS, cells(session, round, nowMs));

/** Whether no later message will change the line of this round. */
export function isSettled(session: SessionView, round: RoundView): boolean {
  if (session.status !== "running" || round.status === "failed") return true;
  if (round.status !== "committed") return false;
  if (session.committedRounds > round.round || !session.settings.validate) return true;
  // With a fraction of the clients training, more validate than were in the cohort; nobody says how many.
  return session.settings.clientFraction === 1 && round.validatedCount >= round.cohortCount;
}

function cells(session: SessionView, round: RoundView, nowMs: number): string[] {
  const { loss, accuracy } = round.metrics;
  const endMs = round.committedAtMs ?? (round.status === "failed" ? undefined : nowMs);
  return [
    `${round.round}/${session.rounds}`,
    `${round.foldedCount}/${round.cohortCount}`,
    loss === undefined ? ABSENT : loss.toFixed(4),
    accuracy === undefined ? ABSENT : formatPercent(accuracy),
    endMs === undefined ? ABSENT : formatSeconds(Math.max(0, endMs - round.openedAtMs)),
    formatBytes(round.updateBytes),
    state(round),
  ];
}

function state(round: RoundView): string {
  const attempt = round.attempt === 1 ? "" : `, attempt ${round.attempt}`;
  const refused = new Set(round.refusals.map((each) => each.member).filter((each) => each !== ""));
  const refusals = refused.size === 0 ? "" : `, ${counted(refused.size, "client")} refused`;
  return `${round.status}${attempt}${refusals}`;
}
