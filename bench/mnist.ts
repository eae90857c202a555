/** The study's job: MNIST, 2 clients, 30 rounds of 10 local epochs, over several seeds. */

import type { CommandContext } from "../cli/context.ts";
import { DEFAULT_DEMO_OPTIONS } from "../cli/demo/options.ts";
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

/** Accuracy and time are medians over the seeds; each run is real processes from the bundles. */
export async function runMnistBench(options: MnistOptions): Promise<Figures> {
  const { rounds, clients, combiners, seeds, log } = options;
  const runs: DemoResult[] = [];
  for (let seed = 1; seed <= seeds; seed += 1) {
    const run = await runDemo(
      { ...DEFAULT_DEMO_OPTIONS, rounds, clients, combiners, seed },
      options.context,
    );
    runs.push(run);
    log(
      `seed ${seed}: ${(100 * run.testAccuracy).toFixed(2)} % after ${rounds} rounds, ` +
        `${run.seconds.toFixed(1)} s, of which ${run.trainingSeconds.toFixed(1)} s training`,
    );
  }
  const of = (figure: (run: DemoResult) => number) => median(runs.map(figure));
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
