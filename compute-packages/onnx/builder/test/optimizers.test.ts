import { expect, test } from "vitest";
import { gateGraph } from "../../gate.ts";
import { stepContract } from "../../graph-contract.ts";
import { type Parameters, referenceGradient } from "../../testing/reference-network.ts";
import {
  openStep,
  randomBatch,
  randomParameters,
  type StepOptions,
  stepManifest,
} from "../../testing/run-step.ts";
import { SMALL_NETWORK } from "../../testing/small-package.ts";
import { declarations, hyperparameterNames, type Network } from "../network.ts";
import { buildStepGraph } from "../step-graph.ts";

const STEP_COUNT = 5;
const BATCH_SIZE = 6;
/** float32 against float64 over the steps; a wrong or missing term is off by far more. */
const MAX_ERROR = 2e-5;

type Step = (weight: number, gradient: number, own: number[], step: number) => number;
type Given = StepOptions["hyperparameters"];

const rules: { readonly [kind: string]: (given: Given) => Step } = {
  sgd: (given) => (weight, gradient) => weight - given.learningRate! * gradient,
  momentum: (given) => (weight, gradient, own) => {
    own[0] = given.momentum! * (own[0] ?? 0) + gradient;
    return weight - given.learningRate! * own[0];
  },
  adam: (given) => (weight, gradient, own, step) => {
    const { beta1 = 0, beta2 = 0, epsilon = 0, learningRate = 0 } = given;
    own[0] = beta1 * (own[0] ?? 0) + (1 - beta1) * gradient;
    own[1] = beta2 * (own[1] ?? 0) + (1 - beta2) * gradient ** 2;
    const [first, second] = [own[0] / (1 - beta1 ** step), own[1] / (1 - beta2 ** step)];
    return weight - (learningRate * first) / (Math.sqrt(second) + epsilon);
  },
};

const adam = { learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 0.001 };

test.each<[string, Partial<Network>, Given, number]>([
  ["SGD", {}, { learningRate: 0.3 }, 0],
  ["SGD with weight decay", { hasWeightDecay: true }, { learningRate: 0.3, weightDecay: 0.25 }, 0],
  [
    "SGD with weight decay and proximal term",
    { hasWeightDecay: true },
    { learningRate: 0.3, weightDecay: 0.25 },
    0.5,
  ],
  ["momentum", { optimizer: "momentum" }, { learningRate: 0.2, momentum: 0.75 }, 0],
  [
    "momentum with proximal term",
    { optimizer: "momentum" },
    { learningRate: 0.2, momentum: 0.75 },
    0.5,
  ],
  [
    "momentum with weight decay and proximal term",
    { optimizer: "momentum", hasWeightDecay: true },
    { learningRate: 0.2, momentum: 0.75, weightDecay: 0.25 },
    0.5,
  ],
  ["Adam", { optimizer: "adam" }, adam, 0],
  ["Adam with proximal term", { optimizer: "adam" }, adam, 0.5],
  [
    "Adam with weight decay",
    { optimizer: "adam", hasWeightDecay: true },
    { ...adam, weightDecay: 0.25 },
    0,
  ],
])("%s takes the steps of its definition", async (_what, change, hyperparameters, mu) => {
  const network = { ...SMALL_NETWORK, ...change };
  const global = randomParameters(network, "global");
  const proximal = mu > 0 ? { mu, global } : undefined;
  const step = await openStep(network, { hyperparameters, proximal });
  const update = rules[network.optimizer ?? "sgd"]!(hyperparameters);
  const own = new Map(
    [...global].map(([name, values]) => [name, [...values].map((): number[] => [])]),
  );
  let seen: Parameters = randomParameters(network, "parameters");
  const wanted = randomParameters(network, "parameters");
  for (let count = 1; count <= STEP_COUNT; count++) {
    const batch = randomBatch(network, BATCH_SIZE, `batch ${count}`);
    for (const [name, gradient] of referenceGradient(network, wanted, batch)) {
      const values = wanted.get(name)!;
      gradient.forEach((slope, index) => {
        const value = values[index]!;
        const decay = (hyperparameters.weightDecay ?? 0) * value;
        const whole = slope + decay + mu * (value - global.get(name)![index]!);
        values[index] = update(value, whole, own.get(name)![index]!, count);
      });
    }
    seen = (await step.run(seen, batch)).next;
  }
  await step.close();
  const errors = [...wanted].flatMap(([name, values]) =>
    [...values].map((value, index) => Math.abs(value - seen.get(name)![index]!)),
  );
  expect(Math.max(...errors)).toBeLessThan(MAX_ERROR);
});

test("with the usual settings Adam's first step is the learning rate against each gradient's sign", async () => {
  const network: Network = { ...SMALL_NETWORK, optimizer: "adam" };
  const hyperparameters = { learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
  const parameters = randomParameters(network, "parameters");
  const batch = randomBatch(network, BATCH_SIZE);
  const step = await openStep(network, { hyperparameters });
  const { next } = await step.run(parameters, batch);
  await step.close();
  for (const [name, gradient] of referenceGradient(network, parameters, batch)) {
    gradient.forEach((slope, index) => {
      if (Math.abs(slope) < 1e-4) return;
      const change = next.get(name)![index]! - parameters.get(name)![index]!;
      expect(change).toBeCloseTo(-0.001 * Math.sign(slope), 6);
    });
  }
});

test("an optimizer's state is declared beside the model, never in it", () => {
  const plain = declarations(SMALL_NETWORK);
  expect(plain.localState).toBeUndefined();
  for (const optimizer of ["momentum", "adam"] as const) {
    const network: Network = { ...SMALL_NETWORK, optimizer };
    expect(declarations(network).state).toEqual(plain.state);
    const shapes = Object.values(declarations(network).localState!).map((each) => `${each.shape}`);
    const perState = Object.values(plain.state).map((each) => `${each.shape}`);
    expect(shapes.sort()).toEqual(
      (optimizer === "momentum" ? perState : [...perState, ...perState, "", ""]).sort(),
    );
  }
});

test("each optimizer names the hyperparameters it takes", () => {
  expect(hyperparameterNames(SMALL_NETWORK)).toEqual(["learningRate"]);
  expect(
    hyperparameterNames({ ...SMALL_NETWORK, optimizer: "adam", hasWeightDecay: true }),
  ).toEqual(["learningRate", "beta1", "beta2", "epsilon", "weightDecay"]);
});

test("a step that would send its moments as if they were the model's is refused", () => {
  const network: Network = { ...SMALL_NETWORK, optimizer: "momentum" };
  const graph = buildStepGraph(network, { isProximal: false });
  const silent = stepManifest(SMALL_NETWORK);
  expect(gateGraph(graph, stepContract(silent, false)).map((each) => each.code)).toContain(
    "graph-outputs-differ",
  );
});
