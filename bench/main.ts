/** `npm run bench -- mnist|kernel|coordination|attest [--json]`: a table, and with --json one last line with the figures. */
import { parseArgs } from "node:util";
import type { CommandContext } from "../cli/context.ts";
import { processOutput } from "../cli/output.ts";
import { renderFields, renderTable } from "../cli/rendering/table.ts";
import { systemClock } from "../lib/base/clock.ts";
import { systemRandomness } from "../lib/base/randomness.ts";
import { runAttestBench } from "./attest.ts";
import { runCoordinationBench } from "./coordination.ts";
import { conditions, type Figures, type Report, type Rows } from "./figures.ts";
import { runKernelBench } from "./kernel/main-kernel.ts";
import { runMnistBench } from "./mnist.ts";

const USAGE = `usage: npm run bench -- mnist|kernel|coordination|attest [--json]
  mnist         [--rounds 30] [--clients 2] [--combiners 1] [--seeds 5]
  coordination  [--rounds 300] [--clients 10] [--combiners 1]
  kernel        [--megabytes 100] [--runs 9]
  attest        [--runs 1000]`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string" },
    clients: { type: "string" },
    combiners: { type: "string", default: "1" },
    seeds: { type: "string", default: "5" },
    megabytes: { type: "string", default: "100" },
    runs: { type: "string" },
  },
});

const output = processOutput(process.env);
const log = (line: string): void => void process.stderr.write(`${line}\n`);

run(positionals[0]).then(
  (report) => {
    if (report === undefined) {
      process.stderr.write(`${USAGE}\n`);
      process.exitCode = 2;
      return;
    }
    const figures: Figures = { ...report.figures, ...conditions() };
    const fields = Object.entries(figures).map(([name, value]) => [name, shown(value)] as const);
    for (const line of [...tableOf(report.rows), ...renderFields(fields)]) {
      process.stdout.write(`${line}\n`);
    }
    const json = report.rows === undefined ? figures : { ...figures, cases: report.rows };
    if (values.json) process.stdout.write(`${JSON.stringify(json)}\n`);
  },
  (error: unknown) => {
    log(error instanceof Error ? error.message : "the bench failed");
    process.exitCode = 1;
  },
);

async function run(name: string | undefined): Promise<Report | undefined> {
  const combiners = count(values.combiners);
  switch (name) {
    case "mnist": {
      const rounds = count(values.rounds ?? "30");
      const clients = count(values.clients ?? "2");
      const seeds = count(values.seeds);
      const options = { rounds, clients, combiners, seeds, context: context(), log };
      return { figures: await runMnistBench(options) };
    }
    case "coordination": {
      const rounds = count(values.rounds ?? "300");
      const clients = count(values.clients ?? "10");
      const options = { clients, combiners, rounds, bundleDirectory: __dirname, log };
      return { figures: await runCoordinationBench(options) };
    }
    case "kernel":
      return { figures: await kernelFigures(count(values.runs ?? "9")) };
    case "attest":
      return runAttestBench({ runs: count(values.runs ?? "1000"), log });
    default:
      return undefined;
  }
}

async function kernelFigures(runs: number): Promise<Figures> {
  const sizeBytes = count(values.megabytes) * 1_000_000;
  const result = await runKernelBench({ json: true, sizeBytes, runs, log });
  const named = result.figures.flatMap(({ name, gigabytesPerSecond, ofMemcpy, ofC }) => [
    [`${name}, GB/s`, gigabytesPerSecond] as const,
    [`${name}, of memcpy`, ofMemcpy] as const,
    ...(ofC === undefined ? [] : [[`${name}, of the C loop`, ofC] as const]),
  ]);
  return { bench: "kernel", runs, sizeBytes, ...Object.fromEntries(named) };
}

/** A line for each case, and an empty one below. */
function tableOf(rows: Rows | undefined): string[] {
  const entries = Object.entries(rows ?? {});
  const [first] = entries;
  if (first === undefined) return [];
  const names = Object.keys(first[1]);
  const columns = names.map((title) => ({ title, align: "right" as const }));
  const cells = entries.map(([name, row]) => [name, ...names.map((each) => shown(row[each]))]);
  return [...renderTable([{ title: "" }, ...columns], cells), ""];
}

function context(): CommandContext {
  return {
    ...output,
    environment: process.env,
    clock: systemClock(),
    randomness: systemRandomness,
    bundleDirectory: __dirname,
    signal: new AbortController().signal,
  };
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${text} is no count\n${USAGE}`);
  return value;
}

const shown = (value: Figures[string] | undefined): string =>
  typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value ?? "");
