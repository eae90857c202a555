/**
 * Where a client is with its combiner: resting → assigning → connecting → attending, and from everywhere back to
 * resting or assigning. Each visit to a combiner has a number, so that what an abandoned stream still says is ignored.
 */

import { backoffMs } from "../../lib/base/backoff.ts";
import type { Digest, Name } from "../../lib/base/ids.ts";
import type { Moment } from "./inputs.ts";

/** The only combiner that a client talks to until its next assignment. */
export type Assignment = {
  readonly combiner: Name;
  /** host:port; a hint where to connect, no matter of trust. */
  readonly address: string;
  /** The key the combiner must prove. */
  readonly spkiDigest: Digest;
  readonly epoch: number;
};

type Progress = {
  /** Failures in a row; a visit that lasted ends the row. */
  readonly failureCount: number;
  /** Of the latest visit. */
  readonly visit: number;
  /** The combiner that just failed, told to the reducer with the next request. */
  readonly unreachable: Name | undefined;
};

export type Attendance = Progress &
  (
    | { readonly kind: "resting"; readonly untilMs: number }
    | { readonly kind: "assigning" }
    | { readonly kind: "connecting"; readonly assignment: Assignment; readonly untilMs: number }
    | { readonly kind: "attending"; readonly assignment: Assignment; readonly sinceMs: number }
  );

export type AttendanceEffect =
  /** Ask the reducer for an assignment; report "assigned" or "assign-failed". */
  | { readonly kind: "assign"; readonly unreachable: Name | undefined }
  /** Connect and attend; report "welcomed" and in the end "left", both with the visit. */
  | { readonly kind: "attend"; readonly visit: number; readonly assignment: Assignment }
  /** End the visit; nothing is reported any more. */
  | { readonly kind: "leave"; readonly visit: number };

export type AttendanceStep = {
  readonly attendance: Attendance;
  readonly effects: readonly AttendanceEffect[];
};

/** Why a visit ended: the combiner asked to leave, or its stream ended or failed. */
export type Leaving = "reassigned" | "ended" | "failed";

/** How long a combiner may take from the first packet to Welcome. */
export const WELCOME_TIMEOUT_MS = 10_000;
/** A shorter visit counts as a failure, or a combiner that welcomes and drops would be called in a tight loop. */
export const LASTING_VISIT_MS = 1_000;

/** A client that has not asked for anything yet: the first "tick" makes it ask. */
export const newAttendance: Attendance = {
  kind: "resting",
  untilMs: 0,
  failureCount: 0,
  visit: 0,
  unreachable: undefined,
};

/** The reducer named a combiner: connect to it. */
export function assigned(
  attendance: Attendance,
  assignment: Assignment,
  { untrustedNowMs }: Moment,
): AttendanceStep {
  if (attendance.kind !== "assigning") return { attendance, effects: [] };
  const visit = attendance.visit + 1;
  const untilMs = untrustedNowMs + WELCOME_TIMEOUT_MS;
  return {
    attendance: { ...progressOf(attendance), kind: "connecting", assignment, untilMs, visit },
    effects: [{ kind: "attend", visit, assignment }],
  };
}

/** The reducer could not be asked, or has no combiner: rest and ask again. */
export function assignFailed(attendance: Attendance, moment: Moment): AttendanceStep {
  return attendance.kind === "assigning"
    ? { attendance: rest(attendance, moment), effects: [] }
    : { attendance, effects: [] };
}

/** The combiner of this visit knows the member and will push tasks. */
export function welcomed(attendance: Attendance, { untrustedNowMs }: Moment): Attendance {
  return attendance.kind === "connecting"
    ? {
        ...progressOf(attendance),
        kind: "attending",
        assignment: attendance.assignment,
        sinceMs: untrustedNowMs,
      }
    : attendance;
}

/** The visit is over. After one that lasted the client asks again at once; else it rests first. */
export function left(attendance: Attendance, how: Leaving, moment: Moment): AttendanceStep {
  if (attendance.kind !== "attending" && attendance.kind !== "connecting") {
    return { attendance, effects: [] };
  }
  // A combiner that asks to leave is well; whether it may be assigned again is for the reducer to know.
  const unreachable = how === "reassigned" ? undefined : attendance.assignment.combiner;
  const after = { ...progressOf(attendance), unreachable };
  const lasted =
    attendance.kind === "attending" &&
    moment.untrustedNowMs - attendance.sinceMs >= LASTING_VISIT_MS;
  return lasted
    ? ask({ ...after, failureCount: 0 })
    : { attendance: rest(after, moment), effects: [] };
}

/** Ends a rest, or gives up a combiner that does not welcome. */
export function attendanceTick(attendance: Attendance, moment: Moment): AttendanceStep {
  const wakeMs = attendanceWakesAtMs(attendance);
  if (wakeMs === undefined || moment.untrustedNowMs < wakeMs) return { attendance, effects: [] };
  if (attendance.kind === "resting") return ask(attendance);
  const step = left(attendance, "failed", moment);
  return { ...step, effects: [{ kind: "leave", visit: attendance.visit }, ...step.effects] };
}

/** When it must be given the time again; undefined while it waits for others. */
export const attendanceWakesAtMs = (attendance: Attendance): number | undefined =>
  attendance.kind === "resting" || attendance.kind === "connecting"
    ? attendance.untilMs
    : undefined;

/** Whether this visit is the one under way. */
export const isCurrentVisit = (attendance: Attendance, visit: number): boolean =>
  (attendance.kind === "connecting" || attendance.kind === "attending") &&
  attendance.visit === visit;

function ask(progress: Progress): AttendanceStep {
  const { unreachable } = progress;
  return {
    attendance: { ...progressOf(progress), kind: "assigning" },
    effects: [{ kind: "assign", unreachable }],
  };
}

function rest(progress: Progress, { untrustedNowMs, jitter }: Moment): Attendance {
  const failureCount = progress.failureCount + 1;
  const untilMs = untrustedNowMs + backoffMs(failureCount, jitter);
  return { ...progressOf(progress), kind: "resting", failureCount, untilMs };
}

const progressOf = ({ failureCount, visit, unreachable }: Progress): Progress => ({
  failureCount,
  visit,
  unreachable,
});
