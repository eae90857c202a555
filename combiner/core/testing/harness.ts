/** A core with a clock, and a service that only keeps account: which members' updates each round's sums hold. */
import { concatBytes, utf8 } from "../../../lib/base/bytes.ts";
import {
  type Digest,
  digestOf,
  type FederationId,
  type Name,
  newSessionId,
  type SessionId,
  type UnixMs,
} from "../../../lib/base/ids.ts";
import { generateSigningKey, type SigningKey } from "../../../lib/base/keys.ts";
import { type RoundKey, roundText } from "../../../lib/base/round-key.ts";
import { signHeaderBytes } from "../../../lib/federation/update-header.ts";
import { step } from "../coordinator.ts";
import {
  type CombinerMessage,
  type CombinerState,
  type Effect,
  type Input,
  initialState,
  type Order,
  type PartialPlan,
  type Task,
} from "../state.ts";
import { admitUpload, type UnverifiedUpdate } from "../upload-admission.ts";

export const FEDERATION_ID = `${"a".repeat(51)}q` as FederationId;
export const UPDATE_BYTES = 4096;
export const name = (text: string): Name => text as Name;
export const members = (count: number): Name[] =>
  [...Array(count).keys()].map((i) => name(`client-${i}`));
export const sessionId = (seed: number): SessionId =>
  newSessionId({ bytes: (size) => new Uint8Array(size).fill(seed) });
export const modelHash = (text: string): Digest => digestOf(utf8(text));

export const roundKey = (round: number, attempt = 1, session = sessionId(1)): RoundKey => ({
  sessionId: session,
  round,
  attempt,
});

const keys = new Map<Name, SigningKey>();

/** One key a member, made when first asked for. */
export function keyOf(member: Name): SigningKey {
  const key = keys.get(member) ?? generateSigningKey();
  keys.set(member, key);
  return key;
}

export function openOrder(
  key: RoundKey,
  leased: readonly Name[],
  leaseEpoch = 1,
): Extract<Order, { kind: "open-round" }> {
  return {
    kind: "open-round",
    key,
    leaseEpoch,
    members: leased,
    terms: {
      baseModelHash: modelHash(`base of round ${key.round}`),
      modelSizeBytes: UPDATE_BYTES,
      packageDigest: modelHash("package"),
      sessionSeed: modelHash("seed"),
      limits: { elementBound: 8, weightCap: 1000, gridExponent: 29 },
      deadlineMs: 1_060_000 as UnixMs,
      proximalMu: 0,
      hyperparameters: [],
    },
  };
}

/** An update that the round takes, unless something is changed. */
export function goodUpdate(
  member: Name,
  key: RoundKey,
  changes: Partial<UnverifiedUpdate["header"]> = {},
  signer: SigningKey = keyOf(member),
): UnverifiedUpdate {
  const digest = digestOf(utf8(`body of ${member}`));
  const header = {
    federationId: FEDERATION_ID,
    key,
    member,
    baseModelHash: modelHash(`base of round ${key.round}`),
    updateDigest: digest,
    sizeBytes: UPDATE_BYTES,
    exampleCount: 10,
    ...changes,
  };
  const bytes = concatBytes(utf8("header "), utf8(JSON.stringify(header)));
  return { sizeBytes: UPDATE_BYTES, digest, signed: signHeaderBytes(bytes, signer), header };
}

export class Harness {
  state: CombinerState;
  nowMs = 1_000_000 as UnixMs;
  /** By round: the members whose updates were folded and not dropped since. */
  readonly sums = new Map<string, Name[]>();
  readonly tasks: { readonly stream: number; readonly task: Task }[] = [];
  readonly messages: CombinerMessage[] = [];
  readonly partials: PartialPlan[] = [];
  readonly effects: Effect[] = [];
  readonly refused: { readonly uploadId: number; readonly codes: readonly string[] }[] = [];
  #uploads = 0;
  #streams = 0;

  constructor(settings: Partial<CombinerState["settings"]> = {}) {
    const defaults = { maxClients: 100, stagingBudgetBytes: 2 ** 20 };
    const fixed = { federationId: FEDERATION_ID, combiner: name("combiner-1") };
    this.state = initialState({ ...fixed, ...defaults, ...settings }, this.nowMs);
  }

  input(input: Input): readonly Effect[] {
    const taken = step(this.state, input, this.nowMs);
    this.state = taken.state;
    for (const effect of taken.effects) this.#perform(effect, input);
    this.effects.push(...taken.effects);
    return taken.effects;
  }

  order(order: Order): readonly Effect[] {
    return this.input({ kind: "order", order });
  }

  /** Attached, everybody attends, the round is open and its model here. */
  open(key: RoundKey, leased: readonly Name[], leaseEpoch = 1): void {
    if (!this.state.reducer.attached) this.input({ kind: "reducer-attached" });
    this.order(openOrder(key, leased, leaseEpoch));
    const hash = modelHash(`base of round ${key.round}`);
    this.input({ kind: "model-ready", modelHash: hash, updateSizeBytes: UPDATE_BYTES });
  }

  attend(...who: readonly Name[]): void {
    for (const member of who) {
      this.#streams += 1;
      this.input({ kind: "client-attended", member, stream: this.#streams });
    }
  }

  leave(member: Name): void {
    const stream = this.state.attending.get(member);
    if (stream !== undefined) this.input({ kind: "client-left", member, stream });
  }

  /** Announces an update and, if it is admitted, stages it. @returns codes of the refusals */
  upload(member: Name, update: UnverifiedUpdate): readonly string[] {
    const { publicKeyDer } = keyOf(member);
    const admission = admitUpload(this.state, update, { member, publicKeyDer });
    if ("refusals" in admission) return admission.refusals.map(({ code }) => code);
    this.#uploads += 1;
    const uploadId = this.#uploads;
    this.input({ kind: "update-staged", uploadId, update: admission.admitted });
    return this.refused.find((each) => each.uploadId === uploadId)?.codes ?? [];
  }

  advance(ms: number): void {
    this.nowMs = (this.nowMs + ms) as UnixMs;
    this.input({ kind: "tick" });
  }

  summed(key: RoundKey): readonly Name[] {
    return (this.sums.get(roundText(key)) ?? []).toSorted();
  }

  /** Kinds of the tasks that went to a member's current stream. */
  tasksOf(member: Name): readonly string[] {
    const stream = this.state.attending.get(member);
    return this.tasks.filter((each) => each.stream === stream).map(({ task }) => task.kind);
  }

  #perform(effect: Effect, input: Input): void {
    switch (effect.kind) {
      case "send-task":
        for (const stream of effect.streams) this.tasks.push({ stream, task: effect.task });
        return;
      case "send-reducer":
        this.messages.push(effect.message);
        return;
      case "fold": {
        if (input.kind !== "update-staged") throw new Error("only a staged update is folded");
        const before = this.sums.get(roundText(effect.key)) ?? [];
        this.sums.set(roundText(effect.key), [...before, input.update.member]);
        return;
      }
      case "drop-sum":
        this.sums.delete(roundText(effect.key));
        return;
      case "send-partial":
        this.partials.push(effect.plan);
        return;
      case "refuse-upload": {
        const codes = effect.refusals.map(({ code }) => code);
        this.refused.push({ uploadId: effect.uploadId, codes });
        return;
      }
      default:
        return;
    }
  }
}
