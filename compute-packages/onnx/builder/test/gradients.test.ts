import { expect, test } from "vitest";
import { type OnnxManifest, validateManifest } from "../../../format/manifest.ts";
import { gateGraph } from "../../gate.ts";
import { globalName, LOSS, nextName, PROXIMAL_MU, stepContract } from "../../graph-contract.ts";
import { createKeystream } from "../../keystream.ts";
import { loadOrt, SESSION_OPTIONS } from "../../ort.ts";
import { floatsOf, scalarOf, tensorOf } from "../../ort-tensor.ts";
import {
  type Batch,
  type Parameters,
  referenceGradient,
  referenceLoss,
} from "../../testing/reference-network.ts";
import { SMALL_NETWORK } from "../../testing/small-package.ts";
import { declarations, type Layer, LEARNING_RATE, type Network } from "../network.ts";
import { buildStepGraph } from "../step-graph.ts";

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

const withLayers = (...layers: Layer[]): Network => ({ ...SMALL_NETWORK, layers });

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
  ["int32 labels", { ...SMALL_NETWORK, label: { name: "y", dtype: "I32" } }, 8],
];

test.each(cases)(
  "%s: a step descends by the gradient of the loss",
  async (_what, network, size) => {
    const batch = randomBatch(network, size);
    const parameters = randomParameters(network, "parameters");
    const step = await runStep(network, parameters, batch, undefined);
    expect(Math.abs(step.loss - referenceLoss(network, parameters, batch))).toBeLessThan(1e-6);
    expectGradient(step.gradient, referenceGradient(network, parameters, batch));
  },
);

test.each(cases)("%s: a proximal step adds mu (w - w0)", async (_what, network, size) => {
  const batch = randomBatch(network, size);
  const parameters = randomParameters(network, "parameters");
  const global = randomParameters(network, "global");
  const mu = 0.375;
  const step = await runStep(network, parameters, batch, { mu, global });
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

/** One step with learning rate 1, through the gate as a package's would be; w - w' is then the gradient. */
async function runStep(
  network: Network,
  parameters: Parameters,
  batch: Batch,
  proximal: { readonly mu: number; readonly global: Parameters } | undefined,
): Promise<{ readonly loss: number; readonly gradient: Parameters }> {
  const ort = await loadOrt();
  const declared = declarations(network);
  const graph = buildStepGraph(network, { isProximal: proximal !== undefined });
  const contract = stepContract(manifestOf(network), proximal !== undefined);
  expect(gateGraph(graph, contract)).toEqual([]);

  const size = batch.labels.length;
  const state = (values: Parameters, name: string) =>
    new ort.Tensor("float32", Float32Array.from(values.get(name)!), declared.state[name]!.shape);
  const feeds = {
    [network.features.name]: dataTensor(ort, network.features.dtype, batch.features.flat(), [
      size,
      3,
    ]),
    [network.label.name]: dataTensor(ort, network.label.dtype, batch.labels, [size]),
    [LEARNING_RATE]: scalarOf(ort, 1),
    ...Object.fromEntries(
      [...batch.masks].map(([name, rows]) => [
        name,
        dataTensor(ort, "U8", rows.flat(), [size, rows[0]!.length]),
      ]),
    ),
    ...Object.fromEntries(
      Object.keys(declared.state).map((name) => [name, state(parameters, name)]),
    ),
  };
  if (proximal) {
    feeds[PROXIMAL_MU] = scalarOf(ort, proximal.mu);
    for (const name of Object.keys(declared.state)) {
      feeds[globalName(name)] = state(proximal.global, name);
    }
  }
  const session = await ort.InferenceSession.create(graph, SESSION_OPTIONS);
  const outputs = await session.run(feeds);
  await session.release();
  const gradient = new Map(
    [...parameters].map(([name, values]) => {
      const next = floatsOf(outputs[nextName(name)]);
      return [name, values.map((value, index) => value - next[index]!)];
    }),
  );
  return { loss: floatsOf(outputs[LOSS])[0]!, gradient };
}

function dataTensor(
  ort: Awaited<ReturnType<typeof loadOrt>>,
  dtype: "U8" | "I32" | "I64" | "F32",
  values: readonly number[],
  dims: readonly number[],
) {
  const arrays = {
    U8: () => Uint8Array.from(values),
    I32: () => Int32Array.from(values),
    I64: () => BigInt64Array.from(values, BigInt),
    F32: () => Float32Array.from(values),
  };
  return tensorOf(ort, dtype, new Uint8Array(arrays[dtype]().buffer), dims);
}

function manifestOf(network: Network): OnnxManifest {
  const manifest = validateManifest({
    kind: "fedclave/compute-package",
    version: 1,
    name: "gradients",
    runtime: "onnx",
    data: declarations(network).data,
    onnx: {
      step: { graph: "a", proximalGraph: "b" },
      evaluation: { graph: "c", metrics: ["loss"] },
      state: declarations(network).state,
      masks: declarations(network).masks,
      hyperparameters: {
        batchSize: { default: 8, minimum: 1, maximum: 16 },
        localEpochs: { default: 1, minimum: 1, maximum: 1 },
        [LEARNING_RATE]: { default: 1, minimum: 0, maximum: 1 },
      },
    },
  });
  if (manifest.runtime !== "onnx") throw new Error("not the manifest that was given");
  return manifest;
}

/** Values that float32 holds exactly, so that both sides start from the same point. */
function randomParameters(network: Network, purpose: string): Parameters {
  const stream = createKeystream(new Uint8Array(32), purpose, 0);
  return new Map(
    Object.entries(declarations(network).state).map(([name, spec]) => {
      const count = spec.shape.reduce((a, b) => a * b, 1);
      return [name, Float64Array.from({ length: count }, () => Math.fround(2 * stream.unit() - 1))];
    }),
  );
}

function randomBatch(network: Network, size: number): Batch {
  const stream = createKeystream(new Uint8Array(32), "batch", 0);
  const rows = <Value>(width: number, draw: () => Value) =>
    Array.from({ length: size }, () => Array.from({ length: width }, draw));
  const isByte = network.features.dtype === "U8";
  return {
    features: rows(3, () => (isByte ? stream.below(256) : Math.fround(4 * stream.unit() - 2))),
    labels: rows(1, () => stream.below(3)).flat(),
    masks: new Map(
      network.layers
        .filter((layer) => layer.kind === "dropout")
        .map((layer) => [
          layer.name,
          rows(layer.width, () => (stream.below(256) < layer.keepPer256 ? 1 : 0)),
        ]),
    ),
  };
}
