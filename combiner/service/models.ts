/** Models fetched from the reducer once, checked, and served to clients for as long as the core keeps them. */

import { backoffMs, drawJitter } from "../../lib/base/backoff.ts";
import type { Clock } from "../../lib/base/clock.ts";
import type { Digest } from "../../lib/base/ids.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import type { Randomness } from "../../lib/base/randomness.ts";
import { assertInvariant, refusal, refused } from "../../lib/base/refusal.ts";
import { type TensorLayout, trainableLayout } from "../../lib/tensors/layout.ts";
import { parseModel } from "../../lib/tensors/safetensors.ts";
import { TensorError } from "../../lib/tensors/tensor-error.ts";
import type { Connection } from "../../lib/transport/connect.ts";
import { delay } from "../../lib/transport/delay.ts";
import { bytesSource, receiveDownload, serveDownload } from "../../lib/transport/download.ts";
import { GrantQueue } from "../../lib/transport/grants.ts";
import type { RequestOf, ResponseOf } from "../../lib/transport/rpcs.ts";
import type { MessageWriter } from "../../lib/transport/stream.ts";
import { needDigest } from "../../lib/transport/wire-fields.ts";
import type { Engine } from "./engine.ts";

export type Models = {
  /** Gets a model, trying again until it is here or dropped, and tells the core. */
  readonly fetch: (modelHash: Digest, sizeBytes: number) => void;
  readonly drop: (modelHash: Digest) => void;
  /** Trainable layout of a model that is here. */
  readonly layoutOf: (modelHash: Digest) => TensorLayout;
  /** Serves one Transfer.Download call. */
  readonly serve: (
    request: RequestOf<"Transfer.Download">,
    stream: MessageWriter<ResponseOf<"Transfer.Download">>,
  ) => Promise<void>;
  readonly close: () => void;
};

type Model = { readonly bytes: Uint8Array; readonly layout: TensorLayout };

/** Downloads that hold chunks in memory at one time. */
const MAX_DOWNLOADS = 16;
/** Downloads waiting for a place; as many as there can be clients. */
const MAX_WAITING_DOWNLOADS = 20_000;

/** Fetches base models from the reducer and serves them to clients; each is held once. */
export function models(given: {
  readonly engine: () => Engine;
  readonly reducer: Connection;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly onFatal: (error: unknown) => void;
}): Models {
  const { clock, log } = given;
  const held = new Map<Digest, Model>();
  const fetching = new Map<Digest, AbortController>();
  const places = new GrantQueue({ maxGranted: MAX_DOWNLOADS, maxWaiting: MAX_WAITING_DOWNLOADS });

  async function fetch(modelHash: Digest, sizeBytes: number, signal: AbortSignal): Promise<void> {
    const bytes = await download(modelHash, sizeBytes, signal);
    if (signal.aborted) return;
    try {
      const layout = trainableLayout(parseModel(bytes).layout);
      held.set(modelHash, { bytes, layout });
      log.info("model.fetched", { modelHash, sizeBytes });
      const updateSizeBytes = layout.sizeBytes;
      given.engine().submit({ kind: "model-ready", modelHash, updateSizeBytes });
    } catch (error) {
      if (!(error instanceof TensorError)) throw error;
      log.error("model.unusable", { modelHash, error: describeError(error) });
      const reasons = [refusal("model-unusable", error.code, "a canonical model that trains")];
      given.engine().submit({ kind: "model-unusable", modelHash, reasons });
    }
  }

  async function download(
    digest: Digest,
    maxSizeBytes: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const options = { kind: "model", digest, maxSizeBytes, clock, signal } as const;
        return await receiveDownload(given.reducer, options);
      } catch (error) {
        signal.throwIfAborted();
        log.warn("model.not-fetched", { modelHash: digest, error: describeError(error) });
      }
      await delay(clock, backoffMs(attempt, drawJitter(given.randomness)), signal);
    }
  }

  return {
    fetch: (modelHash, sizeBytes) => {
      const controller = new AbortController();
      fetching.set(modelHash, controller);
      fetch(modelHash, sizeBytes, controller.signal)
        .catch((error: unknown) => {
          if (!controller.signal.aborted) given.onFatal(error);
        })
        .finally(() => {
          if (fetching.get(modelHash) === controller) fetching.delete(modelHash);
        });
    },
    drop: (modelHash) => {
      held.delete(modelHash);
      fetching.get(modelHash)?.abort(new Error("the model is not needed any more"));
    },
    layoutOf: (modelHash) => {
      const model = held.get(modelHash);
      assertInvariant(model !== undefined, "the base model of a round that takes updates is here");
      return model.layout;
    },
    serve: async (request, stream) => {
      if (request.subject !== "modelHash") {
        throw refused("wrong-subject", request.subject ?? "nothing", "a model");
      }
      const modelHash = needDigest(request.modelHash);
      const model = held.get(modelHash);
      if (model === undefined) {
        throw refused("unknown-model", modelHash, "a model that clients here train or validate");
      }
      const { offsetBytes = 0 } = request;
      await serveDownload(stream, bytesSource(model.bytes), { offsetBytes, clock, places });
    },
    close: () => {
      for (const controller of fetching.values()) controller.abort(new Error("stopping"));
    },
  };
}
