/** Entry of dist/client.cjs. */
import path from "node:path";
import { systemRandomness } from "../../lib/base/randomness.ts";
import { runRole } from "../../lib/base/role-process.ts";
import { readConfig, USAGE } from "./config.ts";
import { startClients } from "./start-clients.ts";

/** Beside this bundle; that for commands is in no enclave. */
const trainerFile = (runsCommands: boolean): string =>
  path.join(__dirname, runsCommands ? "client-commands.cjs" : "client-trainer.cjs");

void runRole({
  role: "client",
  usage: USAGE,
  readConfig,
  start: (config, ports) =>
    startClients(config, {
      ...ports,
      randomness: systemRandomness,
      trainerFile: trainerFile(config.commands !== undefined),
      commandModules: path.join(__dirname, "command-modules"),
    }),
});
