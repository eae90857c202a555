/** Shows a session as it runs: settled rounds are lines that stay, everything else is redrawn or said once. */
import type { Clock } from "../../lib/base/clock.ts";
import type { OutputStream } from "../output.ts";
import type { SessionView } from "../views.ts";
import { liveLines } from "./live-lines.ts";
import { isSettled, ROUND_TABLE_HEADER, renderRound } from "./round-table.ts";

export type SessionProgress = {
  readonly update: (session: SessionView) => void;
  readonly end: () => void;
};

/** How often a line under way is redrawn for its seconds. */
const REDRAW_MS = 250;

/**
 * @param stream  where the table goes; redrawn if it is a terminal
 */
export function sessionProgress(stream: OutputStream, clock: Clock): SessionProgress {
  const lines = liveLines(stream);
  const written = new Set<string>();
  let latest: SessionView | undefined;
  let lastWait = "";
  let cancelRedraw = (): void => {};

  const draw = (session: SessionView): void => {
    const nowMs = clock.untrustedNowMs();
    const fresh = session.roundHistory.filter((round) => !written.has(keyOf(round)));
    const settled = fresh.filter((round) => isSettled(session, round));
    const head = written.size === 0 && settled.length > 0 ? [ROUND_TABLE_HEADER] : [];
    for (const round of settled) written.add(keyOf(round));
    if (settled.length > 0) {
      lines.settle([...head, ...settled.map((round) => renderRound(session, round, nowMs))]);
    }
    const moving = fresh.filter((round) => !isSettled(session, round));
    const changing = [...moving.map((round) => renderRound(session, round, nowMs))];
    const waiting = waitingText(session);
    if (waiting !== "") changing.push(waiting);
    lines.show(
      written.size === 0 && moving.length > 0 ? [ROUND_TABLE_HEADER, ...changing] : changing,
    );
    sayWaiting(session, waiting);
  };

  /** Without a terminal, what is waited for is said when it is not simply the round that runs. */
  const sayWaiting = (session: SessionView, waiting: string): void => {
    const isIdle =
      session.committedRounds < session.rounds &&
      !session.roundHistory.some((round) => RUNNING.has(round.status));
    if (stream.isTty || waiting === "" || waiting === lastWait || !isIdle) return;
    lastWait = waiting;
    lines.settle([waiting]);
  };

  const redraw = (): void => {
    if (latest !== undefined) draw(latest);
    cancelRedraw = clock.after(REDRAW_MS, redraw);
  };

  return {
    update: (session) => {
      latest = session;
      draw(session);
      if (!stream.isTty) return;
      cancelRedraw();
      cancelRedraw = clock.after(REDRAW_MS, redraw);
    },
    end: () => {
      cancelRedraw();
      lines.end();
    },
  };
}

const RUNNING: ReadonlySet<string> = new Set(["training", "merging", "optimizing"]);

const keyOf = (round: { readonly round: number; readonly attempt: number }): string =>
  `${round.round}/${round.attempt}`;

/** What the session waits for and, where a person can help, how. */
export function waitingText(session: SessionView): string {
  if (session.status !== "running" || session.waitingFor === "") return "";
  const { waitingFor } = session;
  const isShort = /more clients?:/.test(waitingFor) && !waitingFor.includes("combiner");
  const help = isShort ? "; start one with: fedclave client --home DIR --data FILE" : "";
  return `waiting for ${waitingFor}${help}`;
}
