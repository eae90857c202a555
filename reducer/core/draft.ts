/** What the reducer's core knows and wants done, and the draft in which one step collects it. */
import type { Digest, Name, SessionId, UnixMs } from "../../lib/base/ids.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { Lease, LedgerEvent } from "./events.ts";
import type { LiveState } from "./live.ts";
import { applyEvent, type FederationState } from "./state.ts";

export type Coordinator = {
  readonly state: FederationState;
  readonly live: LiveState;
};

/** An order for one combiner; the service adds what it needs from the state and puts it on the stream. */
export type CombinerOrder =
  | {
      readonly kind: "open-round";
      readonly key: RoundKey;
      readonly lease: Lease;
      readonly deadlineMs: UnixMs;
    }
  | { readonly kind: "close-round"; readonly key: RoundKey; readonly leaseEpoch: number }
  | { readonly kind: "abort-round"; readonly key: RoundKey; readonly reason: Refusal }
  | { readonly kind: "commit-notice"; readonly key: RoundKey; readonly modelHash: Digest }
  | {
      readonly kind: "validate-model";
      readonly sessionId: SessionId;
      readonly round: number;
      readonly modelHash: Digest;
      readonly members: readonly Name[];
    };

export type Effect =
  | { readonly kind: "send"; readonly combiner: Name; readonly order: CombinerOrder }
  /** Merge the staged partials of these combiners, store the model, report "model-stored" or "merge-failed". */
  | { readonly kind: "merge"; readonly key: RoundKey; readonly combiners: readonly Name[] }
  /** Partials of this attempt are not needed any more. */
  | { readonly kind: "drop-partials"; readonly key: RoundKey };

export type StoredModel = {
  readonly modelHash: Digest;
  readonly sizeBytes: number;
  readonly parameterCount: number;
  readonly optimizerStateHash?: Digest;
};

/** Collects what one input brings about; the only mutable thing in the core, alive for one step. */
export class Draft {
  readonly events: LedgerEvent[] = [];
  readonly effects: Effect[] = [];
  readonly nowMs: UnixMs;
  state: FederationState;
  live: LiveState;

  constructor(coordinator: Coordinator, untrustedNowMs: UnixMs) {
    this.state = coordinator.state;
    this.live = coordinator.live;
    this.nowMs = untrustedNowMs;
  }

  record(event: LedgerEvent): void {
    this.state = applyEvent(this.state, event);
    this.events.push(event);
  }

  send(combiner: Name, order: CombinerOrder): void {
    this.effects.push({ kind: "send", combiner, order });
  }

  /** To every attached combiner. */
  broadcast(order: CombinerOrder): void {
    for (const { combiner, attached } of this.live.combiners.values()) {
      if (attached !== undefined) this.send(combiner, order);
    }
  }
}
