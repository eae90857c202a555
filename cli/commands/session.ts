import type { Command } from "commander";
import { parseSessionId } from "../../lib/base/ids.ts";
import { assertInvariant } from "../../lib/base/refusal.ts";
import type { Connection } from "../../lib/transport/connect.ts";
import { withReducer } from "../admin-connection.ts";
import { CliError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { everyPage } from "../every-page.ts";
import { writeJson, writeLine } from "../output.ts";
import { renderRounds } from "../rendering/round-table.ts";
import { sessionCsv } from "../rendering/session-csv.ts";
import { settingsLines, summaryLines } from "../rendering/session-summary.ts";
import { renderTable } from "../rendering/table.ts";
import { formatInstant } from "../rendering/units.ts";
import { type SessionView, sessionView, withUpdate } from "../views.ts";
import { followToEnd } from "./follow-session.ts";
import { writeNewFile } from "./member.ts";
import { addReducerOptions, type SharedOptions } from "./options.ts";
import { addStartCommand } from "./session-start.ts";

const NO_SESSION = "no session yet; start one with: fedclave session start";
const SESSION_HELP = "id, at least 6 characters of it, name, or latest";

export function addSessionCommands(program: Command, context: CommandContext): void {
  const group = program
    .command("session")
    .summary("start, watch and stop sessions")
    .description("Start, watch and stop sessions.");
  addStartCommand(group, context);
  addReducerOptions(group.command("list").summary("all sessions")).action(
    async (options: SharedOptions) => {
      const sessions = await withReducer(context, options, listSessions);
      if (options.json === true) {
        const brief = sessions.map(({ roundHistory: _, ...rest }) => rest);
        return writeJson(context.stdout, { sessions: brief });
      }
      if (sessions.length === 0) writeLine(context.stderr, NO_SESSION);
      for (const line of sessionTable(sessions)) writeLine(context.stdout, line);
    },
  );
  addReducerOptions(group.command("show").summary("one session with all its rounds"))
    .argument("[session]", SESSION_HELP, "latest")
    .action(async (text: string, options: SharedOptions) => {
      const session = await withReducer(context, options, (reducer) => showSession(reducer, text));
      if (options.json === true) return writeJson(context.stdout, session);
      const nowMs = context.clock.untrustedNowMs();
      const lines = [summaryLines(session, nowMs), settingsLines(session)];
      if (session.roundHistory.length > 0) lines.push(renderRounds(session, nowMs));
      writeLine(context.stdout, lines.map((part) => part.join("\n")).join("\n\n"));
    });
  addReducerOptions(group.command("watch").summary("follow a session until it ends"))
    .argument("[session]", SESSION_HELP, "latest")
    .action((text: string, options: SharedOptions) =>
      withReducer(context, options, async (reducer) => {
        const { sessionId } = await findSession(reducer, text);
        await followToEnd(context, reducer, sessionId, options);
      }),
    );
  addReducerOptions(group.command("stop").summary("end a session before its last round"))
    .argument("[session]", SESSION_HELP, "latest")
    .option("--because <text>", "for the record", "an admin asked")
    .action(async (text: string, options: SharedOptions & { because: string }) => {
      const session = await withReducer(context, options, async (reducer) => {
        const { sessionId } = await findSession(reducer, text);
        return sessionView(
          await reducer.unary("Sessions.Stop", { sessionId, because: options.because }),
        );
      });
      if (options.json === true) return writeJson(context.stdout, session);
      for (const line of summaryLines(session, context.clock.untrustedNowMs())) {
        writeLine(context.stdout, line);
      }
    });
  addReducerOptions(
    group.command("export").summary("the rounds of a session as a table of numbers"),
  )
    .argument("[session]", SESSION_HELP, "latest")
    .requiredOption("--csv [file]", "to a file, or to standard output")
    .action(async (text: string, options: SharedOptions & { csv: string | true }) => {
      const session = await withReducer(context, options, (reducer) => showSession(reducer, text));
      const csv = sessionCsv(session);
      if (options.csv === true) return context.stdout.write(csv);
      await writeNewFile(options.csv, Buffer.from(csv, "utf8"), "--csv");
      const result = { sessionId: session.sessionId, out: options.csv };
      if (options.json === true) return writeJson(context.stdout, result);
      writeLine(context.stdout, `Wrote ${session.roundHistory.length} rounds to ${options.csv}`);
    });
}

const listSessions = async (reducer: Connection): Promise<SessionView[]> =>
  await everyPage(async (page) => {
    const answer = await reducer.unary("Sessions.List", page);
    return { entries: answer.sessions.map(sessionView), totalCount: answer.totalCount };
  });

async function findSession(reducer: Connection, text: string): Promise<{ sessionId: string }> {
  const exact = parseSessionId(text);
  if (exact !== undefined) return { sessionId: exact };
  const sessions = await listSessions(reducer);
  const newestFirst = sessions.toSorted((a, b) => b.startedAtMs - a.startedAtMs);
  const [newest] = newestFirst;
  if (newest === undefined) {
    throw new CliError("not-found", NO_SESSION);
  }
  if (text === "latest") return newest;
  const found =
    newestFirst.find((each) => each.name === text) ??
    newestFirst.find((each) => text.length >= 6 && each.sessionId.startsWith(text));
  if (found === undefined) {
    throw new CliError(
      "not-found",
      `no session "${text}"; list them with: fedclave session list, or name the first 6 characters of an id`,
    );
  }
  return found;
}

async function showSession(reducer: Connection, text: string): Promise<SessionView> {
  const { sessionId } = await findSession(reducer, text);
  let session: SessionView | undefined;
  await everyPage(async ({ page }) => {
    const message = await reducer.unary("Sessions.Show", { sessionId, page });
    session = withUpdate(session, sessionView(message));
    return { entries: message.rounds, totalCount: message.attemptCount };
  });
  assertInvariant(session !== undefined, "at least one page was fetched");
  return session;
}

export const sessionTable = (sessions: readonly SessionView[]): string[] =>
  renderTable(
    [
      { title: "session" },
      { title: "name" },
      { title: "status" },
      { title: "rounds", align: "right" },
      { title: "started (UTC)" },
      { title: "waiting for" },
    ],
    sessions.map((each) => [
      each.sessionId,
      each.name,
      each.status,
      `${each.committedRounds}/${each.rounds}`,
      formatInstant(each.startedAtMs),
      each.waitingFor,
    ]),
  );
