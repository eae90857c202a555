/** The commands as commander knows them, and how each way to end becomes an exit status. */
import { Command, CommanderError } from "commander";
import { describeError } from "../lib/base/log.ts";
import { RefusedError } from "../lib/base/refusal.ts";
import { CliError, EndedWithStatus } from "./cli-error.ts";
import { addAttestCommands } from "./commands/attest.ts";
import { addBundleCommands } from "./commands/bundle.ts";
import { addInitCommand } from "./commands/init.ts";
import { addManifestCommands } from "./commands/manifest.ts";
import { addMemberCommands } from "./commands/member.ts";
import { addModelCommands } from "./commands/model.ts";
import { addPackageCommands } from "./commands/package.ts";
import { addSessionCommands } from "./commands/session.ts";
import type { CommandContext } from "./context.ts";
import { writeLine } from "./output.ts";

const EXIT_OK = 0;
export const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * Runs one command line.
 * @param args  without node and script
 * @returns the exit status: 0 done, 1 failed, 2 not understood; `attest verify` has its own
 */
export async function runProgram(
  args: readonly string[],
  context: CommandContext,
): Promise<number> {
  const program = new Command("fedclave")
    .description("Federated learning: run a federation and look into it.")
    .version(process.env.FEDCLAVE_VERSION ?? "development")
    .enablePositionalOptions()
    .showHelpAfterError("(add --help for the options)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    });
  // Commands take over the settings above at the moment they are made.
  addInitCommand(program, context);
  addBundleCommands(program, context);
  addManifestCommands(program, context);
  addMemberCommands(program, context);
  addPackageCommands(program, context);
  addModelCommands(program, context);
  addSessionCommands(program, context);
  addAttestCommands(program, context);
  try {
    await program.parseAsync(spellHelp(args), { from: "user" });
    return EXIT_OK;
  } catch (error) {
    if (error instanceof EndedWithStatus) return error.status;
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    for (const line of failureLines(error)) writeLine(context.stderr, line);
    return error instanceof CliError && error.code === "usage" ? EXIT_USAGE : EXIT_FAILED;
  }
}

/** "help session start" as "session start --help": commander looks no deeper than the first word. */
const spellHelp = ([first, ...rest]: readonly string[]): string[] => {
  if (first === "help" && rest.length > 0) return [...rest, "--help"];
  return first === undefined ? rest : [first, ...rest];
};

/** What went wrong, for a person: one line, or one per reason of a refusal. */
export function failureLines(error: unknown): string[] {
  if (error instanceof RefusedError) {
    return [
      "fedclave: the reducer refused:",
      ...error.refusals.map(({ code, seen, wanted }) => {
        const detail = [seen && `seen ${seen}`, wanted && `wanted ${wanted}`].filter(Boolean);
        return `  ${code}${detail.length === 0 ? "" : `: ${detail.join(", ")}`}`;
      }),
    ];
  }
  return [`fedclave: ${error instanceof Error ? error.message : describeError(error)}`];
}
