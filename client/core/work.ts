/**
 * The tasks of one client: at most one runs, validations go before trainings, and of each session only the newest of
 * either kind counts. A running task is known by the number of its run until the service says how it ended.
 */

import { backoffMs } from "../../lib/base/backoff.ts";
import type { SessionId } from "../../lib/base/ids.ts";
import { compareAttempts, type RoundKey, sameRound } from "../../lib/base/round-key.ts";
import type { Moment } from "./inputs.ts";
import { MAX_SESSIONS, type Task, type TrainTask, type ValidateTask } from "./task.ts";

/** A training that waits for its turn, or for another try. */
export type Training = {
  readonly task: TrainTask;
  /** Whether the combiner attended now has asked for it; if not, its update is kept until one asks. */
  readonly asked: boolean;
  /** Times in a row that its inputs could not be had. */
  readonly interruptionCount: number;
  readonly notBeforeMs: number;
};

export type Running = {
  readonly run: number;
  /** Its end is awaited, its result is not. */
  readonly cancelled: boolean;
} & (Training | { readonly task: ValidateTask });

export type Work = {
  readonly running: Running | undefined;
  readonly validations: ReadonlyMap<SessionId, ValidateTask>;
  readonly trainings: ReadonlyMap<SessionId, Training>;
  readonly lastRun: number;
};

export type WorkEffect =
  /** Do the task; report "run-ended". */
  | { readonly kind: "run"; readonly run: number; readonly task: Task }
  /** Stop it as soon as may be; "run-ended" is still reported. */
  | { readonly kind: "cancel"; readonly run: number };

export type WorkStep = { readonly work: Work; readonly effects: readonly WorkEffect[] };

/** Nothing runs and nothing waits. */
export const noWork: Work = {
  running: undefined,
  validations: new Map(),
  trainings: new Map(),
  lastRun: 0,
};

/** Puts a validation in the queue, unless one of the same or a later round is there already. */
export function addValidation(work: Work, task: ValidateTask): Work {
  const { running, validations } = work;
  const runningRound =
    running?.task.kind === "validate" && running.task.sessionId === task.sessionId
      ? running.task.round
      : 0;
  const knownRound = Math.max(runningRound, validations.get(task.sessionId)?.round ?? 0);
  if (task.round <= knownRound) return work;
  if (!validations.has(task.sessionId) && validations.size >= MAX_SESSIONS) return work;
  return { ...work, validations: new Map(validations).set(task.sessionId, task) };
}

/**
 * Puts a training in the queue; earlier attempts of its session are cancelled or leave the queue. Asking again for one
 * that waits or runs only notes who wants the update.
 * @returns undefined if the queue holds trainings of too many other sessions
 */
export function addTraining(work: Work, task: TrainTask): WorkStep | undefined {
  const { running, trainings } = work;
  const waiting = trainings.get(task.key.sessionId);
  if (waiting !== undefined && compareAttempts(waiting.task.key, task.key) >= 0) {
    const again = sameRound(waiting.task.key, task.key);
    return { work: again ? withTraining(work, { ...waiting, asked: true }) : work, effects: [] };
  }
  if (isTraining(running) && running.task.key.sessionId === task.key.sessionId) {
    const order = compareAttempts(running.task.key, task.key);
    if (order > 0) return { work, effects: [] };
    if (order === 0 && !running.cancelled) {
      return { work: { ...work, running: { ...running, asked: true } }, effects: [] };
    }
  }
  if (waiting === undefined && trainings.size >= MAX_SESSIONS) return undefined;
  const fresh = { task, asked: true, interruptionCount: 0, notBeforeMs: 0 };
  return cancelTrainings(
    withTraining(work, fresh),
    (key) => key.sessionId === task.key.sessionId && compareAttempts(key, task.key) < 0,
  );
}

/** Drops waiting trainings and cancels the running one where `isOver` says so. */
export function cancelTrainings(work: Work, isOver: (key: RoundKey) => boolean): WorkStep {
  const trainings = new Map([...work.trainings].filter(([, { task }]) => !isOver(task.key)));
  const { running } = work;
  if (!isTraining(running) || running.cancelled || !isOver(running.task.key)) {
    return { work: { ...work, trainings }, effects: [] };
  }
  return {
    work: { ...work, trainings, running: { ...running, cancelled: true } },
    effects: [{ kind: "cancel", run: running.run }],
  };
}

/** The combiner that asked is gone: what waits is asked for again by the next one; what runs goes on, to be kept. */
export function forgetAsking(work: Work): Work {
  const { running } = work;
  return {
    ...work,
    validations: new Map(),
    trainings: new Map(),
    running: isTraining(running) ? { ...running, asked: false } : running,
  };
}

/** Takes the run out of the work, so that the next can start. @returns undefined for a run that is not the running one */
export function endRun(
  work: Work,
  run: number,
): { readonly work: Work; readonly ended: Running } | undefined {
  const ended = work.running;
  return ended?.run === run ? { work: { ...work, running: undefined }, ended } : undefined;
}

/** Puts an interrupted training back, to be tried after a while; not if a later one of its session waits. */
export function retryTraining(work: Work, training: Training, moment: Moment): Work {
  if (work.trainings.has(training.task.key.sessionId)) return work;
  const { task, asked } = training;
  const interruptionCount = training.interruptionCount + 1;
  const notBeforeMs = moment.untrustedNowMs + backoffMs(interruptionCount, moment.jitter);
  return withTraining(work, { task, asked, interruptionCount, notBeforeMs });
}

/** Starts what is next, if nothing runs. */
export function startNext(work: Work, { untrustedNowMs }: Moment): WorkStep {
  if (work.running !== undefined) return { work, effects: [] };
  const run = work.lastRun + 1;
  const [validation] = work.validations.values();
  if (validation !== undefined) {
    const validations = new Map(work.validations);
    validations.delete(validation.sessionId);
    const running = { run, cancelled: false, task: validation };
    return {
      work: { ...work, validations, running, lastRun: run },
      effects: [{ kind: "run", run, task: validation }],
    };
  }
  const training = [...work.trainings.values()].find((each) => each.notBeforeMs <= untrustedNowMs);
  if (training === undefined) return { work, effects: [] };
  const trainings = new Map(work.trainings);
  trainings.delete(training.task.key.sessionId);
  return {
    work: { ...work, trainings, running: { run, cancelled: false, ...training }, lastRun: run },
    effects: [{ kind: "run", run, task: training.task }],
  };
}

/** When a waiting training may be tried again; undefined while nothing waits for time. */
export function workWakesAtMs(work: Work): number | undefined {
  if (work.running !== undefined || work.trainings.size === 0) return undefined;
  return Math.min(...[...work.trainings.values()].map((each) => each.notBeforeMs));
}

/** Whether what runs is a training, cancelled or not. */
export const isTraining = (running: Running | undefined): running is Running & Training =>
  running?.task.kind === "train";

function withTraining(work: Work, training: Training): Work {
  const trainings = new Map(work.trainings).set(training.task.key.sessionId, training);
  return { ...work, trainings };
}
