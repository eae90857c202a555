/** Local training: epochs of SGD over one client's examples, the same bits for the same seed. */
import type { TensorLayout } from "../../lib/tensors/layout.ts";
import type { MaskSpec, OnnxManifest } from "../format/manifest.ts";
import type { ExampleSet } from "./data-set.ts";
import { type EpochPlan, planEpoch } from "./epoch-plan.ts";
import { fillMask, maskStream, shuffle, shuffleStream } from "./epoch-randomness.ts";
import { globalName, graphHyperparameters, LOSS, nextName, PROXIMAL_MU } from "./graph-contract.ts";
import { resolveHyperparameters, type SessionSettings } from "./hyperparameters.ts";
import type { Keystream } from "./keystream.ts";
import { type ModelState, readModelState, writeUpdate } from "./model-state.ts";
import { sizeOf } from "./operator.ts";
import type { OrtModule, Session, Tensor } from "./ort.ts";
import { type Feeds, floatsOf, runSession, scalarOf, tensorOf } from "./ort-tensor.ts";
import { RunnerError } from "./runner-error.ts";
import { INDICES, outerName } from "./scan.ts";
import type { Sessions } from "./sessions.ts";

export type Metric = { readonly name: string; readonly value: number };

/** A pass over the data has ended. */
export type EpochReport = {
  /** 1 to epochCount. */
  readonly epoch: number;
  readonly epochCount: number;
  /** Mean over the epoch's steps of each batch's mean loss, as it was before the step. */
  readonly loss: number;
};

export type TrainTask = SessionSettings & {
  /** The global model, canonical safetensors of the package's state. */
  readonly model: Uint8Array;
  /** 32 bytes; decides shuffles and masks, nothing else is random. */
  readonly seed: Uint8Array;
  readonly onEpoch?: ((report: EpochReport) => void) | undefined;
  /** Asked before each call of the runtime, at least once an epoch. */
  readonly isCancelled?: (() => boolean) | undefined;
};

export type TrainResult = {
  /** trained − global, canonical safetensors of the model's layout. */
  readonly update: Uint8Array;
  /** All training examples of the client, those that filled no batch among them. */
  readonly exampleCount: number;
  readonly metrics: readonly Metric[];
};

/** What training needs besides the task. */
export type Trainer = {
  readonly ort: OrtModule;
  readonly manifest: OnnxManifest;
  readonly layout: TensorLayout;
  readonly sessions: Sessions;
  readonly examples: ExampleSet;
};

/**
 * Trains for the session's local epochs. A client with fewer examples than a batch trains on one batch of all.
 * @throws RefusedError for settings the package does not allow
 * @throws RunnerError "model-mismatch" | "cancelled" | "diverged" | "runtime-failed"
 */
export async function train(trainer: Trainer, task: TrainTask): Promise<TrainResult> {
  const { ort, manifest, layout, examples } = trainer;
  const values = resolveHyperparameters(manifest, task);
  const base = readModelState(task.model, layout);
  const isProximal = task.proximalMu > 0;
  const batchSize = Math.min(values.batchSize, examples.exampleCount);
  const stepWork = trainer.sessions.stepWork({ isProximal, batchSize });
  const plan = planEpoch({
    exampleCount: examples.exampleCount,
    masks: manifest.onnx.masks,
    batchSize,
    stepWork,
  });
  const session = await trainer.sessions.training({ isProximal, batchSize });

  const constant: { [name: string]: Tensor } = dataFeeds(ort, examples);
  for (const name of graphHyperparameters(manifest)) {
    constant[name] = scalarOf(ort, values[name] ?? Number.NaN);
  }
  if (isProximal) {
    constant[PROXIMAL_MU] = scalarOf(ort, task.proximalMu);
    for (const { name, shape } of layout.tensors) {
      constant[globalName(name)] = new ort.Tensor("float32", base.get(name) ?? [], shape);
    }
  }

  const run = createStepRun(trainer, session, constant, base);
  let loss = Number.NaN;
  for (let epoch = 0; epoch < values.localEpochs; epoch++) {
    loss = await trainEpoch(trainer, task, plan, run, epoch);
    task.onEpoch?.({ epoch: epoch + 1, epochCount: values.localEpochs, loss });
  }
  return {
    update: writeUpdate(base, run.state(), layout),
    exampleCount: examples.exampleCount,
    metrics: [{ name: "training_loss", value: loss }],
  };
}

