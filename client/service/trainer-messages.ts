/** What the service and its trainer thread say to each other. Bodies are transferred: the sender no longer has them. */
import type { UpdateLimits } from "../../lib/aggregation/validate.ts";
import type { Digest } from "../../lib/base/ids.ts";
import type { LogFields } from "../../lib/base/log.ts";
import type { Refusal } from "../../lib/base/refusal.ts";

/** Examples and model of a task, by what the trainer was given before. */
type Inputs = {
  /** Of the member: where the output of commands is left for it. */
  readonly home: string;
  readonly data: DataId;
  readonly packageDigest: Digest;
  readonly modelHash: Digest;
};

/** One loaded data file; counts from 1. */
export type DataId = number;

export type TrainRequest = Inputs & {
  readonly kind: "train";
  /** 32 bytes. */
  readonly seed: Uint8Array;
  readonly proximalMu: number;
  readonly hyperparameters: Readonly<Record<string, number>>;
  readonly limits: UpdateLimits;
};

export type ValidateRequest = Inputs & { readonly kind: "validate" };

export type TrainerRequest = TrainRequest | ValidateRequest;

export type HeldKind = "package" | "model";

export type ToTrainer =
  | { readonly kind: "load-data"; readonly data: DataId; readonly path: string }
  | {
      readonly kind: "hold";
      readonly what: HeldKind;
      readonly digest: Digest;
      /** The digest was checked. */
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "drop"; readonly what: HeldKind; readonly digest: Digest }
  /** One at a time. */
  | {
      readonly kind: "run";
      readonly request: TrainerRequest;
      /** One Int32; set to 1 to cancel. */
      readonly cancelFlag: SharedArrayBuffer;
    }
  /** The last message: the thread frees what it holds and ends. */
  | { readonly kind: "close" };

export type TrainerResult =
  | {
      readonly kind: "trained";
      readonly update: {
        readonly body: Uint8Array;
        readonly digest: Digest;
        readonly exampleCount: number;
      };
    }
  | {
      readonly kind: "validated";
      readonly exampleCount: number;
      readonly metrics: readonly { readonly name: string; readonly value: number }[];
    }
  /** The task cannot be done, and why. */
  | { readonly kind: "failed"; readonly refusals: readonly Refusal[] }
  | { readonly kind: "cancelled" };

export type FromTrainer =
  | { readonly kind: "data-loaded"; readonly data: DataId }
  | {
      readonly kind: "data-unreadable";
      readonly data: DataId;
      readonly code: "data-unreadable" | "sandbox-unavailable";
      readonly message: string;
    }
  /** For the client's log; of what runs commands only. */
  | {
      readonly kind: "logged";
      readonly level: "info" | "warn";
      readonly event: string;
      readonly fields: LogFields;
    }
  | { readonly kind: "ended"; readonly result: TrainerResult };
