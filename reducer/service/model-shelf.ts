/** Models by hash: stored sealed, with the ones in use kept in memory. */
import { type Digest, digestOf } from "../../lib/base/ids.ts";
import { type ArtifactStore, readAll } from "../../lib/storage/artifacts.ts";
import { StorageError } from "../../lib/storage/storage-error.ts";
import { type TensorLayout, trainableLayout } from "../../lib/tensors/layout.ts";
import { parseModel } from "../../lib/tensors/safetensors.ts";

export type ShelvedModel = {
  readonly modelHash: Digest;
  /** Canonical safetensors; shared, so never written to. */
  readonly bytes: Uint8Array;
  readonly layout: TensorLayout;
  /** Of the updates to it. */
  readonly trainable: TensorLayout;
};

export type ModelShelf = {
  /** @throws StorageError "artifact-broken" if a model that the ledger names is not there or not whole */
  readonly model: (modelHash: Digest) => Promise<ShelvedModel>;
  /** Durable when it resolves. @throws StorageError | TensorError */
  readonly store: (bytes: Uint8Array) => Promise<ShelvedModel>;
  readonly storeState: (bytes: Uint8Array) => Promise<Digest>;
  readonly readState: (digest: Digest) => Promise<Uint8Array>;
};

/** Of different models: the newest of each running session are asked for again and again. */
const KEPT_MODELS = 2;

/** Models by hash, the latest used in memory, all of them sealed artifacts. */
export function modelShelf(artifacts: ArtifactStore): ModelShelf {
  const kept = new Map<Digest, ShelvedModel>();

  function keep(model: ShelvedModel): ShelvedModel {
    kept.delete(model.modelHash);
    kept.set(model.modelHash, model);
    for (const oldest of kept.keys()) {
      if (kept.size <= KEPT_MODELS) break;
      kept.delete(oldest);
    }
    return model;
  }

  async function readArtifact(kind: "model" | "aggregator-state", digest: Digest) {
    const reader = await artifacts.open(kind, digest);
    if (reader === undefined) {
      throw new StorageError(
        "artifact-broken",
        `the ${kind} ${digest} is in the ledger but not in the artifacts folder; restore it from a backup`,
      );
    }
    try {
      return await readAll(reader);
    } finally {
      await reader.close();
    }
  }

  return {
    model: async (modelHash) => {
      const found = kept.get(modelHash);
      return keep(found ?? shelved(await readArtifact("model", modelHash)));
    },
    store: async (bytes) => {
      const model = shelved(bytes);
      await artifacts.put("model", bytes, model.modelHash);
      return keep(model);
    },
    storeState: async (bytes) => (await artifacts.put("aggregator-state", bytes)).digest,
    readState: (digest) => readArtifact("aggregator-state", digest),
  };
}

function shelved(bytes: Uint8Array): ShelvedModel {
  const { layout } = parseModel(bytes);
  return { modelHash: digestOf(bytes), bytes, layout, trainable: trainableLayout(layout) };
}
