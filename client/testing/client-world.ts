/** The client's core with the world around it: a clock that is set by hand, and a record of every effect. */
import { utf8 } from "../../lib/base/bytes.ts";
import { type Digest, digestOf, type Name, type SessionId } from "../../lib/base/ids.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { Assignment, Leaving } from "../core/attendance.ts";
import { type ClientState, clientWakesAtMs, newClient, stepClient } from "../core/client.ts";
import type { ClientEffect, Report } from "../core/effects.ts";
import type { ClientInput, CombinerMessage, TaskOutcome } from "../core/inputs.ts";
import type { UploadOutcome } from "../core/kept-updates.ts";
import type { TrainTask, ValidateTask } from "../core/task.ts";

export const sessionOf = (index: number): SessionId =>
  `${"abcdefgh".charAt(index % 8)}${"a".repeat(23)}${"bcdefghi".charAt(index / 8)}a` as SessionId;

export const fakeDigest = (text: string): Digest => digestOf(utf8(text));

export const roundKey = (round: number, attempt = 1, session = 0): RoundKey => ({
  sessionId: sessionOf(session),
  round,
  attempt,
});

export const trainTask = (key: RoundKey): TrainTask => ({
  kind: "train",
  key,
  baseModelHash: fakeDigest(`model ${key.round - 1}`),
  modelSizeBytes: 100,
  packageDigest: fakeDigest("package"),
  sessionSeed: new Uint8Array(32),
  limits: { elementBound: 8, weightCap: 1000, gridExponent: 20 },
  proximalMu: 0,
  hyperparameters: {},
});

export const validateTask = (round: number, session = 0): ValidateTask => ({
  kind: "validate",
  sessionId: sessionOf(session),
  round,
  modelHash: fakeDigest(`model ${round}`),
  modelSizeBytes: 100,
  packageDigest: fakeDigest("package"),
});

export const trainedOutcome = (key: RoundKey): TaskOutcome => ({
  kind: "trained",
  update: {
    body: new Uint8Array(4),
    digest: fakeDigest(`update ${key.sessionId} ${key.round}`),
    exampleCount: 7,
  },
});

export const assignmentOf = (combiner: string): Assignment => ({
  combiner: combiner as Name,
  address: "127.0.0.1:1",
  spkiDigest: fakeDigest(combiner),
  epoch: 1,
});

type EffectOf<Kind extends ClientEffect["kind"]> = Extract<ClientEffect, { kind: Kind }>;

export class ClientWorld {
  state: ClientState = newClient;
  nowMs = 1_000_000;
  jitter = 1 - 2 ** -20;
  readonly effects: ClientEffect[] = [];
  #seen = 0;

  /** Steps, and returns the kinds of the effects of this step. */
  give(input: ClientInput): readonly ClientEffect["kind"][] {
    const moment = { untrustedNowMs: this.nowMs, jitter: this.jitter };
    const { state, effects } = stepClient(this.state, input, moment);
    this.state = state;
    this.effects.push(...effects);
    return effects.map((effect) => effect.kind);
  }

  /** Effects since the last call. */
  news(): readonly ClientEffect[] {
    const fresh = this.effects.slice(this.#seen);
    this.#seen = this.effects.length;
    return fresh;
  }

  latest<Kind extends ClientEffect["kind"]>(kind: Kind): EffectOf<Kind> | undefined {
    return this.effects.findLast((effect): effect is EffectOf<Kind> => effect.kind === kind);
  }

  all<Kind extends ClientEffect["kind"]>(kind: Kind): readonly EffectOf<Kind>[] {
    return this.effects.filter((effect): effect is EffectOf<Kind> => effect.kind === kind);
  }

  get reports(): readonly Report[] {
    return this.all("report").map((effect) => effect.report);
  }

  get visit(): number {
    return this.state.attendance.visit;
  }

  /** Lets time pass, with a tick at the end. */
  advance(delayMs: number) {
    this.nowMs += delayMs;
    return this.give({ kind: "tick" });
  }

  /** Moves to the next instant for which the client waits. */
  wake() {
    const wakeMs = clientWakesAtMs(this.state);
    return this.advance(wakeMs === undefined ? 0 : Math.max(0, wakeMs - this.nowMs));
  }

  /** From resting to attending. */
  attend(combiner = "combiner-0"): this {
    if (this.state.attendance.kind === "resting") this.wake();
    this.give({ kind: "assigned", assignment: assignmentOf(combiner) });
    this.receive({ kind: "welcome" });
    return this;
  }

  receive(message: CombinerMessage) {
    return this.give({ kind: "received", visit: this.visit, message });
  }

  leave(how: Leaving) {
    return this.give({ kind: "left", visit: this.visit, how });
  }

  endRun(outcome: TaskOutcome) {
    return this.give({ kind: "run-ended", run: this.state.work.running?.run ?? 0, outcome });
  }

  endUpload(outcome: UploadOutcome) {
    return this.give({ kind: "upload-ended", upload: this.state.kept.upload?.id ?? 0, outcome });
  }

  /** A round up to its staged update. */
  trainAndStage(key: RoundKey): this {
    this.receive(trainTask(key));
    this.endRun(trainedOutcome(key));
    this.endUpload({ kind: "staged" });
    return this;
  }
}
