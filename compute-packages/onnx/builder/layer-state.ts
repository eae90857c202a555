/** The tensors that a layer learns. */
import type { ConvolutionLayer, DenseLayer, GruLayer, Layer } from "./network.ts";

export type StateTensor = {
  readonly name: string;
  readonly shape: readonly number[];
  /** A seed model draws it uniformly from ± 1/√fanIn. */
  readonly fanIn: number;
};

/** Weight and bias of a layer that has one of each. */
export function weightAndBias(
  layer: DenseLayer | ConvolutionLayer,
): readonly [weight: StateTensor, bias: StateTensor] {
  const { name, inputs, outputs } = layer;
  const [shape, fanIn] =
    layer.kind === "dense"
      ? [[inputs, outputs], inputs]
      : [[outputs, inputs, layer.kernel, layer.kernel], inputs * layer.kernel ** 2];
  return [
    { name: `${name}.weight`, shape, fanIn },
    { name: `${name}.bias`, shape: [outputs], fanIn },
  ];
}

/** Weights and biases of a gated recurrent unit, on the input and on the hidden state. */
export function gruState(layer: GruLayer): {
  readonly [part in "inputWeight" | "hiddenWeight" | "inputBias" | "hiddenBias"]: StateTensor;
} {
  const { name, inputs, outputs } = layer;
  const gates = 3 * outputs;
  const part = (suffix: string, shape: readonly number[]): StateTensor => ({
    name: `${name}.${suffix}`,
    shape,
    fanIn: outputs,
  });
  return {
    inputWeight: part("input_weight", [inputs, gates]),
    hiddenWeight: part("hidden_weight", [outputs, gates]),
    inputBias: part("input_bias", [gates]),
    hiddenBias: part("hidden_bias", [gates]),
  };
}

/** Everything a layer learns; nothing for most kinds. */
export function layerState(layer: Layer): readonly StateTensor[] {
  switch (layer.kind) {
    case "dense":
    case "convolution":
      return weightAndBias(layer);
    case "gru":
      return Object.values(gruState(layer));
    case "max-pool":
    case "reshape":
    case "relu":
    case "dropout":
      return [];
  }
}
