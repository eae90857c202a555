/** What a combiner may ask of a client, after the wire: checked, bounded and branded. */
import type { UpdateLimits } from "../../lib/aggregation/validate.ts";
import type { Digest, SessionId } from "../../lib/base/ids.ts";

/** Names one attempt at one round of one session; rounds and attempts count from 1. */
export type RoundKey = {
  readonly sessionId: SessionId;
  readonly round: number;
  readonly attempt: number;
};

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

/** Negative if `a` is an earlier attempt than `b` of the same session, 0 if it is the same one, else positive. */
export const compareAttempts = (a: RoundKey, b: RoundKey): number =>
  a.round - b.round || a.attempt - b.attempt;

export const isSameKey = (a: RoundKey, b: RoundKey): boolean =>
  a.sessionId === b.sessionId && compareAttempts(a, b) === 0;

/** Sessions whose tasks and updates one client holds at a time; a combiner cannot make it hold more. */
export const MAX_SESSIONS = 8;
