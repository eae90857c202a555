/** One member at work: runs its core, carries out the effects, and tells the core what came of them. */
import { drawJitter } from "../../lib/base/backoff.ts";
import type { Clock } from "../../lib/base/clock.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import type { Randomness } from "../../lib/base/randomness.ts";
import {
  CodedError,
  describeRefusals,
  InvariantError,
  RefusedError,
  refusal,
} from "../../lib/base/refusal.ts";
import { memberSeed } from "../../lib/federation/seeds.ts";
import type { UpdateHeader } from "../../lib/federation/update-header.ts";
import type { Membership } from "../../lib/transport/membership.ts";
import { sendUpload } from "../../lib/transport/send-upload.ts";
import { TransportError } from "../../lib/transport/transport-error.ts";
import { signUpdateHeader } from "../../lib/transport/update-header-message.ts";
import { WIRE_VERSION } from "../../lib/transport/wire-fields.ts";
import type { Assignment } from "../core/attendance.ts";
import { type ClientState, clientWakesAtMs, newClient, stepClient } from "../core/client.ts";
import type { ClientEffect } from "../core/effects.ts";
import type { ClientInput, TaskOutcome } from "../core/inputs.ts";
import type { KeptUpdate, UploadOutcome } from "../core/kept-updates.ts";
import type { Task } from "../core/task.ts";
import { ClientError } from "./client-error.ts";
import type { TaskInputs } from "./task-inputs.ts";
import type { Trainer } from "./trainer.ts";
import type { DataId, TrainerRequest } from "./trainer-messages.ts";
import { startVisit, type Visit } from "./visit.ts";
import { parseAssignment } from "./wire.ts";

export type MemberClientParts = {
  readonly membership: Membership;
  readonly inputs: TaskInputs;
  readonly trainer: Pick<Trainer, "run">;
  readonly data: DataId;
  /** Directory of the member. */
  readonly home: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  /** Each time a combiner welcomes it. */
  readonly onWelcome: () => void;
};

/** One member: the shell around client/core, alive from its joining to its stop. */
export class MemberClient {
  readonly #parts: MemberClientParts;
  #state: ClientState = newClient;
  #visit: Visit | undefined;
  #cancelTimer = () => {};
  /** What is under way besides the visit, by what the core calls it. */
  readonly #running = new Map<string, AbortController>();

  constructor(parts: MemberClientParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#give({ kind: "tick" });
  }

  /** Ends the visit and cancels all work, at once. */
  stop(): void {
    this.#give({ kind: "stop" });
    for (const controller of this.#running.values()) controller.abort(new Error("stopping"));
  }

  #give(input: ClientInput): void {
    const { clock, randomness, onWelcome } = this.#parts;
    const moment = { untrustedNowMs: clock.untrustedNowMs(), jitter: drawJitter(randomness) };
    const wasAttending = this.#state.attendance.kind === "attending";
    const { state, effects } = stepClient(this.#state, input, moment);
    this.#state = state;
    if (!wasAttending && state.attendance.kind === "attending") onWelcome();
    for (const effect of effects) this.#perform(effect);
    this.#setTimer();
  }

  #setTimer(): void {
    this.#cancelTimer();
    const wakeMs = clientWakesAtMs(this.#state);
    if (wakeMs === undefined) return;
    const { clock } = this.#parts;
    const delayMs = Math.max(1, wakeMs - clock.untrustedNowMs());
    this.#cancelTimer = clock.after(delayMs, () => this.#give({ kind: "tick" }));
  }

  /** Must not give inputs before it returns: effects of one step are carried out in their order. */
  #perform(effect: ClientEffect): void {
    switch (effect.kind) {
      case "assign":
        this.#assign(effect.unreachable).then((input) => this.#give(input));
        return;
      case "attend":
        return this.#attend(effect.visit, effect.assignment);
      case "leave":
        return this.#visit?.end();
      case "report":
        return this.#visit?.say(effect.report);
      case "run": {
        const { run, task } = effect;
        const ended = this.#while(`run ${run}`, (signal) => this.#runTask(task, signal));
        ended.then((outcome) => this.#give({ kind: "run-ended", run, outcome }));
        return;
      }
      case "cancel":
        return this.#abort(`run ${effect.run}`);
      case "upload": {
        const { upload, kept } = effect;
        const ended = this.#while(`upload ${upload}`, (signal) => this.#upload(kept, signal));
        ended.then((outcome) => this.#give({ kind: "upload-ended", upload, outcome }));
        return;
      }
      case "abort-upload":
        return this.#abort(`upload ${effect.upload}`);
    }
  }

  async #while<T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#running.set(name, controller);
    try {
      return await work(controller.signal);
    } finally {
      this.#running.delete(name);
    }
  }

  #abort(name: string): void {
    this.#running.get(name)?.abort(new Error("not wanted any more"));
  }

