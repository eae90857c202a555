/** Tasks as a combiner pushes them. */
import { type Digest, digestBytes } from "../../lib/base/ids.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { ResponseOf } from "../../lib/transport/rpcs.ts";
import type { fedclave } from "../../proto/generated/fedclave.js";

type Push = ResponseOf<"Tasks.Attend">;

export type PushedTask = {
  readonly model: Digest;
  readonly modelSizeBytes: number;
  readonly package: Digest;
};

export const pushTrain = (
  key: RoundKey,
  task: PushedTask,
  changes: fedclave.v1.TrainTask.$Properties = {},
): Push => ({
  train: {
    roundKey: key,
    baseModelHash: digestBytes(task.model),
    modelSizeBytes: task.modelSizeBytes,
    packageDigest: digestBytes(task.package),
    sessionSeed: new Uint8Array(32).fill(0xa5),
    limits: { elementBound: 8, weightCap: 1000, gridExponent: 20 },
    remainingMs: 60_000,
    ...changes,
  },
});

/** Keeps the trainer busy until it is cancelled. */
export const pushLongTrain = (key: RoundKey, task: PushedTask): Push =>
  pushTrain(key, task, {
    limits: { elementBound: 1e9, weightCap: 1e6, gridExponent: 1 },
    hyperparameters: [{ name: "localEpochs", value: 1000 }],
  });

export const pushValidate = ({ sessionId, round }: RoundKey, task: PushedTask): Push => ({
  validate: {
    sessionId,
    round,
    modelHash: digestBytes(task.model),
    modelSizeBytes: task.modelSizeBytes,
    packageDigest: digestBytes(task.package),
  },
});

export const pushCancel = (roundKey: RoundKey): Push => ({ cancel: { roundKey } });

export const pushCommitted = (roundKey: RoundKey, model: Digest): Push => ({
  committed: { roundKey, modelHash: digestBytes(model) },
});