/** One pass: one run() unless the epoch is so large that its masks, its work or its length ask for more. */
async function trainEpoch(
  { ort, examples }: Trainer,
  task: TrainTask,
  plan: EpochPlan,
  run: StepRun,
  epoch: number,
): Promise<number> {
  const { batchSize, stepCount, stepsPerRun } = plan;
  const order = new Int32Array(examples.exampleCount);
  shuffle(order, shuffleStream(task.seed, epoch));
  const masks = plan.masks.map(
    ([name, spec]) => [name, spec, maskStream(task.seed, epoch, name)] as const,
  );
  let lossSum = 0;
  for (let done = 0; done < stepCount; done += stepsPerRun) {
    if (task.isCancelled?.()) throw new RunnerError("cancelled", "training was cancelled");
    const steps = Math.min(stepsPerRun, stepCount - done);
    const rows = order.subarray(done * batchSize, (done + steps) * batchSize);
    const feeds: { [name: string]: Tensor } = {
      [INDICES]: new ort.Tensor("int32", rows, [steps, batchSize]),
    };
    for (const [name, spec, stream] of masks) {
      feeds[outerName(name)] = maskTensor(ort, spec, stream, [steps, batchSize]);
    }
    for (const loss of await run.steps(feeds)) lossSum += loss;
  }
  return lossSum / stepCount;
}

function maskTensor(
  ort: OrtModule,
  spec: MaskSpec,
  stream: Keystream,
  leading: readonly [steps: number, batchSize: number],
): Tensor {
  const mask = new Uint8Array(leading[0] * leading[1] * sizeOf(spec.shape));
  fillMask(mask, spec.keepPer256, stream);
  return new ort.Tensor("uint8", mask, [...leading, ...spec.shape]);
}

/** Carries the state from one call of the runtime to the next. */
type StepRun = {
  /** @returns the loss of each step */
  readonly steps: (feeds: Feeds) => Promise<Float32Array>;
  readonly state: () => ModelState;
};

/**
 * Two sets of state tensors take turns as input and output, so that no run allocates one. Local state is beside
 * them: it starts at zero in every task, so that a task depends on model, data and seed alone, and stays here.
 */
function createStepRun(
  { ort, layout, manifest }: Trainer,
  session: Session,
  constant: Feeds,
  base: ModelState,
): StepRun {
  const local = Object.entries(manifest.onnx.localState ?? {});
  const carried = [...layout.tensors, ...local.map(([name, { shape }]) => ({ name, shape }))];
  const buffers = (start: ModelState) =>
    carried.map(({ name, shape }) => {
      const elements = new Float32Array(sizeOf(shape));
      elements.set(start.get(name) ?? []);
      return [name, new ort.Tensor("float32", elements, shape)] as const;
    });
  let current = buffers(base);
  let next = buffers(new Map());
  return {
    steps: async (feeds) => {
      const state = Object.fromEntries(current.map(([name, each]) => [outerName(name), each]));
      const fetches = Object.fromEntries(
        next.map(([name, each]) => [outerName(nextName(name)), each]),
      );
      const lossName = outerName(LOSS);
      const stepCount = feeds[INDICES]?.dims[0] ?? 0;
      const losses = new ort.Tensor("float32", new Float32Array(stepCount), [stepCount]);
      await runSession(
        session,
        { ...constant, ...state, ...feeds },
        { ...fetches, [lossName]: losses },
      );
      [current, next] = [next, current];
      return floatsOf(losses);
    },
    state: () =>
      new Map(
        current
          .filter(([name]) => base.has(name))
          .map(([name, tensor]) => [name, floatsOf(tensor)]),
      ),
  };
}

function dataFeeds(ort: OrtModule, examples: ExampleSet): { [name: string]: Tensor } {
  const feeds: { [name: string]: Tensor } = {};
  for (const [name, { spec, bytes }] of examples.inputs) {
    const dims = [examples.exampleCount, ...spec.shape];
    feeds[outerName(name)] = tensorOf(ort, spec.dtype, bytes, dims);
  }
  return feeds;
}
