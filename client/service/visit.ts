/** One visit to a combiner: its connection, the stream on which it pushes tasks, and what the client says on it. */
import type { Clock } from "../../lib/base/clock.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import { Outbox } from "../../lib/base/outbox.ts";
import { ProvisioningError } from "../../lib/provisioning/provisioning-error.ts";
import { type ClientStream, type Connection, connect } from "../../lib/transport/connect.ts";
import type { Membership } from "../../lib/transport/membership.ts";
import type { ReceivedResponseOf, SentRequestOf } from "../../lib/transport/rpcs.ts";
import { TransportError } from "../../lib/transport/transport-error.ts";
import { WIRE_VERSION } from "../../lib/transport/wire-fields.ts";
import type { Assignment, Leaving } from "../core/attendance.ts";
import type { Report } from "../core/effects.ts";
import type { CombinerMessage } from "../core/inputs.ts";
import { ClientError } from "./client-error.ts";
import { parseTask, reportMessage } from "./wire.ts";

/** Reports that may wait for a combiner that does not read. */
const MAX_WAITING_REPORTS = 64;

type Attend = ClientStream<ReceivedResponseOf<"Tasks.Attend">, SentRequestOf<"Tasks.Attend">>;

export type Visit = {
  /** For uploads and downloads during the visit. */
  readonly connection: Connection;
  readonly say: (report: Report) => void;
  /** Ends it at once; `onLeft` is not called any more. */
  readonly end: () => void;
};

export type VisitOptions = {
  readonly assignment: Assignment;
  readonly membership: Pick<Membership, "identity" | "trust">;
  readonly onMessage: (message: CombinerMessage) => void;
  readonly onLeft: (how: Leaving) => void;
  readonly clock: Clock;
  readonly log: Log;
};

/** Connects to exactly the key that the assignment names, and attends. */
export function startVisit(options: VisitOptions): Visit {
  const { assignment, membership, clock, log } = options;
  const { combiner, address, spkiDigest } = assignment;
  const connection = connect({
    address,
    identity: membership.identity,
    trust: membership.trust,
    expect: { role: "combiner", spkiDigest, member: combiner },
    clock,
    log,
  });
  const stream = connection.bidi("Tasks.Attend");
  const reports = new Outbox<Report>(MAX_WAITING_REPORTS);
  let isOver = false;

  function close(): void {
    isOver = true;
    reports.close();
    connection.close();
  }

  function left(how: Leaving, error?: unknown): void {
    if (isOver) return;
    close();
    const event = isImpostor(error) ? "combiner.refused" : "combiner.left";
    const why = error === undefined ? {} : { error: describeError(error) };
    log.warn(event, { combiner, address, how, ...why });
    options.onLeft(how);
  }

  async function attend(): Promise<Leaving> {
    const hello = { version: WIRE_VERSION, assignmentEpoch: assignment.epoch };
    await stream.write({ hello });
    // A failed write ends the visit as a failed read does.
    sendReports(stream, reports).catch((error: unknown) => left("failed", error));
    for (;;) {
      const message = await stream.read();
      if (message === undefined) return "ended";
      const task = parseTask(message);
      if (isOver) return "ended";
      if (task?.kind === "reassign") return "reassigned";
      if (task?.kind === "welcome") log.info("combiner.attending", { combiner, address });
      if (task !== undefined) options.onMessage(task);
    }
  }

  attend().then(left, (error: unknown) => left("failed", error));
  return {
    connection,
    say: (report) => {
      if (isOver || reports.push(report)) return;
      const error = new ClientError("reports-not-taken", "the combiner does not take our reports");
      // Later: whoever says something does not expect an answer before it is done.
      queueMicrotask(() => left("failed", error));
    },
    end: close,
  };
}

async function sendReports(stream: Attend, reports: Outbox<Report>): Promise<void> {
  for (;;) {
    const report = await reports.next();
    if (report === undefined) return;
    await stream.write(reportMessage(report));
  }
}

/** Somebody answered who is not the combiner assigned: worth more than a line about a lost connection. */
function isImpostor(error: unknown): boolean {
  if (error instanceof TransportError) return error.code === "wrong-peer";
  return error instanceof ProvisioningError;
}
