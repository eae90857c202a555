/** What one member's task needs, brought to the trainer: the package from the reducer, the model from the combiner. */
import path from "node:path";
import type { Clock } from "../../lib/base/clock.ts";
import type { Digest } from "../../lib/base/ids.ts";
import { MAX_PACKAGE_BYTES } from "../../lib/base/limits.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import type { Connection } from "../../lib/transport/connect.ts";
import { receiveDownload } from "../../lib/transport/download.ts";
import type { Task } from "../core/task.ts";
import type { Release } from "./held-inputs.ts";
import { openPackageCache } from "./package-cache.ts";
import type { Trainer } from "./trainer.ts";

export type TaskInputs = {
  /**
   * Has the trainer hold package and model of a task until both are released.
   * @throws RefusedError | TransportError as receiveDownload
   */
  readonly hold: (task: Task, combiner: Connection, signal: AbortSignal) => Promise<Release>;
};

/** Fetches what tasks need from reducer and combiner into the trainer, for all members of the process. */
export function openTaskInputs(given: {
  readonly home: string;
  readonly reducer: Connection;
  readonly trainer: Pick<Trainer, "hold">;
  readonly clock: Clock;
  readonly log: Log;
}): TaskInputs {
  const { reducer, trainer, clock, log } = given;
  const cache = openPackageCache(path.join(given.home, "cache", "packages"), clock);

  async function fetchPackage(digest: Digest, signal: AbortSignal): Promise<Uint8Array> {
    // A cache that fails costs a download, not a round.
    const cached = await cache.read(digest).catch((error: unknown) => {
      log.warn("package.not-cached", { packageDigest: digest, error: describeError(error) });
      return undefined;
    });
    if (cached !== undefined) return cached;
    const archive = await receiveDownload(reducer, {
      kind: "package",
      digest,
      maxSizeBytes: MAX_PACKAGE_BYTES,
      clock,
      signal,
    });
    log.info("package.fetched", { packageDigest: digest, sizeBytes: archive.byteLength });
    await cache.write(digest, archive).catch((error: unknown) => {
      log.warn("package.not-cached", { packageDigest: digest, error: describeError(error) });
    });
    return archive;
  }

  return {
    hold: async (task, combiner, signal) => {
      const { packageDigest, modelSizeBytes } = task;
      const modelHash = task.kind === "train" ? task.baseModelHash : task.modelHash;
      const releasePackage = await trainer.hold("package", packageDigest, () =>
        fetchPackage(packageDigest, signal),
      );
      try {
        const model = { kind: "model", digest: modelHash, maxSizeBytes: modelSizeBytes } as const;
        const releaseModel = await trainer.hold("model", modelHash, () =>
          receiveDownload(combiner, { ...model, clock, signal }),
        );
        return () => {
          releasePackage();
          releaseModel();
        };
      } catch (error) {
        releasePackage();
        throw error;
      }
    },
  };
}
