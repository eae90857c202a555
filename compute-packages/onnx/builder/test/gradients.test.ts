import { expect, test } from "vitest";
import {
  type Batch,
  type Parameters,
  referenceGradient,
  referenceLoss,
} from "../../testing/reference-network.ts";
import {
  openStep,
  type ProximalTerm,
  randomBatch,
  randomParameters,
} from "../../testing/run-step.ts";
import { SMALL_NETWORK } from "../../testing/small-package.ts";
import type { Layer, Network } from "../network.ts";

/** float32 in the graph against float64 differences: 1e-6 at worst when measured; wrong terms are off by far more. */
const MAX_RELATIVE_ERROR = 2e-6;
/** Gradients smaller than this are compared by their absolute error. */
const SMALL_GRADIENT = 0.1;

const dense = (name: string, inputs: number, outputs: number): Layer => ({
  kind: "dense",
  name,
  inputs,
  outputs,
});
const dropout = (name: string, width: number, keepPer256: number): Layer => ({
  kind: "dropout",
  name,
  width,
  keepPer256,
});
const relu: Layer = { kind: "relu" };

const convolution = (
  name: string,
  inputs: number,
  outputs: number,
  kernel: number,
  padding: number,
): Layer => ({
  kind: "convolution",
  name,
  inputs,
  outputs,
  kernel,
  padding,
});
const gru = (name: string, inputs: number, outputs: number): Layer => ({
  kind: "gru",
  name,
  inputs,
  outputs,
});
const pool = (size: number): Layer => ({ kind: "max-pool", size });
const reshape = (...shape: number[]): Layer => ({ kind: "reshape", shape });

const withLayers = (...layers: Layer[]): Network => ({ ...SMALL_NETWORK, layers });

/** Features of this shape, which stand in the data as rows. */
function image(shape: readonly number[], ...layers: Layer[]): Network {
  const features = {
    ...SMALL_NETWORK.features,
    width: shape.reduce((a, b) => a * b),
  };
  return { ...SMALL_NETWORK, features, layers: [reshape(...shape), ...layers] };
}

const cases: readonly (readonly [what: string, network: Network, batchSize: number])[] = [
  ["one dense layer", withLayers(dense("a", 3, 3)), 5],
  ["one example", withLayers(dense("a", 3, 3)), 1],
  ["two dense layers", withLayers(dense("a", 3, 4), dense("b", 4, 3)), 5],
  ["ReLU between", withLayers(dense("a", 3, 6), relu, dense("b", 6, 3)), 7],
  ["dropout between", withLayers(dense("a", 3, 6), dropout("m", 6, 128), dense("b", 6, 3)), 7],
  ["dropout in front", withLayers(dropout("m", 3, 200), dense("a", 3, 3)), 7],
  ["ReLU in front", withLayers(relu, dense("a", 3, 3)), 7],
  [
    "dropout twice",
    withLayers(dense("a", 3, 5), dropout("m", 5, 64), relu, dropout("n", 5, 192), dense("b", 5, 3)),
    9,
  ],
  ["every kind of layer", SMALL_NETWORK, 8],
  [
    "bytes as features, int64 labels",
    {
      ...SMALL_NETWORK,
      features: { ...SMALL_NETWORK.features, dtype: "U8", divideBy: 255 },
      label: { name: "y", dtype: "I64" },
    },
    8,
  ],
  [
    "a convolution",
    image([1, 5, 4], convolution("c", 1, 3, 3, 0), reshape(18), dense("d", 18, 3)),
    3,
  ],
  [
    "a convolution with padding, over channels",
    image([2, 3, 4], convolution("c", 2, 3, 3, 1), reshape(36), dense("d", 36, 3)),
    3,
  ],
  [
    "a convolution that gives the classes",
    image([2, 3, 4], convolution("c", 2, 3, 3, 0), reshape(6), dense("d", 6, 3)),
    1,
  ],
  [
    "convolutions, one behind the other",
    image(
      [1, 4, 3],
      convolution("c", 1, 2, 3, 2),
      relu,
      convolution("e", 2, 1, 4, 1),
      reshape(20),
      dense("d", 20, 3),
    ),
    2,
  ],
  [
    "a kernel of one",
    image(
      [2, 2, 2],
      convolution("c", 2, 2, 1, 0),
      convolution("e", 2, 2, 1, 0),
      reshape(8),
      dense("d", 8, 3),
    ),
    3,
  ],
  [
    "max pooling",
    image([2, 4, 6], convolution("c", 2, 2, 3, 1), pool(2), reshape(12), dense("d", 12, 3)),
    3,
  ],
  ["max pooling in front", image([1, 4, 6], pool(2), reshape(6), dense("d", 6, 3)), 3],
  [
    "the kind of network that reads digits, from bytes",
    {
      ...image(
        [1, 8, 8],
        convolution("c", 1, 2, 3, 1),
        pool(2),
        relu,
        convolution("e", 2, 3, 3, 1),
        pool(2),
        relu,
        reshape(12),
        dropout("m", 12, 192),
        dense("d", 12, 3),
      ),
      features: { name: "x", dtype: "U8", width: 64, divideBy: 255 },
    },
    4,
  ],
  [
    "dropout in front of a convolution",
    image(
      [1, 12, 1],
      reshape(12),
      dropout("m", 12, 64),
      reshape(1, 3, 4),
      convolution("c", 1, 2, 2, 0),
      reshape(12),
      dense("d", 12, 3),
    ),
    3,
  ],
  ["a recurrent unit", image([4, 2], gru("g", 2, 3)), 3],
  ["a recurrent unit over one step", image([1, 2], gru("g", 2, 2), dense("d", 2, 3)), 2],
  [
    "a recurrent unit behind a layer that learns",
    image([3, 2], reshape(6), dense("d", 6, 6), reshape(3, 2), gru("g", 2, 3)),
    2,
  ],
  ["int32 labels", { ...SMALL_NETWORK, label: { name: "y", dtype: "I32" } }, 8],
];

