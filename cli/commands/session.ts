import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { parseSessionId } from "../../lib/base/ids.ts";
import type { Connection } from "../../lib/transport/connect.ts";
import { withReducer } from "../admin-connection.ts";
import { CliError, usageError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { writeJson, writeLine } from "../output.ts";
import { renderRounds } from "../rendering/round-table.ts";
import { sessionCsv } from "../rendering/session-csv.ts";
import { sessionProgress } from "../rendering/session-progress.ts";
import { settingsLines, summaryLines } from "../rendering/session-summary.ts";
import { renderTable } from "../rendering/table.ts";
import { formatInstant } from "../rendering/units.ts";
import { resolveReference } from "../resolve-reference.ts";
import {
  readHyperparameter,
  readSessionFile,
  readSetting,
  SESSION_OPTIONS,
  type SessionChoices,
} from "../session-options.ts";
import { completeSettings, type SessionGround } from "../session-settings.ts";
import { packageView, type SessionView, sessionView } from "../views.ts";
import { watchSession } from "../watch-session.ts";
import { writeNewFile } from "./member.ts";
import { findSeedModel } from "./model.ts";
import { addReducerOptions, type SharedOptions } from "./options.ts";

type StartFlags = SharedOptions &
  SessionChoices & { readonly config?: string; readonly watch?: true };

const SESSION_HELP = "id, at least 6 characters of it, name, or latest";

export function addSessionCommands(program: Command, context: CommandContext): void {
  const group = program.command("session").summary("start, watch and stop sessions");
  addStartCommand(group, context);
  addReducerOptions(group.command("list").summary("all sessions")).action(
    async (options: SharedOptions) => {
      const sessions = await withReducer(context, options, listSessions);
      if (options.json === true) {
        const brief = sessions.map(({ roundHistory: _, ...rest }) => rest);
        return writeJson(context.stdout, { sessions: brief });
      }
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
        await watchToEnd(context, reducer, sessionId, options);
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
      await writeNewFile(options.csv, Buffer.from(csv, "utf8"));
      const result = { sessionId: session.sessionId, out: options.csv };
      if (options.json === true) return writeJson(context.stdout, result);
      writeLine(context.stdout, `Wrote ${session.roundHistory.length} rounds to ${options.csv}`);
    });
}

function addStartCommand(group: Command, context: CommandContext): void {
  const start = addReducerOptions(group.command("start").summary("train a model"));
  for (const option of SESSION_OPTIONS) {
    start.option(`--${option.flag} <${option.placeholder}>`, option.help, (text: string) =>
      readSetting(option, text, `--${option.flag}`),
    );
  }
  start
    .option("--set <name=number...>", "hyperparameters of the package")
    .option("--no-validate", "do not have clients validate committed models")
    .option("--config <file>", "YAML with these flags as keys; flags win")
    .option("--watch", "follow the session until it ends")
    .action(async (flags: StartFlags & { set?: readonly string[] }, command: Command) => {
      const choices = await readChoices(flags, command);
      await withReducer(context, flags, async (reducer) => {
        const ground = await findGround(reducer, choices);
        const { settings, notes } = completeSettings(choices, ground, context.randomness);
        for (const note of notes) writeLine(context.stderr, note);
        const session = sessionView(await reducer.unary("Sessions.Start", { settings }));
        if (flags.watch === true) {
          writeLine(context.stderr, `Started session ${session.sessionId}.`);
          return watchToEnd(context, reducer, session.sessionId, flags);
        }
        if (flags.json === true) return writeJson(context.stdout, session);
        writeLine(context.stdout, `Started session ${session.sessionId}. Follow it with:`);
        writeLine(context.stdout, `  fedclave session watch ${session.sessionId}`);
      });
    });
}

async function readChoices(
  flags: StartFlags & { readonly set?: readonly string[] },
  command: Command,
): Promise<SessionChoices> {
  const { config } = flags;
  const file =
    config === undefined
      ? {}
      : readSessionFile(await readFile(config, "utf8").catch(() => cannotRead(config)), config);
  const given = Object.fromEntries(
    [...SESSION_OPTIONS.map(({ key }) => key), "validate" as const]
      .filter((key) => command.getOptionValueSource(key) === "cli")
      .map((key) => [key, flags[key]]),
  );
  const set = { ...file.set, ...Object.fromEntries((flags.set ?? []).map(readHyperparameter)) };
  return { ...file, ...given, set };
}

function cannotRead(file: string): never {
  throw usageError(`--config ${file} cannot be read`);
}

/** What the session stands on, asked from the reducer. @throws CliError "not-found" | "ambiguous" */
export async function findGround(
  reducer: Connection,
  choices: Pick<SessionChoices, "package" | "model">,
): Promise<SessionGround> {
  const packages = (await reducer.unary("Packages.List", {})).packages.map(packageView);
  const candidates = packages.map((each) => ({
    ...each,
    digest: each.packageDigest,
    atMs: each.uploadedAtMs,
  }));
  const remedy = "upload one with: fedclave package upload FILE";
  const found = resolveReference(choices.package ?? "latest", candidates, "package", remedy);
  const model = await findSeedModel(reducer, choices.model);
  return {
    packageDigest: found.packageDigest,
    packageName: found.name,
    seedModelHash: model.modelHash,
  };
}

const listSessions = async (reducer: Connection): Promise<SessionView[]> =>
  (await reducer.unary("Sessions.List", {})).sessions.map(sessionView);

async function findSession(reducer: Connection, text: string): Promise<{ sessionId: string }> {
  const exact = parseSessionId(text);
  if (exact !== undefined) return { sessionId: exact };
  const sessions = await listSessions(reducer);
  const newestFirst = sessions.toSorted((a, b) => b.startedAtMs - a.startedAtMs);
  const [newest] = newestFirst;
  if (newest === undefined) {
    throw new CliError("not-found", "no session yet; start one with: fedclave session start");
  }
  if (text === "latest") return newest;
  const found =
    newestFirst.find((each) => each.name === text) ??
    newestFirst.find((each) => text.length >= 6 && each.sessionId.startsWith(text));
  if (found === undefined) {
    throw new CliError("not-found", `no session "${text}"; list them with: fedclave session list`);
  }
  return found;
}

async function showSession(reducer: Connection, text: string): Promise<SessionView> {
  const { sessionId } = await findSession(reducer, text);
  return sessionView(await reducer.unary("Sessions.Show", { sessionId }));
}

/** @throws CliError "session-not-finished" if it ended otherwise */
async function watchToEnd(
  context: CommandContext,
  reducer: Connection,
  sessionId: string,
  options: SharedOptions,
): Promise<void> {
  const { clock, signal } = context;
  const progress = sessionProgress(options.json === true ? context.stderr : context.stdout, clock);
  let session: SessionView;
  try {
    session = await watchSession(reducer, sessionId, {
      clock,
      signal,
      onUpdate: progress.update,
      onLost: () => writeLine(context.stderr, "lost the reducer; trying to reach it again"),
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
