/** Entry of dist/client.cjs. */
import path from "node:path";
import { systemRandomness } from "../../lib/base/randomness.ts";
import { runRole } from "../../lib/base/role-process.ts";
import { type ClientConfig, readConfig, USAGE } from "./config.ts";
import { startClients } from "./start-clients.ts";

/** Beside this bundle. */
const TRAINER_BUNDLE = "client-trainer.cjs";

/** runRole heeds a stop once the role is ready; a client may wait for its federation for days before that. */
function stopAskedEarly({ untilStdinCloses }: ClientConfig): AbortSignal {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new Error("stopped before it was ready"));
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  if (untilStdinCloses) process.stdin.once("end", stop);
  return stopping.signal;
}

runRole({
  role: "client",
  usage: USAGE,
  readConfig,
  start: async (config, ports) => {
    const signal = stopAskedEarly(config);
    const trainerFile = path.join(__dirname, TRAINER_BUNDLE);
    try {
      const given = { ...ports, randomness: systemRandomness, trainerFile, signal };
      return await startClients(config, given);
    } catch (error) {
      if (!signal.aborted) throw error;
      process.exit(0);
    }
  },
});
