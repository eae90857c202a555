/** What a session came to, in a few lines. */
import type { Refusal } from "../../lib/base/refusal.ts";
import type { RoundView, SessionView } from "../views.ts";
import { renderFields } from "./table.ts";
import { counted, formatBytes, formatDuration, formatInstant, formatPercent } from "./units.ts";

/** Figures of the newest committed round that clients validated. */
export const lastValidated = (session: SessionView): RoundView | undefined =>
  session.roundHistory.findLast((round) => round.validatedCount > 0);

/** Bytes of all updates that were folded into committed models. */
export const totalUpdateBytes = (session: SessionView): number =>
  committed(session).reduce((sum, round) => sum + round.updateBytes, 0);

/** Time in which rounds were under way. */
export const totalRoundMs = (session: SessionView): number =>
  committed(session).reduce(
    (sum, r) => sum + ((r.committedAtMs ?? r.openedAtMs) - r.openedAtMs),
    0,
  );

const committed = (session: SessionView): RoundView[] =>
  session.roundHistory.filter((round) => round.status === "committed");

export function summaryLines(session: SessionView, nowMs: number): string[] {
  const validated = lastValidated(session);
  const accuracy = validated?.metrics.accuracy;
  const loss = validated?.metrics.loss;
  return renderFields([
    ["session", `${session.name}, ${session.sessionId}`],
    ["status", session.status],
    ...session.reasons.map(
      (each, index) => [index === 0 ? "because" : "", reasonText(each)] as const,
    ),
    ["rounds", `${session.committedRounds} of ${session.rounds} committed`],
    ["model", session.modelHash],
    [
      "accuracy",
      accuracy === undefined ? undefined : validatedText(validated, formatPercent(accuracy)),
    ],
    ["loss", loss?.toFixed(4)],
    ["started", `${formatInstant(session.startedAtMs)} UTC`],
    ["took", formatDuration((session.endedAtMs ?? nowMs) - session.startedAtMs)],
    ["updates", formatBytes(totalUpdateBytes(session))],
    ["waiting for", session.waitingFor],
  ]);
}

/** Everything that was decided about a session. */
export function settingsLines({
  settings,
  gridExponent,
  worstRoundingError,
}: SessionView): string[] {
  const { roundDeadlineMs, hyperparameters, normBound } = settings;
  const set = Object.entries(hyperparameters).map(([name, value]) => `${name}=${value}`);
  return renderFields([
    ["package", settings.packageDigest],
    ["seed model", settings.seedModelHash],
    ["aggregator", settings.aggregator],
    ["proximal mu", String(settings.proximalMu)],
    [
      "clients",
      `at least ${settings.minClients}, quorum ${settings.quorumCount}, at most ${settings.maxCohort}`,
    ],
    ["fraction", `${settings.clientFraction}, over-selection ${settings.overSelection}`],
    [
      "round",
      `at most ${formatDuration(roundDeadlineMs)}, ${counted(settings.maxAttempts, "attempt")}`,
    ],
    [
      "update limits",
      `|change| ≤ ${settings.elementBound}, ≤ ${counted(settings.weightCap, "example")}`,
    ],
    ["norm bound", normBound === undefined ? undefined : String(normBound)],
    [
      "grid",
      `multiples of 2^-${gridExponent}; the mean is off by at most ${worstRoundingError.toExponential(1)}`,
    ],
    ["seed", settings.sessionSeed],
    ["hyperparameters", set.join(", ")],
    ["validation", settings.validate ? "yes" : "no"],
  ]);
}

/** An admin's reason is a sentence already; what they saw and wanted is said of everything else. */
const reasonText = ({ code, seen, wanted }: Refusal): string =>
  code === "stopped-by-admin" ? seen : `${code}: seen ${seen}, wanted ${wanted}`;

const validatedText = (round: RoundView | undefined, accuracy: string): string =>
  round === undefined
    ? accuracy
    : `${accuracy} of ${counted(round.validatedExamples, "validation example")} at ` +
      `${counted(round.validatedCount, "client")}, after round ${round.round}`;
