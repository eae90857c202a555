/** How fast updates are validated and folded, beside memcpy and a C loop in the same run. */
import { cpus } from "node:os";
import { roundingTerm } from "../../lib/aggregation/grid.ts";
import { createGridSum } from "../../lib/aggregation/grid-sum.ts";
import type { Kernel } from "../../lib/aggregation/kernel/kernel.ts";
import { plainKernel } from "../../lib/aggregation/kernel/plain.ts";
import { wasmKernel } from "../../lib/aggregation/kernel/wasm.ts";
import { wasmEngine } from "../../lib/aggregation/kernel/wasm-engine.ts";
import { validateUpdate } from "../../lib/aggregation/validate.ts";
import { MAX_GRANTED_UPLOADS } from "../../lib/base/limits.ts";
import { layoutOf } from "../../lib/tensors/layout.ts";
import { median } from "../figures.ts";
import { startCLoop } from "./c-loop.ts";

export type KernelBenchOptions = {
  /** True leaves the table out; the figures are returned either way. */
  readonly json: boolean;
  /** Float32 input of one update, default 100 MB. */
  readonly sizeBytes?: number;
  /** Runs of each case, taken in turn; at least 7, default 9. The first of each is not counted. */
  readonly runs?: number;
  /** Stated among the conditions. */
  readonly date?: string;
  readonly log: (line: string) => void;
};

export type KernelFigure = {
  readonly name: string;
  /** 10^9 bytes of float32 input per second, median. */
  readonly gigabytesPerSecond: number;
  readonly ofMemcpy: number;
  /** Undefined where no C compiler is. */
  readonly ofC: number | undefined;
};

export type KernelBenchResult = {
  readonly bench: "kernel";
  readonly figures: readonly KernelFigure[];
  readonly conditions: Readonly<Record<string, string | number | undefined>>;
};

/** One case; its run reads `bytes` of input and gives the nanoseconds it took. */
type Case = {
  readonly name: string;
  readonly bytes: number;
  readonly run: () => number | Promise<number>;
};

const DEFAULT_SIZE_BYTES = 100_000_000;
const MIN_RUNS = 7;
/** Updates that pass through the sums together: as many as a combiner may have staged. */
const BATCH = MAX_GRANTED_UPLOADS;
const GRID_EXPONENT = 30;
const LIMITS = { elementBound: 8, weightCap: 1000, gridExponent: GRID_EXPONENT };
const MEMCPY = "memcpy";
const C_LOOP = "C loop";

/** Runs all cases in turn and reports medians. Takes about sixteen times sizeBytes of memory. */
export async function runKernelBench(options: KernelBenchOptions): Promise<KernelBenchResult> {
  const sizeBytes = Math.floor((options.sizeBytes ?? DEFAULT_SIZE_BYTES) / 4) * 4;
  const runs = Math.max(options.runs ?? 9, MIN_RUNS);
  const cLoop = startCLoop(sizeBytes);
  if (typeof cLoop === "string") options.log(`C loop skipped: ${cLoop}`);
  const cases = casesOf(sizeBytes, options.log);
  if (typeof cLoop !== "string") cases.push({ name: C_LOOP, bytes: sizeBytes, run: cLoop.run });
  try {
    const rates = await measure(cases, runs);
    const figures = cases.map(({ name }) => figureOf(name, rates));
    if (!options.json) for (const figure of figures) options.log(rowOf(figure));
    return { bench: "kernel", figures, conditions: conditionsOf(options, sizeBytes, runs) };
  } finally {
    if (typeof cLoop !== "string") cLoop.close();
  }
}

function casesOf(sizeBytes: number, log: (line: string) => void): Case[] {
  const layout = layoutOf([{ name: "x", dtype: "F32", shape: [sizeBytes / 4] }]);
  const body = new Uint8Array(layout.sizeBytes);
  body.set(layout.header);
  const values = new Float32Array(body.buffer, layout.header.byteLength, sizeBytes / 4);
  for (let i = 0; i < values.length; i++) values[i] = (i % 1000) / 1000 - 0.5;
  const copy = new Uint8Array(body.byteLength);
  // Each its own memory: one body folded many times would be read from the cache.
  const batch = Array.from({ length: BATCH }, () => ({ body: body.slice(), exampleCount: 7 }));
  const cases: Case[] = [{ name: MEMCPY, bytes: sizeBytes, run: timed(() => copy.set(body)) }];
  const engine = wasmEngine();
  if (engine === undefined) log("WASM skipped: this Node has no WebAssembly");
  else cases.push(...kernelCases("WASM", wasmKernel(engine)));
  cases.push(...kernelCases("plain TypeScript", plainKernel()));
  return cases;

  function kernelCases(label: string, kernel: Kernel): Case[] {
    const sum = createGridSum(layout, GRID_EXPONENT, kernel);
    const validate = (update: Uint8Array): void => {
      const refusals = validateUpdate(update, layout, LIMITS, kernel);
      if (refusals.length > 0) throw new Error("the benchmark's update was refused");
    };
    const validateBatch = (): void => {
      for (const each of batch) validate(each.body);
    };
    const fold = (): void => sum.fold(body, 7);
    const foldBatch = (): void => sum.foldAll(batch);
    const one = sizeBytes;
    const many = sizeBytes * BATCH;
    return [
      { name: `${label} fold`, bytes: one, run: timed(fold) },
      { name: `${label} validate`, bytes: one, run: timed(() => validate(body)) },
      { name: `${label} validate + fold`, bytes: one, run: timed(() => [validate(body), fold()]) },
      { name: `${label} fold, ${BATCH} together`, bytes: many, run: timed(foldBatch) },
      {
        name: `${label} validate + fold, ${BATCH} together`,
        bytes: many,
        run: timed(() => [validateBatch(), foldBatch()]),
      },
    ];
  }
}

function timed(action: () => unknown): () => number {
  return () => {
    const begin = process.hrtime.bigint();
    action();
    return Number(process.hrtime.bigint() - begin);
  };
}

/** GB/s by case: medians of runs taken in turn, so that a noisy moment hits all cases alike. */
async function measure(cases: readonly Case[], runs: number): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  for (let round = 0; round <= runs; round++) {
    for (const { name, run } of cases) {
      const nanoseconds = await run();
      if (round > 0) times.get(name)?.push(nanoseconds);
    }
  }
  return new Map(cases.map(({ name, bytes }) => [name, bytes / median(times.get(name) ?? [])]));
}

function figureOf(name: string, rates: ReadonlyMap<string, number>): KernelFigure {
  const rate = rates.get(name) ?? Number.NaN;
  const c = rates.get(C_LOOP);
  return {
    name,
    gigabytesPerSecond: rounded(rate),
    ofMemcpy: rounded(rate / (rates.get(MEMCPY) ?? Number.NaN)),
    ofC: c === undefined ? undefined : rounded(rate / c),
  };
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

function rowOf({ name, gigabytesPerSecond, ofMemcpy, ofC }: KernelFigure): string {
  const ratio = (value: number | undefined): string => (value?.toFixed(2) ?? "-").padStart(6);
  const rate = gigabytesPerSecond.toFixed(2).padStart(7);
  return `${name.padEnd(44)}${rate} GB/s  of memcpy ${ratio(ofMemcpy)}  of C ${ratio(ofC)}`;
}

function conditionsOf(options: KernelBenchOptions, sizeBytes: number, runs: number) {
  return {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    sizeBytes,
    runs,
    batch: BATCH,
    roundingTerm: roundingTerm(GRID_EXPONENT),
    date: options.date,
  };
}
