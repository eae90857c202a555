import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import type { Connection } from "../../lib/transport/connect.ts";
import { withReducer } from "../admin-connection.ts";
import { usageError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { writeJson, writeLine } from "../output.ts";
import {
  readHyperparameter,
  readSessionFile,
  readSetting,
  SESSION_OPTIONS,
  type SessionChoices,
} from "../session-options.ts";
import { completeSettings, type SessionGround } from "../session-settings.ts";
import { sessionView } from "../views.ts";
import { followToEnd } from "./follow-session.ts";
import { findSeedModel } from "./model.ts";
import { addReducerOptions, type SharedOptions } from "./options.ts";
import { findPackage } from "./package.ts";

type StartFlags = SharedOptions &
  SessionChoices & { readonly config?: string; readonly watch?: true };

export function addStartCommand(group: Command, context: CommandContext): void {
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
        const session = sessionView(await reducer.unary("Sessions.Start", { settings }));
        for (const note of notes) writeLine(context.stderr, note);
        if (flags.watch === true) {
          writeLine(context.stderr, `Started session ${session.sessionId}.`);
          return followToEnd(context, reducer, session.sessionId, flags);
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
async function findGround(
  reducer: Connection,
  choices: Pick<SessionChoices, "package" | "model">,
): Promise<SessionGround> {
  const found = await findPackage(reducer, choices.package ?? "latest");
  const model = await findSeedModel(reducer, choices.model);
  return {
    packageDigest: found.packageDigest,
    packageName: found.name,
    seedModelHash: model.modelHash,
  };
}
