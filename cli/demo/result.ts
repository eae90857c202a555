/** What a demo came to. */
import { availableParallelism } from "node:os";
import path from "node:path";
import { describeRefusals } from "../../lib/base/refusal.ts";
import { CliError } from "../cli-error.ts";
import { lastValidated, totalRoundMs, totalUpdateBytes } from "../rendering/session-summary.ts";
import { renderFields } from "../rendering/table.ts";
import { counted, formatBytes, formatDuration, formatPercent } from "../rendering/units.ts";
import type { SessionView } from "../views.ts";
import { type DemoOptions, partitionText } from "./options.ts";

/** What the demo came to; also what `--json` prints. */
export type DemoResult = {
  readonly rounds: number;
  /** Example-weighted over the clients' test images, which together are all 10,000; 0 to 1. */
  readonly testAccuracy: number;
  readonly testLoss: number;
  readonly testExamples: number;
  /** SHA-256 of the final model, hex. */
  readonly modelHash: string;
  /** From start to the end of the session, everything included. */
  readonly seconds: number;
  readonly setUpSeconds: number;
  /** While rounds were under way. */
  readonly roundSeconds: number;
  /** Of that, the slowest client's training of each round. */
  readonly trainingSeconds: number;
  /** Between rounds: selection, and validation of the last model. */
  readonly betweenSeconds: number;
  readonly updateBytes: number;
  readonly sessionId: string;
  readonly conditions: Readonly<Record<string, string | number>>;
};

export type DemoTimes = {
  readonly startedMs: number;
  /** When the session was started. */
  readonly readyMs: number;
  readonly endedMs: number;
  readonly trainingMs: number;
};

/**
 * Reads the result from the finished session.
 * @throws CliError "session-not-finished" if it failed, or if the final model was not validated by every client
 */
export function resultOf(options: DemoOptions, session: SessionView, times: DemoTimes): DemoResult {
  if (session.status !== "finished") {
    const why = session.reasons.length === 0 ? "" : ` (${describeRefusals(session.reasons)})`;
    throw new CliError("session-not-finished", `the session ended as ${session.status}${why}`);
  }
  const validated = lastValidated(session);
  const { accuracy, loss } = validated?.metrics ?? {};
  if (validated?.round !== options.rounds || accuracy === undefined || loss === undefined) {
    throw new CliError(
      "session-not-finished",
      "no client validated the final model; see the logs with --keep DIR",
    );
  }
  if (validated.validatedCount !== options.clients) {
    throw new CliError(
      "session-not-finished",
      `only ${validated.validatedCount} of ${counted(options.clients, "client")} validated the final model`,
    );
  }
  const roundMs = totalRoundMs(session);
  const { startedMs, readyMs, endedMs, trainingMs } = times;
  return {
    rounds: session.committedRounds,
    testAccuracy: accuracy,
    testLoss: loss,
    testExamples: validated.validatedExamples,
    modelHash: session.modelHash,
    seconds: (endedMs - startedMs) / 1000,
    setUpSeconds: (readyMs - startedMs) / 1000,
    roundSeconds: roundMs / 1000,
    trainingSeconds: trainingMs / 1000,
    betweenSeconds: Math.max(0, endedMs - readyMs - roundMs) / 1000,
    updateBytes: totalUpdateBytes(session),
    sessionId: session.sessionId,
    conditions: conditionsOf(options),
  };
}

const conditionsOf = (options: DemoOptions) => ({
  clients: options.clients,
  combiners: options.combiners,
  clientsPerProcess: options.clientsPerProcess,
  partition: partitionText(options.partition),
  seed: options.seed,
  localEpochs: options.localEpochs,
  aggregator: options.aggregator,
  ...(options.serverLearningRate === undefined
    ? {}
    : { serverLearningRate: options.serverLearningRate }),
  mu: options.mu,
  cores: availableParallelism(),
  node: process.version,
  release: process.env.FEDCLAVE_VERSION ?? "development",
});

/** The result for a person. */
export function resultLines(result: DemoResult, keep: string | undefined): string[] {
  const accuracy = formatPercent(result.testAccuracy);
  const images = counted(result.testExamples, "image");
  const duration = (seconds: number): string => formatDuration(1000 * seconds);
  return renderFields([
    ["test accuracy", `${accuracy} of ${images}, loss ${result.testLoss.toFixed(4)}`],
    ["model", `${result.modelHash}, after ${counted(result.rounds, "round")}`],
    ["took", duration(result.seconds)],
    ["  starting up", duration(result.setUpSeconds)],
    ["  training", `${duration(result.trainingSeconds)}, the slowest client of each round`],
    ["  rest of the rounds", duration(Math.max(0, result.roundSeconds - result.trainingSeconds))],
    ["  between rounds", duration(result.betweenSeconds)],
    ["updates", `${formatBytes(result.updateBytes)} from clients to combiners`],
    [
      "conditions",
      Object.entries(result.conditions)
        .map(([name, value]) => `${name} ${value}`)
        .join(", "),
    ],
    ["kept", keep === undefined ? undefined : `${path.resolve(keep)}: homes, data and logs`],
  ]);
}