  async #assign(unreachable: string | undefined): Promise<ClientInput> {
    const { membership, log } = this.#parts;
    const request = { version: WIRE_VERSION, unreachableCombiner: unreachable ?? "" };
    try {
      const answer = await membership.reducer.unary("Assignments.Assign", request);
      return { kind: "assigned", assignment: parseAssignment(answer, membership) };
    } catch (error) {
      log.warn("combiner.none", { error: describeError(error) });
      return { kind: "assign-failed" };
    }
  }

  #attend(visit: number, assignment: Assignment): void {
    const { membership, clock, log } = this.#parts;
    try {
      this.#visit = startVisit({
        assignment,
        membership,
        onMessage: (message) => this.#give({ kind: "received", visit, message }),
        onLeft: (how) => this.#give({ kind: "left", visit, how }),
        clock,
        log,
      });
    } catch (error) {
      log.warn("combiner.left", { combiner: assignment.combiner, error: describeError(error) });
      queueMicrotask(() => this.#give({ kind: "left", visit, how: "failed" }));
    }
  }

  async #runTask(task: Task, signal: AbortSignal): Promise<TaskOutcome> {
    const { inputs, trainer, clock, log } = this.#parts;
    const fields = taskFields(task);
    const combiner = this.#visit?.connection;
    // Without a combiner there is nobody to have the model from; the next one asks anew.
    if (combiner === undefined) return { kind: "interrupted" };
    const startMs = clock.untrustedNowMs();
    try {
      const release = await inputs.hold(task, combiner, signal);
      try {
        const outcome = await trainer.run(this.#request(task), signal);
        const durationMs = clock.untrustedNowMs() - startMs;
        const refused = outcome.kind === "failed" ? describeRefusals(outcome.refusals) : undefined;
        log.info("task.ended", { ...fields, outcome: outcome.kind, durationMs, refused });
        return outcome;
      } finally {
        release();
      }
    } catch (error) {
      // Of our own making: nobody catches it, the process stops.
      if (error instanceof InvariantError) throw error;
      const outcome = signal.aborted ? ({ kind: "cancelled" } as const) : failedTask(error);
      log.warn("task.ended", { ...fields, outcome: outcome.kind, error: describeError(error) });
      return outcome;
    }
  }

  #request(task: Task): TrainerRequest {
    const { data, home, membership } = this.#parts;
    const inputs = { home, data, packageDigest: task.packageDigest };
    if (task.kind === "validate") {
      return { kind: "validate", ...inputs, modelHash: task.modelHash };
    }
    const { key, proximalMu, hyperparameters, limits } = task;
    const seed = memberSeed(task.sessionSeed, key.round, membership.member);
    const modelHash = task.baseModelHash;
    const settings = { seed, proximalMu, hyperparameters, limits };
    return { kind: "train", ...inputs, modelHash, ...settings };
  }

  async #upload(
    kept: Pick<KeptUpdate, "key" | "baseModelHash" | "update">,
    signal: AbortSignal,
  ): Promise<UploadOutcome> {
    const { membership, log } = this.#parts;
    const combiner = this.#visit?.connection;
    if (combiner === undefined) return { kind: "broken" };
    const { body, digest } = kept.update;
    const fields = { ...kept.key, sizeBytes: body.byteLength };
    try {
      const update = signUpdateHeader(headerOf(kept, membership), membership.key);
      await sendUpload(combiner, { update }, body, digest, { signal });
      log.info("update.staged", fields);
      return { kind: "staged" };
    } catch (error) {
      log.warn("update.not-staged", { ...fields, error: describeError(error) });
      if (!(error instanceof RefusedError)) return { kind: "broken" };
      return { kind: "refused", refusals: error.refusals };
    }
  }
}

const headerOf = (
  { key, baseModelHash, update }: Pick<KeptUpdate, "key" | "baseModelHash" | "update">,
  { federationId, member }: Membership,
): UpdateHeader => ({
  federationId,
  key,
  member,
  baseModelHash,
  updateDigest: update.digest,
  sizeBytes: update.body.byteLength,
  exampleCount: update.exampleCount,
});

/** A peer's refusals to hand something out that may end by themselves. */
const PASSING_REFUSALS: ReadonlySet<string> = new Set([
  "busy",
  "too-slow",
  "shutting-down",
  "draining",
  "unknown-model",
]);

/** Package or model did not come, or the trainer was lost: whether another try may do better. */
function failedTask(error: unknown): TaskOutcome {
  if (error instanceof TransportError || error instanceof ClientError)
    return { kind: "interrupted" };
  if (error instanceof RefusedError) {
    return error.refusals.every(({ code }) => PASSING_REFUSALS.has(code))
      ? { kind: "interrupted" }
      : { kind: "failed", refusals: error.refusals };
  }
  // Its own words stay in our log: they may name paths of this machine.
  const code = error instanceof CodedError ? error.code : "task-failed";
  return { kind: "failed", refusals: [refusal(code, "see the client's log", "a task done")] };
}

function taskFields(task: Task) {
  if (task.kind === "validate") {
    return { task: task.kind, sessionId: task.sessionId, round: task.round };
  }
  return { task: task.kind, ...task.key };
}
