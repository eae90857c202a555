/** The study's job: MNIST, 2 clients, 30 rounds of 10 local epochs, over several seeds. */

import type { CommandContext } from "../cli/context.ts";
import { DEFAULT_DEMO_OPTIONS, type DemoOptions } from "../cli/demo/options.ts";
import type { DemoResult } from "../cli/demo/result.ts";
import { runDemo } from "../cli/demo/run-demo.ts";
import { type Figures, median } from "./figures.ts";

export type MnistOptions = {
  readonly rounds: number;
  readonly clients: number;
  readonly combiners: number;
  readonly seeds: number;
  readonly context: CommandContext;
  readonly log: (line: string) => void;
};

type MeasuredRun = DemoResult & {
  /** Sum over rounds of the slowest client's training, in seconds. */
  readonly trainingSeconds: number;
};

/** Accuracy and time are medians over the seeds; each run is real processes from the bundles. */
export async function runMnistBench(options: MnistOptions): Promise<Figures> {
  const { rounds, clients, combiners, seeds, log } = options;
  const runs: MeasuredRun[] = [];
  for (let seed = 1; seed <= seeds; seed += 1) {
    const run = await measured(
      { ...DEFAULT_DEMO_OPTIONS, rounds, clients, combiners, seed },
      options,
    );
    runs.push(run);
    log(
      `seed ${seed}: ${(100 * run.testAccuracy).toFixed(2)} % after ${rounds} rounds, ` +
        `${run.seconds.toFixed(1)} s, of which ${run.trainingSeconds.toFixed(1)} s training`,
    );
  }
  const of = (figure: (run: MeasuredRun) => number) => median(runs.map(figure));
  return {
    bench: "mnist",
    rounds,
    clients,
    combiners,
    seeds,
    localEpochs: DEFAULT_DEMO_OPTIONS.localEpochs,
    testAccuracy: of((run) => run.testAccuracy),
    seconds: of((run) => run.seconds),
    sessionSeconds: of((run) => run.roundSeconds + run.betweenSeconds),
    trainingSeconds: of((run) => run.trainingSeconds),
    coordinationShare: of(
      (run) => 1 - run.trainingSeconds / (run.roundSeconds + run.betweenSeconds),
    ),
  };
}

async function measured(demo: DemoOptions, { context }: MnistOptions): Promise<MeasuredRun> {
  const slowestMs = new Map<number, number>();
  const result = await runDemo(demo, context, {
    onLog: (_role, line) => {
      const event = trainingOf(line);
      if (event === undefined) return;
      slowestMs.set(event.round, Math.max(slowestMs.get(event.round) ?? 0, event.trainingMs));
    },
  });
  const trainingMs = [...slowestMs.values()].reduce((a, b) => a + b, 0);
  return { ...result, trainingSeconds: trainingMs / 1000 };
}

/** What a client's log line says about a training that ended. */
function trainingOf(
  line: string,
): { readonly round: number; readonly trainingMs: number } | undefined {
  if (!line.includes('"task.ended"')) return undefined;
  const event = JSON.parse(line) as { outcome: string; round: number; durationMs: number };
  return event.outcome === "trained"
    ? { round: event.round, trainingMs: event.durationMs }
    : undefined;
}
