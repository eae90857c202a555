/** What happens to a client: everything that its core is told. */
import type { Refusal } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { Assignment, Leaving } from "./attendance.ts";
import type { TrainedUpdate, UploadOutcome } from "./kept-updates.ts";
import type { TrainTask, ValidateTask } from "./task.ts";

/** What a combiner says on the stream of a visit. */
export type CombinerMessage =
  | { readonly kind: "welcome" }
  | TrainTask
  | ValidateTask
  | { readonly kind: "cancel"; readonly key: RoundKey }
  | { readonly kind: "committed"; readonly key: RoundKey };

export type Metrics = readonly { readonly name: string; readonly value: number }[];

export type TaskOutcome =
  | { readonly kind: "trained"; readonly update: TrainedUpdate }
  | { readonly kind: "validated"; readonly exampleCount: number; readonly metrics: Metrics }
  /** The task cannot be done: trying again would fail again. */
  | { readonly kind: "failed"; readonly refusals: readonly Refusal[] }
  /** Package or model could not be had just now. */
  | { readonly kind: "interrupted" }
  | { readonly kind: "cancelled" };

export type ClientInput =
  | { readonly kind: "assigned"; readonly assignment: Assignment }
  | { readonly kind: "assign-failed" }
  | { readonly kind: "received"; readonly visit: number; readonly message: CombinerMessage }
  | { readonly kind: "left"; readonly visit: number; readonly how: Leaving }
  | { readonly kind: "run-ended"; readonly run: number; readonly outcome: TaskOutcome }
  | { readonly kind: "upload-ended"; readonly upload: number; readonly outcome: UploadOutcome }
  | { readonly kind: "tick" }
  | { readonly kind: "stop" };

/** What one step may know besides state and input. */
export type Moment = {
  readonly untrustedNowMs: number;
  /** Random, 0 to 1. */
  readonly jitter: number;
};
