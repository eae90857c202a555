/** What a combiner may ask of a client, after the wire: checked, bounded and branded. */
import type { UpdateLimits } from "../../lib/aggregation/validate.ts";
import type { Digest, SessionId } from "../../lib/base/ids.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";

export type TrainTask = {
  readonly kind: "train";
  readonly key: RoundKey;
  readonly baseModelHash: Digest;
  readonly modelSizeBytes: number;
  readonly packageDigest: Digest;
  /** 32 bytes. */
  readonly sessionSeed: Uint8Array;
  readonly limits: UpdateLimits;
  /** FedProx mu, ≥ 0. */
  readonly proximalMu: number;
  readonly hyperparameters: Readonly<Record<string, number>>;
};

export type ValidateTask = {
  readonly kind: "validate";
  readonly sessionId: SessionId;
  readonly round: number;
  readonly modelHash: Digest;
  readonly modelSizeBytes: number;
  readonly packageDigest: Digest;
};

export type Task = TrainTask | ValidateTask;

/** Sessions whose tasks and updates one client holds at a time; a combiner cannot make it hold more. */
export const MAX_SESSIONS = 8;
