/** What a client's core wants done. */
import type { Digest, SessionId } from "../../lib/base/ids.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { AttendanceEffect } from "./attendance.ts";
import type { Metrics } from "./inputs.ts";
import type { KeptEffect } from "./kept-updates.ts";
import type { WorkEffect } from "./work.ts";

/** What the combiner attended is told about a task. */
export type Report =
  | { readonly kind: "task-started"; readonly key: RoundKey }
  | {
      readonly kind: "task-failed";
      readonly key: RoundKey;
      readonly refusals: readonly Refusal[];
    }
  | {
      readonly kind: "validation-report";
      readonly sessionId: SessionId;
      readonly round: number;
      readonly modelHash: Digest;
      readonly exampleCount: number;
      readonly metrics: Metrics;
    };

export type ClientEffect =
  | AttendanceEffect
  | WorkEffect
  | KeptEffect
  | { readonly kind: "report"; readonly visit: number; readonly report: Report };
