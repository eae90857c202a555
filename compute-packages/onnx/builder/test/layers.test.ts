import { expect, test } from "vitest";
import { gateGraph } from "../../gate.ts";
import { stepContract } from "../../graph-contract.ts";
import { openStep, randomBatch, randomParameters, stepManifest } from "../../testing/run-step.ts";
import { BuilderError } from "../builder-error.ts";
import type { Layer, Network } from "../network.ts";
import { buildEvaluationGraph, buildStepGraph } from "../step-graph.ts";

const network = (width: number, layers: readonly Layer[]): Network => ({
  features: { name: "x", dtype: "F32", width, divideBy: 1 },
  label: { name: "y", dtype: "U8" },
  layers,
  classCount: 2,
});
const reshape = (...shape: number[]): Layer => ({ kind: "reshape", shape });
const dense = (inputs: number): Layer => ({ kind: "dense", name: "d", inputs, outputs: 2 });
const convolution = (kernel: number, padding: number, inputs = 1): Layer => ({
  kind: "convolution",
  name: "c",
  inputs,
  outputs: 1,
  kernel,
  padding,
});
const pool = (size: number): Layer => ({ kind: "max-pool", size });

test.each([
  ["all four are equal", [5, 5, 5, 5], 0],
  ["the last two are", [1, 2, 5, 5], 2],
  ["two over a corner are", [1, 5, 5, 2], 1],
  ["the first and the last are", [5, 1, 1, 5], 0],
])(
  "of equal numbers in a square the first has the whole gradient: %s",
  async (_what, square, first) => {
    // Two channels: the first is pooled, the second, of which nothing is used, marks the places.
    const marks = [1, 10, 100, 1000];
    const layers = [reshape(2, 2, 2), convolution(1, 0, 2), pool(2), reshape(1), dense(1)];
    const net = network(8, layers);
    const parameters = new Map([
      ["c.weight", Float64Array.of(1, 0)],
      ["c.bias", Float64Array.of(0)],
      ["d.weight", Float64Array.of(1, -1)],
      ["d.bias", Float64Array.of(0, 0)],
    ]);
    const batch = { features: [[...square, ...marks]], labels: [1], masks: new Map() };
    const step = await openStep(net, { hyperparameters: { learningRate: 1 } });
    const { next } = await step.run(parameters, batch);
    await step.close();
    // The gradient of the bias is what arrives, that of the second weight the same times the mark of its place.
    const arrived = -next.get("c.bias")![0]!;
    expect(Math.abs(arrived)).toBeGreaterThan(0.1);
    expect(-next.get("c.weight")![1]! / arrived).toBeCloseTo(marks[first]!, 2);
  },
);

test("the same step gives the same bits", async () => {
  const layers = [reshape(1, 8, 8), convolution(3, 1), pool(2), { kind: "relu" } as const];
  const net: Network = {
    ...network(64, [...layers, reshape(16), dense(16)]),
    optimizer: "adam",
  };
  const hyperparameters = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-6 };
  const run = async () => {
    const step = await openStep(net, { hyperparameters });
    let state = randomParameters(net, "parameters");
    for (let count = 0; count < 4; count++) {
      state = (await step.run(state, randomBatch(net, 16, `batch ${count}`))).next;
    }
    await step.close();
    return state;
  };
  expect(await run()).toEqual(await run());
});

test("250 steps of a recurrent unit, with Adam and the proximal term, fit into the gate", () => {
  const layers: Layer[] = [
    { kind: "dense", name: "e", inputs: 1000, outputs: 1000 },
    reshape(250, 4),
    { kind: "gru", name: "g", inputs: 4, outputs: 8 },
    dense(8),
  ];
  const net: Network = { ...network(1000, layers), optimizer: "adam" };
  const graph = buildStepGraph(net, { isProximal: true });
  expect(gateGraph(graph, stepContract(stepManifest(net), true))).toEqual([]);
});

test.each<[string, Network, RegExp]>([
  ["a dense layer over other inputs", network(4, [dense(5)]), /dense d does not take \[4\]/],
  ["a dense layer over an image", network(4, [reshape(1, 2, 2), dense(4)]), /dense d .*\[1,2,2\]/],
  ["another number of elements", network(4, [reshape(1, 2, 3), dense(6)]), /reshape .*\[4\]/],
  ["a convolution over rows", network(4, [convolution(1, 0), dense(4)]), /convolution c/],
  [
    "a convolution over other channels",
    network(4, [reshape(1, 2, 2), convolution(1, 0, 2)]),
    /convolution c/,
  ],
  [
    "a kernel larger than the image",
    network(4, [reshape(1, 2, 2), convolution(3, 0)]),
    /convolution c/,
  ],
  [
    "padding as wide as the kernel",
    network(4, [reshape(1, 2, 2), convolution(1, 1)]),
    /convolution c/,
  ],
  ["padding below zero", network(9, [reshape(1, 3, 3), convolution(1, -1)]), /convolution c/],
  [
    "an output no wider than its padding",
    network(4, [reshape(1, 4, 1), convolution(3, 1)]),
    /convolution c/,
  ],
  ["squares that leave a rest", network(6, [reshape(1, 2, 3), pool(2)]), /max-pool/],
  ["squares larger than the image", network(4, [reshape(1, 2, 2), pool(3)]), /max-pool/],
  ["pooling over rows", network(4, [pool(1)]), /max-pool/],
  [
    "dropout of another width",
    network(4, [{ kind: "dropout", name: "m", width: 5, keepPer256: 1 }, dense(4)]),
    /dropout m/,
  ],
  [
    "a recurrent unit over rows",
    network(4, [{ kind: "gru", name: "g", inputs: 4, outputs: 2 }]),
    /gru g/,
  ],
  [
    "a recurrent unit over other inputs",
    network(6, [reshape(2, 3), { kind: "gru", name: "g", inputs: 2, outputs: 2 }]),
    /gru g/,
  ],
  ["an image where logits should be", network(4, [reshape(1, 2, 2)]), /last layer/],
  [
    "logits of other classes",
    network(4, [{ kind: "dense", name: "d", inputs: 4, outputs: 3 }]),
    /last layer gives \[3\], not 2 classes/,
  ],
])("no graph is written for %s", (_what, net, message) => {
  for (const build of [
    () => buildStepGraph(net, { isProximal: false }),
    () => buildEvaluationGraph(net),
  ]) {
    expect(build).toThrow(BuilderError);
    expect(build).toThrow(message);
  }
});
