/** A sequential classifier as a value, and what follows from it without building a graph. */
import type { InputSpec, MaskSpec, StateSpec } from "../../format/manifest.ts";

/** Fully connected: output = input · weight + bias, weight of shape [inputs, outputs]. */
export type DenseLayer = {
  readonly kind: "dense";
  /** State tensors are `<name>.weight` and `<name>.bias`. */
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
export type Layer = DenseLayer | ReluLayer | DropoutLayer;

/** Features → layers → log-softmax; trained by SGD on the mean negative log-likelihood of the label. */
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
};

/** Name of the hyperparameter that both builders and manifests use for SGD's step. */
export const LEARNING_RATE = "learningRate";

/** State tensor of a dense layer, [inputs, outputs]. */
export const weightName = (layer: DenseLayer): string => `${layer.name}.weight`;
/** State tensor of a dense layer, [outputs]. */
export const biasName = (layer: DenseLayer): string => `${layer.name}.bias`;

/** The layers that have state, in order. */
export const denseLayers = (network: Network): readonly DenseLayer[] =>
  network.layers.filter((layer) => layer.kind === "dense");

/** The `data`, `state` and `masks` that a manifest for this network declares. */
export function declarations(network: Network): {
  readonly data: { readonly [name: string]: InputSpec };
  readonly state: { readonly [name: string]: StateSpec };
  readonly masks: { readonly [name: string]: MaskSpec };
} {
  const { features, label, layers } = network;
  const state = denseLayers(network).flatMap((layer): [string, StateSpec][] => [
    [weightName(layer), { dtype: "F32", shape: [layer.inputs, layer.outputs] }],
    [biasName(layer), { dtype: "F32", shape: [layer.outputs] }],
  ]);
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
    masks: Object.fromEntries(masks),
  };
}
