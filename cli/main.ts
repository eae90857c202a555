/** `fedclave`: dist/cli.cjs. */
import { systemClock } from "../lib/base/clock.ts";
import { systemRandomness } from "../lib/base/randomness.ts";
import { processOutput } from "./output.ts";
import { runProgram } from "./program.ts";

const args = process.argv.slice(2);
const stop = new AbortController();
// A bundle that runs in this process stops by its own handlers; a second signal ends any command at once.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());

// Whoever reads has left (`| head`): following a session any further would be for nobody.
process.stdout.on("error", () => stop.abort());

runProgram(args, {
  ...processOutput(process.env),
  environment: process.env,
  clock: systemClock(),
  randomness: systemRandomness,
  bundleDirectory: __dirname,
  signal: stop.signal,
}).then(
  (status) => {
    if (status !== 0) process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`fedclave: ${error instanceof Error ? error.stack : "failed"}\n`);
    process.exitCode = 1;
  },
);
