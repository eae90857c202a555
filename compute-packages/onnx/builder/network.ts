/** A sequential classifier as a value, and what follows from it without building a graph. */
import type { InputSpec, MaskSpec, StateSpec } from "../../format/manifest.ts";
import { layerState } from "./layer-state.ts";

/** Fully connected: output = input · weight + bias, weight of shape [inputs, outputs]. */
export type DenseLayer = {
  readonly kind: "dense";
  /** State tensors are `<name>.weight` and `<name>.bias`. */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
};
/**
 * A window of kernel × kernel numbers of each input channel, slid by one over [inputs, rows, columns] with zeros around:
 * [outputs, rows − kernel + 1 + 2 · padding, …]. State tensors as of a dense layer; weight of shape [outputs, inputs,
 * kernel, kernel], bias [outputs].
 */
export type ConvolutionLayer = {
  readonly kind: "convolution";
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  /** Zeros on each side, 0 to kernel − 1. */
  readonly padding: number;
};
/**
 * The largest of each size × size square, of which rows and columns must be multiples. Of equal numbers the first in
 * row-major order counts as the largest: it gets the whole gradient, the others none.
 */
export type MaxPoolLayer = { readonly kind: "max-pool"; readonly size: number };
/** The same numbers in another shape, without the example axis; between images and rows. */
export type ReshapeLayer = { readonly kind: "reshape"; readonly shape: readonly number[] };
/**
 * A gated recurrent unit over a sequence [steps, inputs]; gives its last hidden state, [outputs]. Gates as PyTorch has
 * them (r and z from input and hidden state; n = tanh(xW + b + r · (hU + c)); h' = (1 − z) · n + z · h, h = 0 at first),
 * side by side in the order r, z, n. State tensors: `<name>.input_weight` [inputs, 3 · outputs], `<name>.hidden_weight`
 * [outputs, 3 · outputs], `<name>.input_bias` and `<name>.hidden_bias` [3 · outputs].
 */
export type GruLayer = {
  readonly kind: "gru";
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
};
export type ReluLayer = { readonly kind: "relu" };
/** In training keeps each number with probability keepPer256/256 and scales it up by the inverse. */
export type DropoutLayer = {
  readonly kind: "dropout";
  /** Name of the mask input. */
  readonly name: string;
  readonly width: number;
  readonly keepPer256: number;
};
export type Layer =
  | DenseLayer
  | ConvolutionLayer
  | GruLayer
  | MaxPoolLayer
  | ReshapeLayer
  | ReluLayer
  | DropoutLayer;

/** What a step does with gradients; each kind takes hyperparameters, see hyperparameterNames. */
export type OptimizerKind = "sgd" | "momentum" | "adam";

/** Features → layers → log-softmax; trained on the mean negative log-likelihood of the label. */
export type Network = {
  /** One row per example; divided by `divideBy` > 0 before the first layer. */
  readonly features: {
    readonly name: string;
    readonly dtype: "U8" | "F32";
    readonly width: number;
    readonly divideBy: number;
  };
  /** One class index per example, 0 to classCount − 1. */
  readonly label: { readonly name: string; readonly dtype: "U8" | "I32" | "I64" };
  /** The last one is dense: its output is the logits. */
  readonly layers: readonly Layer[];
  /** Width of the last layer. */
  readonly classCount: number;
  /** "sgd" if it is left out. */
  readonly optimizer?: OptimizerKind;
  /** Whether weightDecay · w is added to each gradient: the penalty (weightDecay/2)‖w‖² on the loss, biases included. */
  readonly hasWeightDecay?: boolean;
};

/** Hyperparameter of every optimizer: the length of a step. */
export const LEARNING_RATE = "learningRate";
/** Hyperparameter of "momentum": the share of the last step's velocity that is kept. */
export const MOMENTUM = "momentum";
/** Hyperparameters of "adam": the shares of the moments that are kept, and what keeps a quotient finite. */
export const [BETA1, BETA2, EPSILON] = ["beta1", "beta2", "epsilon"] as const;
/** Hyperparameter of networks with hasWeightDecay. */
export const WEIGHT_DECAY = "weightDecay";

/** Local state of "momentum", per state tensor. */
export const momentumName = (state: string): string => `${state}.momentum`;
/** Local state of "adam", per state tensor: running means of the gradient and of its square. */
export const firstMomentName = (state: string): string => `${state}.first_moment`;
/** See firstMomentName. */
export const secondMomentName = (state: string): string => `${state}.second_moment`;
/** Local state of "adam", scalars: how much of a mean its samples make up, 1 − βᵗ. */
export const [FIRST_WEIGHT, SECOND_WEIGHT] = ["adam.first_weight", "adam.second_weight"] as const;

/** The hyperparameters that a manifest for this network declares besides batchSize and localEpochs. */
export function hyperparameterNames(network: Network): readonly string[] {
  const own = { sgd: [], momentum: [MOMENTUM], adam: [BETA1, BETA2, EPSILON] };
  const decay = network.hasWeightDecay === true ? [WEIGHT_DECAY] : [];
  return [LEARNING_RATE, ...own[network.optimizer ?? "sgd"], ...decay];
}

function localState(
  network: Network,
  state: readonly [string, StateSpec][],
): readonly [string, StateSpec][] {
  const scalar: StateSpec = { dtype: "F32", shape: [] };
  switch (network.optimizer ?? "sgd") {
    case "sgd":
      return [];
    case "momentum":
      return state.map(([name, spec]) => [momentumName(name), spec]);
    case "adam":
      return [
        ...state.map(([name, spec]): [string, StateSpec] => [firstMomentName(name), spec]),
        ...state.map(([name, spec]): [string, StateSpec] => [secondMomentName(name), spec]),
        [FIRST_WEIGHT, scalar],
        [SECOND_WEIGHT, scalar],
      ];
  }
}

/** The `data`, `state`, `localState` (if there is any) and `masks` that a manifest for this network declares. */
export function declarations(network: Network): {
  readonly data: { readonly [name: string]: InputSpec };
  readonly state: { readonly [name: string]: StateSpec };
  readonly localState?: { readonly [name: string]: StateSpec };
  readonly masks: { readonly [name: string]: MaskSpec };
} {
  const { features, label, layers } = network;
  const state = layers
    .flatMap(layerState)
    .map(({ name, shape }): [string, StateSpec] => [name, { dtype: "F32", shape }]);
  const local = localState(network, state);
  const masks = layers
    .filter((layer) => layer.kind === "dropout")
    .map(({ name, width, keepPer256 }): [string, MaskSpec] => [
      name,
      { shape: [width], keepPer256 },
    ]);
  return {
    data: {
      [features.name]: { dtype: features.dtype, shape: [features.width] },
      [label.name]: { dtype: label.dtype, shape: [] },
    },
    state: Object.fromEntries(state),
    ...(local.length === 0 ? {} : { localState: Object.fromEntries(local) }),
    masks: Object.fromEntries(masks),
  };
}
