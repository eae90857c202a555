/** Commands that are programs of their own: what runs is the bundle that the reference values name. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";

const BUNDLES = [
  ["reducer", "run the reducer: membership, sessions, the global model"],
  ["combiner", "run a combiner: collects updates and adds them up"],
  ["client", "run a client: trains next to the data (--home DIR --data FILE)"],
  ["demo", "train MNIST in a federation on this machine"],
] as const;

export function addBundleCommands(program: Command, context: CommandContext): void {
  for (const [name, summary] of BUNDLES) {
    program
      .command(name)
      .summary(summary)
      .argument("[arguments...]")
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action((args: string[]) => runBundle(context.bundleDirectory, name, args));
  }
}

/** Runs a bundle in this process, as if it had been started by itself. It sets the exit status. */
function runBundle(directory: string, name: string, args: readonly string[]): void {
  const file = path.join(directory, `${name}.cjs`);
  if (!existsSync(file)) {
    throw new CliError("not-found", `${file} is missing; make it with: npm run build`);
  }
  process.argv = [process.argv[0] ?? "node", file, ...args];
  createRequire(file)(file);
}
