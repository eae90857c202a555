/** The forward pass of a Network in plain float64, written apart from the builder, and gradients by differences. */
import type { ConvolutionLayer, GruLayer, Network } from "../builder/network.ts";

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
  const losses = referenceLogits(network, parameters, batch).map((logits, example) => {
    const largest = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
    return Math.log(sum) + largest - (logits[batch.labels[example] ?? -1] ?? 0);
  });
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}

/** The last layer's output for each example. */
export const referenceLogits = (
  network: Network,
  parameters: Parameters,
  batch: Batch,
): readonly (readonly number[])[] =>
  batch.features.map((row, example) => forward(network, parameters, batch, row, example));

function forward(
  network: Network,
  parameters: Parameters,
  batch: Batch,
  row: readonly number[],
  example: number,
): readonly number[] {
  let values = row.map((value) => value / network.features.divideBy);
  let shape: readonly number[] = [values.length];
  for (const layer of network.layers) {
    const tensor = (name: string, at: number) => parameters.get(name)?.[at] ?? Number.NaN;
    switch (layer.kind) {
      case "relu":
        values = values.map((value) => Math.max(value, 0));
        break;
      case "dropout": {
        const mask = batch.masks.get(layer.name)?.[example];
        const keep = layer.keepPer256 / 256;
        if (mask) values = values.map((value, index) => (mask[index] === 1 ? value / keep : 0));
        break;
      }
      case "reshape":
        shape = layer.shape;
        break;
      case "dense": {
        const input = values;
        shape = [layer.outputs];
        values = Array.from({ length: layer.outputs }, (_, out) =>
          input.reduce(
            (sum, value, at) =>
              sum + value * tensor(`${layer.name}.weight`, at * layer.outputs + out),
            tensor(`${layer.name}.bias`, out),
          ),
        );
        break;
      }
      case "convolution": {
        const weight = (at: number) => tensor(`${layer.name}.weight`, at);
        const bias = (out: number) => tensor(`${layer.name}.bias`, out);
        [values, shape] = convolve(layer, values, shape, weight, bias);
        break;
      }
      case "gru": {
        const [steps = 0] = shape;
        const sequence = values;
        values = Array<number>(layer.outputs).fill(0);
        for (let step = 0; step < steps; step++) {
          const given = sequence.slice(step * layer.inputs, (step + 1) * layer.inputs);
          values = recur(layer, given, values, tensor);
        }
        shape = [layer.outputs];
        break;
      }
      case "max-pool": {
        [values, shape] = pool(layer.size, values, shape);
        break;
      }
    }
  }
  return values;
}

function recur(
  { name, outputs }: GruLayer,
  given: readonly number[],
  before: readonly number[],
  tensor: (name: string, at: number) => number,
): number[] {
  const affine = (values: readonly number[], part: string, column: number): number =>
    values.reduce(
      (sum, value, row) =>
        sum + value * tensor(`${name}.${part}_weight`, row * 3 * outputs + column),
      tensor(`${name}.${part}_bias`, column),
    );
  return before.map((last, unit) => {
    const [reset = 0, update = 0] = [unit, unit + outputs].map(
      (column) =>
        1 / (1 + Math.exp(-affine(given, "input", column) - affine(before, "hidden", column))),
    );
    const column = unit + 2 * outputs;
    const candidate = Math.tanh(
      affine(given, "input", column) + reset * affine(before, "hidden", column),
    );
    return (1 - update) * candidate + update * last;
  });
}

type Image = [values: number[], shape: readonly number[]];

function convolve(
  { inputs, outputs, kernel, padding }: ConvolutionLayer,
  image: readonly number[],
  [, rows = 0, columns = 0]: readonly number[],
  weight: (at: number) => number,
  bias: (out: number) => number,
): Image {
  const [height, width] = [rows, columns].map((size) => size - kernel + 1 + 2 * padding);
  const shape = [outputs, height ?? 0, width ?? 0];
  const pixel = (channel: number, y: number, x: number): number =>
    y < 0 || x < 0 || y >= rows || x >= columns
      ? 0
      : (image[(channel * rows + y) * columns + x] ?? Number.NaN);
  const values = mapImage(shape, (out, y, x) => {
    let sum = bias(out);
    for (let channel = 0; channel < inputs; channel++) {
      for (let dy = 0; dy < kernel; dy++) {
        for (let dx = 0; dx < kernel; dx++) {
          const at = ((out * inputs + channel) * kernel + dy) * kernel + dx;
          sum += weight(at) * pixel(channel, y + dy - padding, x + dx - padding);
        }
      }
    }
    return sum;
  });
  return [values, shape];
}

function pool(
  size: number,
  image: readonly number[],
  [channels = 0, rows = 0, columns = 0]: readonly number[],
): Image {
  const shape = [channels, rows / size, columns / size];
  const values = mapImage(shape, (channel, y, x) => {
    const square = Array.from({ length: size * size }, (_, index) => {
      const row = y * size + Math.floor(index / size);
      return image[(channel * rows + row) * columns + x * size + (index % size)] ?? Number.NaN;
    });
    return Math.max(...square);
  });
  return [values, shape];
}

function mapImage(
  [channels = 0, rows = 0, columns = 0]: readonly number[],
  value: (channel: number, y: number, x: number) => number,
): number[] {
  return Array.from({ length: channels * rows * columns }, (_, at) =>
    value(Math.floor(at / (rows * columns)), Math.floor(at / columns) % rows, at % columns),
  );
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
