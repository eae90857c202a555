/** `fedclave demo`: dist/demo.cjs. */
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandomness } from "../../lib/base/randomness.ts";
import { CliError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { processOutput, writeJson, writeLine } from "../output.ts";
import { EXIT_FAILED, failureLines } from "../program.ts";
import { sessionProgress } from "../rendering/session-progress.ts";
import { summaryLines } from "../rendering/session-summary.ts";
import type { SessionView } from "../views.ts";
import { writeExample } from "./example-files.ts";
import { type DemoCommand, readDemoArguments } from "./options.ts";
import { resultLines } from "./result.ts";
import { runDemo } from "./run-demo.ts";

const output = processOutput(process.env);
const command = readDemoArguments(process.argv.slice(2), output);
const stop = new AbortController();
/** Signals closer to each other than this are one. */
const SAME_SIGNAL_MS = 1_000;

run(command).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    for (const line of failureLines(error)) writeLine(output.stderr, line);
    process.exitCode = EXIT_FAILED;
  },
);

async function run(given: DemoCommand): Promise<number> {
  if (given.kind === "done") return given.status;
  const clock = systemClock();
  let askedMs: number | undefined;
  const onSignal = (): void => {
    const nowMs = clock.untrustedNowMs();
    // npm passes on the signal that the terminal has already sent; a person who asks again takes longer.
    // The "exit" handler of the run still leaves nothing behind.
    if (askedMs !== undefined && nowMs - askedMs > SAME_SIGNAL_MS) process.exit(EXIT_FAILED);
    askedMs ??= nowMs;
    stop.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  const context: CommandContext = {
    ...output,
    environment: process.env,
    clock,
    randomness: systemRandomness,
    bundleDirectory: __dirname,
    signal: stop.signal,
  };
  if (given.kind === "files") {
    const files = await writeExample(context.bundleDirectory, given.directory, given.options);
    writeLine(output.stdout, `Wrote the package's files to ${files.packageFolder}`);
    if (files.data.length > 0) writeLine(output.stdout, "and per client its data:");
    for (const file of files.data) writeLine(output.stdout, `  ${file}`);
    return 0;
  }
  return await runWithProgress(given, context);
}

async function runWithProgress(
  { options, json }: Extract<DemoCommand, { kind: "run" }>,
  context: CommandContext,
): Promise<number> {
  const stream = json ? output.stderr : output.stdout;
  const progress = sessionProgress(stream, context.clock);
  let latest: SessionView | undefined;
  try {
    const result = await runDemo(options, context, {
      onNote: (text) => writeLine(stream, text),
      onSession: (session) => {
        latest = session;
        progress.update(session);
      },
    });
    progress.end();
    for (const line of ["", ...resultLines(result, options.keep)]) writeLine(stream, line);
    if (json) writeJson(output.stdout, result);
    return 0;
  } catch (error) {
    progress.end();
    if (latest !== undefined) {
      const lines = summaryLines(latest, context.clock.untrustedNowMs());
      for (const line of ["", ...lines, ""]) writeLine(output.stderr, line);
    }
    if (error instanceof CliError && error.code === "interrupted") {
      writeLine(output.stderr, "Interrupted; all processes are stopped.");
      return EXIT_FAILED;
    }
    throw error;
  }
}
