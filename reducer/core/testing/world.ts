/** A world around the coordinator in virtual time: combiners and clients that keep the protocol, and may vanish. */

import { utf8 } from "../../../lib/base/bytes.ts";
import type { Name, SessionId, UnixMs } from "../../../lib/base/ids.ts";
import { digestOf, newSessionId } from "../../../lib/base/ids.ts";
import { refusal } from "../../../lib/base/refusal.ts";
import type { RoundKey } from "../../../lib/base/round-key.ts";
import { type Input, resume, step, wakesAtMs } from "../coordinator.ts";
import type { CombinerOrder, Coordinator, Effect } from "../draft.ts";
import { decodeEvent, encodeEvent, type Lease, type LedgerEvent } from "../events.ts";
import { emptyLive } from "../live.ts";
import { leaseHolder } from "../round-state.ts";
import type { SessionSettings } from "../settings.ts";
import { applyEvent, emptyState } from "../state.ts";

export const name = (text: string): Name => text as Name;

export const goodSettings: SessionSettings = {
  name: name("trial"),
  seedModelHash: digestOf(utf8("seed model")),
  packageDigest: digestOf(utf8("package")),
  rounds: 3,
  aggregator: { kind: "fedavg" },
  proximalMu: 0,
  minClients: 4,
  clientFraction: 1,
  overSelection: 0,
  quorumCount: 4,
  roundDeadlineMs: 60_000,
  maxAttempts: 1000,
  elementBound: 8,
  weightCap: 1000,
  maxCohort: 8,
  sessionSeed: digestOf(utf8("session seed")),
  hyperparameters: {},
  validate: true,
};

type SimulatedRound = {
  readonly key: RoundKey;
  lease: Lease;
  folded: Set<Name>;
  closing: number | undefined;
};

type SimulatedCombiner = {
  readonly combiner: Name;
  instance: number;
  attached: boolean;
  readonly clients: Set<Name>;
  /** Clients that went elsewhere without this combiner having noticed. */
  readonly gone: Set<Name>;
  readonly rounds: Map<SessionId, SimulatedRound>;
  /** What a former process of this combiner was about to deliver when it froze. */
  ghost: SimulatedRound | undefined;
};

/** What one merge really summed, by the combiners' own account. */
type Merged = { readonly key: RoundKey; readonly members: readonly Name[] };

export class World {
  coordinator: Coordinator = { state: emptyState, live: emptyLive };
  nowMs = 1_000_000 as UnixMs;
  readonly ledger: Uint8Array[] = [];
  readonly combiners: SimulatedCombiner[];
  readonly clients: readonly Name[];
  readonly merges: Merged[] = [];
  readonly sent: { readonly combiner: Name; readonly order: CombinerOrder }[] = [];
  readonly sessionId: SessionId = newSessionId({ bytes: (size) => new Uint8Array(size).fill(7) });
  #pendingMerge: Merged | undefined;
  #delivered = new Map<string, readonly Name[]>();

  constructor(given: { readonly combiners: number; readonly clients: number }) {
    this.combiners = range(given.combiners).map((i) => ({
      combiner: name(`combiner-${i}`),
      instance: 0,
      attached: false,
      clients: new Set(),
      gone: new Set(),
      rounds: new Map(),
      ghost: undefined,
    }));
    this.clients = range(given.clients).map((i) => name(`client-${i}`));
    for (const member of this.clients) this.#join(member);
  }

