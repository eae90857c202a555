import type { Connection } from "../../lib/transport/connect.ts";
import { CliError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { writeJson, writeLine } from "../output.ts";
import { sessionProgress } from "../rendering/session-progress.ts";
import { summaryLines } from "../rendering/session-summary.ts";
import type { SessionView } from "../views.ts";
import { watchSession } from "../watch-session.ts";
import type { SharedOptions } from "./options.ts";

/**
 * Shows a session until it ends, and then what it came to.
 * @throws CliError "session-not-finished" if it ended otherwise | "interrupted", which leaves the session alone
 */
export async function followToEnd(
  context: CommandContext,
  reducer: Connection,
  sessionId: string,
  options: SharedOptions,
): Promise<void> {
  const { clock, signal } = context;
  const progress = sessionProgress(options.json === true ? context.stderr : context.stdout, clock);
  let session: SessionView;
  let isLost = false;
  try {
    session = await watchSession(reducer, sessionId, {
      clock,
      signal,
      onUpdate: (update) => {
        isLost = false;
        progress.update(update);
      },
      onLost: () => {
        // Said once, however many attempts it takes.
        if (!isLost) writeLine(context.stderr, "lost the reducer; trying to reach it again");
        isLost = true;
      },
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new CliError(
      "interrupted",
      `stopped watching; the session goes on. Watch again: fedclave session watch ${sessionId}`,
    );
  } finally {
    progress.end();
  }
  if (options.json === true) writeJson(context.stdout, session);
  else
    for (const line of ["", ...summaryLines(session, clock.untrustedNowMs())])
      writeLine(context.stdout, line);
  if (session.status !== "finished") {
    throw new CliError("session-not-finished", `the session ended as ${session.status}`);
  }
}
