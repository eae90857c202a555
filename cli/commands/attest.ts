import type { Command } from "commander";
import { addFetchCommand } from "../attest/fetch-command.ts";
import { addShowCommand } from "../attest/show-command.ts";
import { addSimulateCommand } from "../attest/simulate-command.ts";
import { addVerifyCommand } from "../attest/verify-command.ts";
import type { CommandContext } from "../context.ts";

/** `fedclave attest …`. */
export function addAttestCommands(program: Command, context: CommandContext): void {
  const group = program
    .command("attest")
    .summary("look into evidence of enclaves, and verify it")
    .description("Look into evidence of enclaves, and verify it.");
  addVerifyCommand(group, context);
  addShowCommand(group, context);
  addFetchCommand(group, context);
  addSimulateCommand(group, context);
}
