/** The forward pass of a Network in plain float64, written apart from the builder, and gradients by differences. */
import type { Network } from "../builder/network.ts";

export type Parameters = ReadonlyMap<string, Float64Array>;
export type Batch = {
  /** Row-major, as they stand in the data. */
  readonly features: readonly (readonly number[])[];
  readonly labels: readonly number[];
  /** By dropout layer: one row of 0 and 1 per example. */
  readonly masks: ReadonlyMap<string, readonly (readonly number[])[]>;
};

/** Mean negative log-likelihood of the batch. */
export function referenceLoss(network: Network, parameters: Parameters, batch: Batch): number {
  const losses = batch.features.map((row, example) => {
    const logits = forward(network, parameters, batch, row, example);
    const largest = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
    return Math.log(sum) + largest - (logits[batch.labels[example] ?? -1] ?? 0);
  });
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}

function forward(
  network: Network,
  parameters: Parameters,
  batch: Batch,
  row: readonly number[],
  example: number,
): readonly number[] {
  let values = row.map((value) => value / network.features.divideBy);
  for (const layer of network.layers) {
    if (layer.kind === "relu") values = values.map((value) => Math.max(value, 0));
    if (layer.kind === "dropout") {
      const mask = batch.masks.get(layer.name)?.[example];
      const keep = layer.keepPer256 / 256;
      if (mask) values = values.map((value, index) => (mask[index] === 1 ? value / keep : 0));
    }
    if (layer.kind === "dense") {
      const weight = parameters.get(`${layer.name}.weight`);
      const bias = parameters.get(`${layer.name}.bias`);
      const input = values;
      values = Array.from({ length: layer.outputs }, (_, out) =>
        input.reduce(
          (sum, value, index) => sum + value * (weight?.[index * layer.outputs + out] ?? 0),
          bias?.[out] ?? 0,
        ),
      );
    }
  }
  return values;
}

/** Central differences of the loss, one parameter at a time. */
export function referenceGradient(
  network: Network,
  parameters: Parameters,
  batch: Batch,
  step = 2e-5,
): Parameters {
  return new Map(
    [...parameters].map(([name, values]) => {
      const gradient = values.map((value, index) => {
        values[index] = value + step;
        const above = referenceLoss(network, parameters, batch);
        values[index] = value - step;
        const below = referenceLoss(network, parameters, batch);
        values[index] = value;
        return (above - below) / (2 * step);
      });
      return [name, gradient];
    }),
  );
}
