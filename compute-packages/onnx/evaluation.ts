import { dtypeSizeBytes } from "../../lib/tensors/dtype.ts";
import type { TensorLayout } from "../../lib/tensors/layout.ts";
import type { OnnxManifest } from "../format/manifest.ts";
import type { ExampleSet } from "./data-set.ts";
import { EVALUATION_BATCH_SIZE } from "./limits.ts";
import { readModelState } from "./model-state.ts";
import type { OrtModule, Tensor } from "./ort.ts";
import { floatsOf, runSession, tensorOf } from "./ort-tensor.ts";
import { RunnerError } from "./runner-error.ts";
import type { Sessions } from "./sessions.ts";
import type { Metric } from "./training.ts";

export type ValidateResult = {
  readonly exampleCount: number;
  /** Means over the examples, in the manifest's order. */
  readonly metrics: readonly Metric[];
};

/** What evaluation needs besides the model. */
export type Evaluator = {
  readonly ort: OrtModule;
  readonly manifest: OnnxManifest;
  readonly layout: TensorLayout;
  readonly sessions: Sessions;
  readonly examples: ExampleSet;
};

/**
 * Metrics of a model over all examples, in batches of 1000; batch sums are added up in float64.
 * @throws RunnerError "model-mismatch" | "cancelled" | "runtime-failed"
 */
export async function evaluate(
  { ort, manifest, layout, sessions, examples }: Evaluator,
  model: Uint8Array,
  isCancelled: () => boolean,
): Promise<ValidateResult> {
  const state = readModelState(model, layout);
  const session = await sessions.evaluation();
  const constant = Object.fromEntries(
    layout.tensors.map(({ name, shape }) => [
      name,
      new ort.Tensor("float32", state.get(name) ?? [], shape),
    ]),
  );
  const { exampleCount } = examples;
  const names = manifest.onnx.evaluation.metrics;
  const sums = names.map(() => 0);
  for (let start = 0; start < exampleCount; start += EVALUATION_BATCH_SIZE) {
    if (isCancelled()) throw new RunnerError("cancelled", "validation was cancelled");
    const end = Math.min(start + EVALUATION_BATCH_SIZE, exampleCount);
    const feeds = { ...constant, ...rowFeeds(ort, examples, start, end) };
    const outputs = await runSession(session, feeds);
    names.forEach((name, index) => {
      sums[index] = (sums[index] ?? 0) + (floatsOf(outputs[name])[0] ?? Number.NaN);
    });
  }
  const metrics = names.map((name, index) => ({
    name,
    value: (sums[index] ?? Number.NaN) / exampleCount,
  }));
  return { exampleCount, metrics };
}

/** Rows `start` to `end` of every input, shared with the data set. */
function rowFeeds(
  ort: OrtModule,
  examples: ExampleSet,
  start: number,
  end: number,
): { [name: string]: Tensor } {
  const feeds: { [name: string]: Tensor } = {};
  for (const [name, { spec, bytes }] of examples.inputs) {
    const rowBytes = spec.shape.reduce((a, b) => a * b, 1) * dtypeSizeBytes(spec.dtype);
    const rows = bytes.subarray(start * rowBytes, end * rowBytes);
    feeds[name] = tensorOf(ort, spec.dtype, rows, [end - start, ...spec.shape]);
  }
  return feeds;
}
