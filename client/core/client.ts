/**
 * A client's decisions, whole: an input and the moment in, effects out. The service carries the effects out and reports
 * what came of them as further inputs. Nothing here is durable: training again gives the same update.
 */
import { refusal } from "../../lib/base/refusal.ts";
import { compareAttempts, type RoundKey, sameRound } from "../../lib/base/round-key.ts";
import {
  type Attendance,
  type AttendanceStep,
  assigned,
  assignFailed,
  attendanceTick,
  attendanceWakesAtMs,
  isCurrentVisit,
  type Leaving,
  left,
  newAttendance,
  welcomed,
} from "./attendance.ts";
import type { ClientEffect, Report } from "./effects.ts";
import type { ClientInput, CombinerMessage, Moment, TaskOutcome } from "./inputs.ts";
import {
  dropUpdates,
  type KeptStep,
  type KeptUpdates,
  keepUpdate,
  noUpdates,
  shelveUpdates,
  startUpload,
  uploadEnded,
  uploadWakesAtMs,
  wantUpdate,
} from "./kept-updates.ts";
import { MAX_SESSIONS, type TrainTask } from "./task.ts";
import {
  addTraining,
  addValidation,
  cancelTrainings,
  endRun,
  forgetAsking,
  isTraining,
  noWork,
  type Running,
  retryTraining,
  startNext,
  type Training,
  type Work,
  type WorkStep,
  workWakesAtMs,
} from "./work.ts";

export type ClientState = {
  readonly attendance: Attendance;
  readonly work: Work;
  readonly kept: KeptUpdates;
  readonly stopped: boolean;
};

export type ClientStep = {
  readonly state: ClientState;
  readonly effects: readonly ClientEffect[];
};

/** A member that has just joined and attends nowhere. */
export const newClient: ClientState = {
  attendance: newAttendance,
  work: noWork,
  kept: noUpdates,
  stopped: false,
};

/** The same state, input and moment give the same step. A stopped client takes nothing more. */
export function stepClient(state: ClientState, input: ClientInput, moment: Moment): ClientStep {
  if (state.stopped) return { state, effects: [] };
  const draft = new Draft(state, moment);
  take(draft, input);
  draft.startWhatIsNext();
  return { state: draft.state(), effects: draft.effects };
}

/** The next instant at which "tick" may change something; undefined when nothing waits for time. */
export function clientWakesAtMs(state: ClientState): number | undefined {
  if (state.stopped) return undefined;
  const instants = [
    attendanceWakesAtMs(state.attendance),
    workWakesAtMs(state.work),
    state.attendance.kind === "attending" ? uploadWakesAtMs(state.kept) : undefined,
  ].filter((instant) => instant !== undefined);
  return instants.length > 0 ? Math.min(...instants) : undefined;
}

/** Collects what one input brings about; alive for one step. */
class Draft {
  readonly effects: ClientEffect[] = [];
  readonly moment: Moment;
  attendance: Attendance;
  work: Work;
  kept: KeptUpdates;
  stopped = false;

  constructor(state: ClientState, moment: Moment) {
    this.attendance = state.attendance;
    this.work = state.work;
    this.kept = state.kept;
    this.moment = moment;
  }

  state(): ClientState {
    const { attendance, work, kept, stopped } = this;
    return { attendance, work, kept, stopped };
  }

  attend({ attendance, effects }: AttendanceStep): void {
    this.attendance = attendance;
    this.effects.push(...effects);
  }

  doWork({ work, effects }: WorkStep): void {
    this.work = work;
    this.effects.push(...effects);
  }

  keep({ kept, effects }: KeptStep): void {
    this.kept = kept;
    this.effects.push(...effects);
  }

  /** Says it to the combiner attended; without one there is nobody to tell, and the next one asks anew. */
  report(report: Report): void {
    const { kind, visit } = this.attendance;
    if (kind === "attending") this.effects.push({ kind: "report", visit, report });
  }

  startWhatIsNext(): void {
    if (this.stopped) return;
    const before = this.work.running;
    this.doWork(startNext(this.work, this.moment));
    const { running } = this.work;
    if (running !== before && isTraining(running)) {
      this.report({ kind: "task-started", key: running.task.key });
    }
    if (this.attendance.kind === "attending") this.keep(startUpload(this.kept, this.moment));
  }
}