  start(settings: SessionSettings): void {
    const grid = { gridExponent: 29, worstRoundingError: 2 ** -30 };
    this.#input({
      kind: "record",
      event: {
        kind: "session-started",
        sessionId: this.sessionId,
        settings,
        grid,
        atMs: this.nowMs,
      },
    });
  }

  get session() {
    return this.coordinator.state.sessions.get(this.sessionId)!;
  }

  get round() {
    return this.coordinator.live.sessions.get(this.sessionId)?.round;
  }

  attach(index: number): void {
    const combiner = this.combiners[index]!;
    combiner.attached = true;
    this.#input({
      kind: "combiner-attached",
      combiner: combiner.combiner,
      address: `10.0.0.${index}:1`,
      spkiDigest: digestOf(utf8(combiner.combiner)),
      instanceId: String(combiner.instance),
      maxClients: 1000,
      attending: [...combiner.clients, ...combiner.gone],
    });
  }

  detach(index: number): void {
    const combiner = this.combiners[index]!;
    if (!combiner.attached) return;
    combiner.attached = false;
    this.#input({ kind: "combiner-detached", combiner: combiner.combiner });
  }

  /** kill -9 and a new process: everything it folded is gone, its clients are disconnected. */
  restart(index: number): void {
    const combiner = this.combiners[index]!;
    this.detach(index);
    combiner.instance += 1;
    combiner.ghost = combiner.rounds.get(this.sessionId);
    combiner.rounds.clear();
    combiner.clients.clear();
    combiner.gone.clear();
  }

  attend(client: number, index: number): void {
    const member = this.clients[client]!;
    for (const each of this.combiners) this.#leave(each, member);
    const combiner = this.combiners[index]!;
    combiner.clients.add(member);
    combiner.gone.delete(member);
    if (!combiner.attached) return;
    const assignment = { combiner: combiner.combiner, epoch: 1 };
    this.#input({ kind: "client-assigned", member, assignment });
    this.#input({ kind: "client-attended", combiner: combiner.combiner, member });
  }

  /** The client's way to its combiner breaks: it goes elsewhere, and the combiner does not notice before `notice`. */
  breakAway(client: number, index: number): void {
    const member = this.clients[client]!;
    for (const [i, each] of this.combiners.entries()) {
      if (i !== index && each.clients.delete(member)) each.gone.add(member);
    }
    this.attend(client, index);
  }

  notice(index: number): void {
    const combiner = this.combiners[index]!;
    for (const member of [...combiner.gone]) {
      combiner.gone.delete(member);
      if (!combiner.attached) continue;
      this.#input({ kind: "client-left", combiner: combiner.combiner, member });
    }
  }

  leave(client: number): void {
    for (const combiner of this.combiners) this.#leave(combiner, this.clients[client]!);
  }

  fold(client: number): void {
    const member = this.clients[client]!;
    const combiner = this.combiners.find((each) => each.clients.has(member));
    const round = combiner?.rounds.get(this.sessionId);
    const canFold = round?.lease.members.includes(member) && !round.folded.has(member);
    if (combiner === undefined || round === undefined || !canFold || round.closing !== undefined)
      return;
    round.folded.add(member);
    if (!combiner.attached) return;
    this.#input({
      kind: "update-folded",
      key: round.key,
      combiner: combiner.combiner,
      leaseEpoch: round.lease.leaseEpoch,
      member,
      fold: { exampleCount: 10, sizeBytes: 100 },
    });
  }

  giveUp(client: number): void {
    if (this.round === undefined) return;
    const reasons = [refusal("non-finite", "NaN", "finite numbers")];
    const member = this.clients[client]!;
    const combiner = leaseHolder(this.round, member)!;
    this.#input({ kind: "member-gave-up", key: this.round.key, combiner, member, reasons });
  }

  deliver(index: number): void {
    const combiner = this.combiners[index]!;
    const round = combiner.rounds.get(this.sessionId);
    if (!combiner.attached || round?.closing === undefined) return;
    this.#deliver(combiner, round, round.closing);
  }

  /** A frozen former process wakes up and delivers what it had. */
  deliverGhost(index: number): void {
    const combiner = this.combiners[index]!;
    const round = combiner.ghost;
    if (round !== undefined) this.#deliver(combiner, round, round.lease.leaseEpoch);
  }

  #deliver(combiner: SimulatedCombiner, round: SimulatedRound, leaseEpoch: number): void {
    const members = [...round.folded].sort();
    const partial = {
      leaseEpoch,
      weightSum: 10 * members.length,
      updates: members.map((member) => ({
        member,
        headerDigest: digestOf(utf8(member)),
        exampleCount: 10,
        sizeBytes: 100,
      })),
    };
    this.#delivered.set(`${combiner.combiner}/${leaseEpoch}`, members);
    this.#input({ kind: "partial-admitted", key: round.key, combiner: combiner.combiner, partial });
  }

  refusePartial(index: number): void {
    const combiner = this.combiners[index]!;
    const round = combiner.rounds.get(this.sessionId);
    if (!combiner.attached || round?.closing === undefined) return;
    const { key, closing: leaseEpoch } = round;
    this.#input({ kind: "partial-refused", key, combiner: combiner.combiner, leaseEpoch });
  }

  finishMerge(): void {
    const merge = this.#pendingMerge;
    if (merge === undefined) return;
    this.#pendingMerge = undefined;
    this.merges.push(merge);
    const text = `model of round ${merge.key.round} from ${merge.members.join()}`;
    const model = { modelHash: digestOf(utf8(text)), sizeBytes: 1000, parameterCount: 200 };
    this.#input({ kind: "model-stored", key: merge.key, model });
  }

  validate(client: number): void {
    const round = this.session.rounds.findLast((each) => each.status === "committed");
    if (round?.committed === undefined) return;
    this.#input({
      kind: "model-validated",
      sessionId: this.sessionId,
      round: round.round,
      modelHash: round.committed.modelHash,
      member: this.clients[client]!,
      exampleCount: 5,
      metrics: { accuracy: 0.5 },
    });
  }

  advance(ms: number): void {
    this.nowMs = (this.nowMs + ms) as UnixMs;
    this.#input({ kind: "tick" });
  }

  stop(): void {
    const reason = refusal("stopped-by-admin", "stop", "a finished session");
    this.#input({ kind: "stop-session", sessionId: this.sessionId, reason });
  }

  /** kill -9 of the reducer: only the ledger's bytes are left; every stream breaks. */
  crash(): void {
    const events = this.ledger.map(decodeEvent);
    this.coordinator = resume(events.reduce(applyEvent, emptyState), this.nowMs);
    this.#pendingMerge = undefined;
    for (const combiner of this.combiners) combiner.attached = false;
  }

  /** Everybody does what the protocol asks until nothing is left to do. */
  settle(): void {
    for (let i = 0; i < 1000 && this.session.status === "running"; i += 1) {
      const before = JSON.stringify([this.ledger.length, this.merges.length]);
      for (const [index, combiner] of this.combiners.entries()) {
        if (!combiner.attached) this.attach(index);
        this.notice(index);
      }
      for (const [client, member] of this.clients.entries()) {
        const at = this.combiners.some((each) => each.clients.has(member));
        if (!at) this.attend(client, client % this.combiners.length);
        this.fold(client);
        this.validate(client);
      }
      for (const index of this.combiners.keys()) this.deliver(index);
      this.finishMerge();
      if (before === JSON.stringify([this.ledger.length, this.merges.length])) {
        const wake = wakesAtMs(this.coordinator);
        if (wake !== undefined) this.advance(Math.max(0, wake - this.nowMs));
      }
    }
  }

  #join(member: Name): void {
    const event = {
      kind: "member-joined",
      member,
      role: "client",
      organization: name("hospital"),
      publicKey: "",
      spkiDigest: digestOf(utf8(member)),
      certificateExpiresAtMs: this.nowMs,
      atMs: this.nowMs,
    } as const;
    this.#input({ kind: "record", event });
  }

  #leave(combiner: SimulatedCombiner, member: Name): void {
    if (!combiner.clients.delete(member) || !combiner.attached) return;
    this.#input({ kind: "client-left", combiner: combiner.combiner, member });
  }

  #input(input: Input): void {
    const { coordinator, events, effects } = step(this.coordinator, input, this.nowMs);
    this.coordinator = coordinator;
    for (const event of events) this.ledger.push(encodeEvent(event));
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: Effect): void {
    if (effect.kind === "merge") {
      const { key, combiners } = effect;
      const epochs = combiners.map((each) => this.round?.leases.get(each)?.leaseEpoch);
      const members = combiners.flatMap(
        (each, i) => this.#delivered.get(`${each}/${epochs[i]}`) ?? [],
      );
      this.#pendingMerge = { key, members };
    } else if (effect.kind === "send") {
      this.sent.push(effect);
      const combiner = this.combiners.find((each) => each.combiner === effect.combiner);
      if (combiner?.attached) this.#obey(combiner, effect.order);
    }
  }

  #obey(combiner: SimulatedCombiner, order: CombinerOrder): void {
    switch (order.kind) {
      case "open-round":
        return this.#open(combiner, order.key, order.lease);
      case "close-round": {
        const round = combiner.rounds.get(order.key.sessionId);
        if (round?.lease.leaseEpoch === order.leaseEpoch) round.closing = order.leaseEpoch;
        return;
      }
      case "abort-round":
      case "commit-notice": {
        const round = combiner.rounds.get(order.key.sessionId);
        const past = round !== undefined && round.key.round <= order.key.round;
        if (past && round.key.attempt <= order.key.attempt)
          combiner.rounds.delete(order.key.sessionId);
        return;
      }
      case "validate-model":
        return;
    }
  }

  #open(combiner: SimulatedCombiner, key: RoundKey, lease: Lease): void {
    const before = combiner.rounds.get(key.sessionId);
    const same = before?.key.round === key.round && before.key.attempt === key.attempt;
    const round: SimulatedRound =
      same && before !== undefined ? before : { key, lease, folded: new Set(), closing: undefined };
    if (round.lease.leaseEpoch < lease.leaseEpoch) {
      if (![...round.folded].every((member) => lease.members.includes(member)))
        round.folded = new Set();
      round.closing = undefined;
      round.lease = lease;
    }
    combiner.rounds.set(key.sessionId, round);
    this.#input({
      kind: "round-reported",
      key,
      combiner: combiner.combiner,
      leaseEpoch: round.lease.leaseEpoch,
      folded: [...round.folded],
    });
  }
}

export const events = (world: World): LedgerEvent[] => world.ledger.map(decodeEvent);

export const range = (count: number): number[] => [...Array(count).keys()];
