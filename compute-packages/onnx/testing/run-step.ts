/** Step graphs run by themselves, through the gate as a package's would be, on numbers that float32 holds exactly. */
import { type OnnxManifest, validateManifest } from "../../format/manifest.ts";
import { declarations, hyperparameterNames, type Network } from "../builder/network.ts";
import { buildStepGraph } from "../builder/step-graph.ts";
import { gateGraph } from "../gate.ts";
import { globalName, LOSS, nextName, PROXIMAL_MU, stepContract } from "../graph-contract.ts";
import { createKeystream } from "../keystream.ts";
import { loadOrt, type OrtModule, SESSION_OPTIONS, type Tensor } from "../ort.ts";
import { type Feeds, floatsOf, scalarOf, tensorOf } from "../ort-tensor.ts";
import type { Batch, Parameters } from "./reference-network.ts";

export type ProximalTerm = { readonly mu: number; readonly global: Parameters };

export type StepOptions = {
  /** Every one of hyperparameterNames. */
  readonly hyperparameters: { readonly [name: string]: number };
  readonly proximal?: ProximalTerm | undefined;
};

/** A step graph; its local state is carried from each run to the next, from zero. */
export type OpenStep = {
  readonly run: (
    parameters: Parameters,
    batch: Batch,
  ) => Promise<{ readonly loss: number; readonly next: Parameters }>;
  readonly close: () => Promise<void>;
};

/** Opens the network's step graph, which the gate must let through. */
export async function openStep(network: Network, options: StepOptions): Promise<OpenStep> {
  const { hyperparameters, proximal } = options;
  const ort = await loadOrt();
  const { state, localState = {} } = declarations(network);
  const graph = buildStepGraph(network, { isProximal: proximal !== undefined });
  const reasons = gateGraph(graph, stepContract(stepManifest(network), proximal !== undefined));
  if (reasons.length > 0) throw new Error(JSON.stringify(reasons));
  const session = await ort.InferenceSession.create(graph, SESSION_OPTIONS);
  const tensor = (values: Parameters, name: string, shape: readonly number[]): Tensor => {
    const count = shape.reduce((a, b) => a * b, 1);
    const elements = Float32Array.from(values.get(name) ?? new Float32Array(count));
    return new ort.Tensor("float32", elements, shape);
  };
  let local: Parameters = new Map();
  return {
    run: async (parameters, batch) => {
      const feeds: { [name: string]: Tensor } = { ...batchFeeds(ort, network, batch) };
      for (const name of hyperparameterNames(network)) {
        feeds[name] = scalarOf(ort, hyperparameters[name] ?? Number.NaN);
      }
      for (const [name, { shape }] of Object.entries(state)) {
        feeds[name] = tensor(parameters, name, shape);
        if (proximal) feeds[globalName(name)] = tensor(proximal.global, name, shape);
      }
      if (proximal) feeds[PROXIMAL_MU] = scalarOf(ort, proximal.mu);
      for (const [name, { shape }] of Object.entries(localState)) {
        feeds[name] = tensor(local, name, shape);
      }
      const outputs = await session.run(feeds);
      const nextOf = (names: readonly string[]): Parameters =>
        new Map(names.map((name) => [name, Float64Array.from(floatsOf(outputs[nextName(name)]))]));
      local = nextOf(Object.keys(localState));
      return { loss: floatsOf(outputs[LOSS])[0] ?? Number.NaN, next: nextOf(Object.keys(state)) };
    },
    close: () => session.release(),
  };
}

/** A manifest for the network alone, batches of up to 16. */
export function stepManifest(network: Network): OnnxManifest {
  const { data, ...declared } = declarations(network);
  const manifest = validateManifest({
    kind: "fedclave/compute-package",
    version: 1,
    name: "one-step",
    runtime: "onnx",
    data,
    onnx: {
      ...declared,
      step: { graph: "a", proximalGraph: "b" },
      evaluation: { graph: "c", metrics: ["loss"] },
      hyperparameters: {
        batchSize: { default: 8, minimum: 1, maximum: 16 },
        localEpochs: { default: 1, minimum: 1, maximum: 1 },
        ...Object.fromEntries(
          hyperparameterNames(network).map((name) => [
            name,
            { default: 1, minimum: 0, maximum: 1 },
          ]),
        ),
      },
    },
  });
  if (manifest.runtime !== "onnx") throw new Error("not the manifest that was given");
  return manifest;
}

function batchFeeds(ort: OrtModule, network: Network, batch: Batch): Feeds {
  const { features, label } = network;
  const { data, masks } = declarations(network);
  const size = batch.labels.length;
  const shape = data[features.name]?.shape ?? [];
  const rows = dataTensor(ort, features.dtype, batch.features.flat(), [size, ...shape]);
  const feeds: { [name: string]: Tensor } = {
    [features.name]: rows,
    [label.name]: dataTensor(ort, label.dtype, batch.labels, [size]),
  };
  for (const [name, values] of batch.masks) {
    feeds[name] = dataTensor(ort, "U8", values.flat(), [size, ...(masks[name]?.shape ?? [])]);
  }
  return feeds;
}

function dataTensor(
  ort: OrtModule,
  dtype: "U8" | "I32" | "I64" | "F32",
  values: readonly number[],
  dims: readonly number[],
): Tensor {
  const arrays = {
    U8: () => Uint8Array.from(values),
    I32: () => Int32Array.from(values),
    I64: () => BigInt64Array.from(values, BigInt),
    F32: () => Float32Array.from(values),
  };
  return tensorOf(ort, dtype, new Uint8Array(arrays[dtype]().buffer), dims);
}

/** Uniform between -1 and 1. */
export function randomParameters(network: Network, purpose: string): Parameters {
  const stream = createKeystream(new Uint8Array(32), purpose, 0);
  return new Map(
    Object.entries(declarations(network).state).map(([name, spec]) => {
      const count = spec.shape.reduce((a, b) => a * b, 1);
      return [name, Float64Array.from({ length: count }, () => Math.fround(2 * stream.unit() - 1))];
    }),
  );
}

/** Features between -2 and 2, or any bytes. */
export function randomBatch(network: Network, size: number, purpose = "batch"): Batch {
  const stream = createKeystream(new Uint8Array(32), purpose, 0);
  const { data, masks } = declarations(network);
  const width = (shape: readonly number[] = []) => shape.reduce((a, b) => a * b, 1);
  const rows = <Value>(count: number, draw: () => Value) =>
    Array.from({ length: size }, () => Array.from({ length: count }, draw));
  const isByte = network.features.dtype === "U8";
  return {
    features: rows(width(data[network.features.name]?.shape), () =>
      isByte ? stream.below(256) : Math.fround(4 * stream.unit() - 2),
    ),
    labels: rows(1, () => stream.below(network.classCount)).flat(),
    masks: new Map(
      Object.entries(masks).map(([name, mask]) => [
        name,
        rows(width(mask.shape), () => (stream.below(256) < mask.keepPer256 ? 1 : 0)),
      ]),
    ),
  };
}
