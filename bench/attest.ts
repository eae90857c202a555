/** How long evidence takes to verify: with nothing kept, and with endorsements that were verified before. */
import { existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Verification } from "../lib/attestation/verification/claims.ts";
import { realCases, simulatedCases } from "./attest-cases.ts";
import { type Figures, median, quantile, type Report } from "./figures.ts";

/** What the command line chose. */
export type AttestBenchOptions = {
  /** Counted verifications of each case in each way. */
  readonly runs: number;
  readonly log: (line: string) => void;
};

type Way = { readonly name: string; readonly run: () => Verification };

/** Before counting: the code is compiled. */
const WARM_UP_RUNS = 300;
/** Real evidence, where it is; relative to the repository. */
const TESTDATA = "../shared/testdata/attestation";

/** Cases are taken in turn, so that a noisy moment hits all alike. */
export async function runAttestBench({ runs, log }: AttestBenchOptions): Promise<Report> {
  log("making a development root and machines under it");
  const isRealAtHand = existsSync(TESTDATA);
  if (!isRealAtHand) log(`no real evidence at ${TESTDATA}: simulated machines only`);
  const cases = [...(await simulatedCases()), ...(isRealAtHand ? await realCases(TESTDATA) : [])];
  const ways: Way[] = cases.flatMap(({ name, cold, cached }) => [
    { name: `${name}, cold`, run: cold },
    { name: `${name}, cached`, run: cached },
  ]);
  log(`verifying ${WARM_UP_RUNS} + ${runs} times each`);
  measure(ways, WARM_UP_RUNS);
  const timesMs = measure(ways, runs);
  const rows = cases.map(({ name }) => {
    const cold = figuresOf("cold", timesMs.get(`${name}, cold`) ?? []);
    const cached = figuresOf("cached", timesMs.get(`${name}, cached`) ?? []);
    return [name, { ...cold, ...cached }] as const;
  });
  const heapBytesKept = heapKeptBytes(ways, runs);
  return { figures: { bench: "attest", runs, heapBytesKept }, rows: Object.fromEntries(rows) };
}

/** Milliseconds of every run, by way. */
function measure(ways: readonly Way[], runs: number): ReadonlyMap<string, number[]> {
  const timesMs = new Map(ways.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < runs; round++) {
    for (const { name, run } of ways) {
      const beginMs = performance.now();
      const { claims } = run();
      timesMs.get(name)?.push(performance.now() - beginMs);
      if (claims === undefined) throw new Error(`${name} is not genuine`);
    }
  }
  return timesMs;
}

const figuresOf = (way: "cold" | "cached", samplesMs: readonly number[]): Figures => ({
  [`${way}P50Ms`]: median(samplesMs),
  [`${way}P99Ms`]: quantile(samplesMs, 0.99),
  [`${way}PerSecond`]: (1000 * samplesMs.length) / samplesMs.reduce((sum, ms) => sum + ms, 0),
});

/** What stays on the heap, per verification; negative where other garbage went. About zero: nothing is remembered. */
function heapKeptBytes(ways: readonly Way[], runs: number): number {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const usedBytes = (): number => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const before = usedBytes();
  for (let round = 0; round < runs; round++) for (const { run } of ways) run();
  return Math.round((usedBytes() - before) / (runs * ways.length));
}