function take(draft: Draft, input: ClientInput): void {
  const { moment } = draft;
  switch (input.kind) {
    case "assigned":
      return draft.attend(assigned(draft.attendance, input.assignment, moment));
    case "assign-failed":
      return draft.attend(assignFailed(draft.attendance, moment));
    case "received":
      if (isCurrentVisit(draft.attendance, input.visit)) receive(draft, input.message);
      return;
    case "left":
      if (isCurrentVisit(draft.attendance, input.visit)) leave(draft, input.how);
      return;
    case "run-ended":
      return finishRun(draft, input.run, input.outcome);
    case "upload-ended":
      draft.kept = uploadEnded(draft.kept, input.upload, input.outcome, moment);
      return;
    case "tick":
      return draft.attend(attendanceTick(draft.attendance, moment));
    case "stop":
      return stop(draft);
  }
}

function receive(draft: Draft, message: CombinerMessage): void {
  if (message.kind === "welcome") {
    draft.attendance = welcomed(draft.attendance, draft.moment);
    return;
  }
  // A combiner that sends tasks before it has welcomed does not keep to the protocol.
  if (draft.attendance.kind !== "attending") return;
  switch (message.kind) {
    case "validate":
      draft.work = addValidation(draft.work, message);
      return;
    case "train":
      return askedToTrain(draft, message);
    case "cancel":
      return endRounds(draft, (key) => sameRound(key, message.key));
    case "committed": {
      const { sessionId, round } = message.key;
      return endRounds(draft, (key) => key.sessionId === sessionId && key.round <= round);
    }
  }
}

function askedToTrain(draft: Draft, task: TrainTask): void {
  const wanted = wantUpdate(draft.kept, task.key);
  if (wanted !== undefined) {
    draft.kept = wanted;
    return;
  }
  const { sessionId } = task.key;
  const kept = draft.kept.bySession.get(sessionId);
  if (kept !== undefined && compareAttempts(kept.key, task.key) > 0) return;
  draft.keep(dropUpdates(draft.kept, (key) => key.sessionId === sessionId));
  const added = addTraining(draft.work, task);
  if (added !== undefined) return draft.doWork(added);
  const tooMany = refusal(
    "too-many-tasks",
    MAX_SESSIONS + 1,
    `tasks of at most ${MAX_SESSIONS} sessions`,
  );
  draft.report({ kind: "task-failed", key: task.key, refusals: [tooMany] });
}

function endRounds(draft: Draft, isOver: (key: RoundKey) => boolean): void {
  draft.keep(dropUpdates(draft.kept, isOver));
  draft.doWork(cancelTrainings(draft.work, isOver));
}

function leave(draft: Draft, how: Leaving): void {
  draft.work = forgetAsking(draft.work);
  draft.keep(shelveUpdates(draft.kept));
  draft.attend(left(draft.attendance, how, draft.moment));
}

function finishRun(draft: Draft, run: number, outcome: TaskOutcome): void {
  const end = endRun(draft.work, run);
  if (end === undefined) return;
  draft.work = end.work;
  const { ended } = end;
  if (ended.cancelled) return;
  if (isTraining(ended)) finishTraining(draft, ended, outcome);
  else if (outcome.kind === "validated") reportValidation(draft, ended, outcome);
}

function finishTraining(draft: Draft, { task, ...training }: Training, outcome: TaskOutcome): void {
  const { key, baseModelHash } = task;
  switch (outcome.kind) {
    case "trained": {
      const { update } = outcome;
      return draft.keep(keepUpdate(draft.kept, { key, baseModelHash, update }, training.asked));
    }
    case "failed":
      if (training.asked) draft.report({ kind: "task-failed", key, refusals: outcome.refusals });
      return;
    case "interrupted":
      // If nobody asks any more, whoever asks next starts it anew.
      if (training.asked)
        draft.work = retryTraining(draft.work, { task, ...training }, draft.moment);
      return;
    default:
      return;
  }
}

function reportValidation(
  draft: Draft,
  { task }: Running,
  { exampleCount, metrics }: Extract<TaskOutcome, { kind: "validated" }>,
): void {
  if (task.kind !== "validate") return;
  const { sessionId, round, modelHash } = task;
  draft.report({ kind: "validation-report", sessionId, round, modelHash, exampleCount, metrics });
}

function stop(draft: Draft): void {
  const { attendance } = draft;
  endRounds(draft, () => true);
  if (draft.work.running?.task.kind === "validate") {
    draft.effects.push({ kind: "cancel", run: draft.work.running.run });
  }
  if (isCurrentVisit(attendance, attendance.visit)) {
    draft.effects.push({ kind: "leave", visit: attendance.visit });
  }
  draft.stopped = true;
}