test.each(cases)(
  "%s: a step descends by the gradient of the loss",
  async (_what, network, size) => {
    const batch = randomBatch(network, size);
    const parameters = randomParameters(network, "parameters");
    const step = await gradientStep(network, parameters, batch, undefined);
    expect(Math.abs(step.loss - referenceLoss(network, parameters, batch))).toBeLessThan(1e-6);
    expectGradient(step.gradient, referenceGradient(network, parameters, batch));
  },
);

test.each(cases)("%s: a proximal step adds mu (w - w0)", async (_what, network, size) => {
  const batch = randomBatch(network, size);
  const parameters = randomParameters(network, "parameters");
  const global = randomParameters(network, "global");
  const mu = 0.375;
  const step = await gradientStep(network, parameters, batch, { mu, global });
  const gradient = referenceGradient(network, parameters, batch);
  for (const [name, values] of gradient) {
    values.forEach((value, index) => {
      const drift = parameters.get(name)![index]! - global.get(name)![index]!;
      values[index] = value + mu * drift;
    });
  }
  expectGradient(step.gradient, gradient);
});

function expectGradient(seen: Parameters, wanted: Parameters): void {
  expect([...seen.keys()].sort()).toEqual([...wanted.keys()].sort());
  let worst = 0;
  for (const [name, values] of wanted) {
    values.forEach((value, index) => {
      const error = Math.abs(seen.get(name)![index]! - value);
      worst = Math.max(worst, error / Math.max(Math.abs(value), SMALL_GRADIENT));
    });
  }
  expect(worst).toBeLessThan(MAX_RELATIVE_ERROR);
}

/** One step of plain SGD with learning rate 1: w - w' is then the gradient. */
async function gradientStep(
  network: Network,
  parameters: Parameters,
  batch: Batch,
  proximal: ProximalTerm | undefined,
): Promise<{ readonly loss: number; readonly gradient: Parameters }> {
  const step = await openStep(network, { hyperparameters: { learningRate: 1 }, proximal });
  const { loss, next } = await step.run(parameters, batch);
  await step.close();
  const gradient = new Map(
    [...parameters].map(([name, values]) => [
      name,
      values.map((value, index) => value - next.get(name)![index]!),
    ]),
  );
  return { loss, gradient };
}
