import type { Name, UnixMs } from "../../lib/base/ids.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { RoundState } from "./round.ts";
import type { CombinerMessage, CombinerState, Effect, StreamId, Task } from "./state.ts";

/** Collects what one input brings about; the only mutable thing in the core, alive for one step. */
export class Draft {
  readonly effects: Effect[] = [];
  readonly nowMs: UnixMs;
  state: CombinerState;

  constructor(state: CombinerState, untrustedNowMs: UnixMs) {
    this.state = state;
    this.nowMs = untrustedNowMs;
  }

  /** Nothing is said to an absent reducer: when it attaches, hello and the round reports tell it all that counts. */
  tellReducer(message: CombinerMessage): void {
    if (this.state.reducer.attached) this.effects.push({ kind: "send-reducer", message });
  }

  /** To those of the members that attend. */
  sendTask(members: Iterable<Name>, task: Task): void {
    const streams: StreamId[] = [];
    for (const member of members) {
      const stream = this.state.attending.get(member);
      if (stream !== undefined) streams.push(stream);
    }
    if (streams.length > 0) this.effects.push({ kind: "send-task", streams, task });
  }

  setRound(round: RoundState): void {
    const rounds = new Map(this.state.rounds).set(round.key.sessionId, round);
    this.state = { ...this.state, rounds };
  }

  removeRound(key: RoundKey): void {
    const rounds = new Map(this.state.rounds);
    rounds.delete(key.sessionId);
    this.state = { ...this.state, rounds };
  }
}
