import { spawnSync } from "node:child_process";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import {
  openStep,
  randomBatch,
  randomParameters,
  type StepOptions,
} from "../../testing/run-step.ts";
import { SMALL_NETWORK } from "../../testing/small-package.ts";
import { declarations, type Layer, type Network } from "../network.ts";

const script = path.resolve(import.meta.dirname, "../../testing/torch-oracle.py");
const python = ["python3", "/usr/bin/python3"].find(
  (each) => spawnSync(each, ["-c", "import torch"]).status === 0,
);
if (python === undefined)
  console.warn("SKIPPED: no python3 with torch, so training is not compared with PyTorch's");

const STEP_COUNT = 6;
/** float32 against PyTorch in float64. */
const MAX_ERROR = 2e-5;

const convolution = (name: string, inputs: number, outputs: number, padding: number): Layer => ({
  kind: "convolution",
  name,
  inputs,
  outputs,
  kernel: 3,
  padding,
});

/** Convolutions, pooling, ReLU and dropout over images of 10 × 8 in bytes: many sums are equal, many below zero. */
const DIGITS: Network = {
  features: { name: "x", dtype: "U8", width: 80, divideBy: 255 },
  label: { name: "y", dtype: "U8" },
  layers: [
    { kind: "reshape", shape: [1, 10, 8] },
    convolution("c", 1, 4, 1),
    { kind: "relu" },
    { kind: "max-pool", size: 2 },
    convolution("e", 4, 3, 2),
    { kind: "max-pool", size: 1 },
    { kind: "relu" },
    { kind: "reshape", shape: [126] },
    { kind: "dropout", name: "m", width: 126, keepPer256: 192 },
    { kind: "dense", name: "d", inputs: 126, outputs: 5 },
  ],
  classCount: 5,
};

/** A sequence of five steps through a recurrent unit. */
const SEQUENCE: Network = {
  features: { name: "x", dtype: "F32", width: 15, divideBy: 2 },
  label: { name: "y", dtype: "U8" },
  layers: [
    { kind: "reshape", shape: [5, 3] },
    { kind: "gru", name: "g", inputs: 3, outputs: 4 },
    { kind: "dense", name: "d", inputs: 4, outputs: 3 },
  ],
  classCount: 3,
};

const momentum = { learningRate: 0.05, momentum: 0.9 };
const adam = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

const cases: readonly (readonly [string, Network, StepOptions["hyperparameters"], number])[] = [
  ["dense layers by SGD", SMALL_NETWORK, { learningRate: 0.1 }, 0],
  ["convolutions by SGD", DIGITS, { learningRate: 0.1 }, 0],
  [
    "convolutions by SGD with weight decay and proximal term",
    { ...DIGITS, hasWeightDecay: true },
    { learningRate: 0.1, weightDecay: 0.125 },
    0.5,
  ],
  [
    "convolutions by momentum with weight decay and proximal term",
    { ...DIGITS, optimizer: "momentum", hasWeightDecay: true },
    { ...momentum, weightDecay: 0.125 },
    0.5,
  ],
  ["a recurrent unit by SGD", SEQUENCE, { learningRate: 0.1 }, 0],
  ["a recurrent unit by Adam", { ...SEQUENCE, optimizer: "adam" }, adam, 0.5],
  ["convolutions by Adam", { ...DIGITS, optimizer: "adam" }, adam, 0],
  [
    "convolutions by Adam with weight decay and proximal term",
    { ...DIGITS, optimizer: "adam", hasWeightDecay: true },
    { ...adam, weightDecay: 0.125 },
    0.5,
  ],
];

const batchesOf = (network: Network) =>
  Array.from({ length: STEP_COUNT }, (_, step) => randomBatch(network, 7, `batch ${step}`));

describe.skipIf(python === undefined)("PyTorch trains to the same numbers", () => {
  let oracle: readonly { readonly [name: string]: readonly number[] }[];

  beforeAll(() => {
    const input = cases.map(([, network, hyperparameters, mu]) => ({
      network,
      hyperparameters,
      mu,
      parameters: Object.fromEntries(
        [...randomParameters(network, "parameters")].map(([name, values]) => [
          name,
          { values: [...values], shape: declarations(network).state[name]!.shape },
        ]),
      ),
      batches: batchesOf(network).map((batch) => ({
        ...batch,
        masks: Object.fromEntries(batch.masks),
      })),
    }));
    const run = spawnSync(python!, [script], { input: JSON.stringify(input), maxBuffer: 2 ** 26 });
    oracle = JSON.parse(run.stdout.toString() || `"${run.stderr}"`);
  }, 120_000);

  test.each(cases.map((each, index) => [...each, index] as const))(
    "%s",
    async (_what, network, hyperparameters, mu, index) => {
      const global = randomParameters(network, "parameters");
      const proximal = mu > 0 ? { mu, global } : undefined;
      const step = await openStep(network, { hyperparameters, proximal });
      let state = global;
      for (const batch of batchesOf(network)) state = (await step.run(state, batch)).next;
      await step.close();
      const wanted = oracle[index]!;
      expect(Object.keys(wanted).sort()).toEqual([...state.keys()].sort());
      const errors = [...state].flatMap(([name, values]) =>
        [...values].map((value, at) => Math.abs(value - wanted[name]![at]!)),
      );
      expect(Math.max(...errors)).toBeLessThan(MAX_ERROR);
    },
  );
});
