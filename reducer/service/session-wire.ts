/** What admins are shown of sessions, models, packages and members. */
import { digestBytes, type Name, type Role } from "../../lib/base/ids.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import { fedclave } from "../../proto/generated/fedclave.js";
import type { Coordinator } from "../core/draft.ts";
import { attendance } from "../core/live.ts";
import { foldedMembers, leaseHolders, type Round } from "../core/round-state.ts";
import type {
  MemberRecord,
  ModelRecord,
  PackageRecord,
  RoundRecord,
  SessionRecord,
} from "../core/state.ts";
import { settingsMessage } from "./settings-wire.ts";

type SessionMessage = fedclave.v1.Session.$Properties;
type RoundMessage = fedclave.v1.Round.$Properties;

const { SessionStatus, RoundStatus } = fedclave.v1;

const SESSION_STATUS = {
  running: SessionStatus.SESSION_STATUS_RUNNING,
  finished: SessionStatus.SESSION_STATUS_FINISHED,
  stopped: SessionStatus.SESSION_STATUS_STOPPED,
  failed: SessionStatus.SESSION_STATUS_FAILED,
} as const;

const LIVE_STATUS = {
  training: RoundStatus.ROUND_STATUS_TRAINING,
  merging: RoundStatus.ROUND_STATUS_MERGING,
  optimizing: RoundStatus.ROUND_STATUS_OPTIMIZING,
} as const;

/** Roles as the wire numbers them. */
export const WIRE_ROLES: Readonly<Record<Role, fedclave.v1.Role>> = {
  reducer: fedclave.v1.Role.ROLE_REDUCER,
  combiner: fedclave.v1.Role.ROLE_COMBINER,
  client: fedclave.v1.Role.ROLE_CLIENT,
  admin: fedclave.v1.Role.ROLE_ADMIN,
};

/** Cohorts are listed for this many attempts of a message, */
const LISTED_COHORTS = 16;
/** and only up to this size, so that a message stays within its limit. */
const LISTED_COHORT_MEMBERS = 256;

/** Rounds of one message: well under what a message may have, so that the rest of the session fits beside them. */
const MAX_ROUNDS_BYTES = 512 * 1024;

/**
 * @param rounds  those of its rounds to include, oldest first: as many as fit, from the front
 * @returns a message within MAX_MESSAGE_BYTES, whatever clients reported
 */
export function sessionMessage(
  coordinator: Coordinator,
  session: SessionRecord,
  rounds: readonly RoundRecord[],
): SessionMessage {
  const live = coordinator.live.sessions.get(session.sessionId)?.round;
  return {
    sessionId: session.sessionId,
    settings: settingsMessage(session.settings),
    status: SESSION_STATUS[session.status],
    committedRounds: session.committedRounds,
    modelHash: digestBytes(session.modelHash),
    startedAtMs: session.startedAtMs,
    ...(session.endedAtMs === undefined ? {} : { endedAtMs: session.endedAtMs }),
    rounds: fitting(
      rounds.map((round, index) =>
        roundMessage(round, live, index >= rounds.length - LISTED_COHORTS),
      ),
    ),
    attemptCount: session.rounds.length,
    waitingFor: waitingFor(coordinator, session),
    reasons: [...session.reasons],
    gridExponent: session.grid.gridExponent,
    worstRoundingError: session.grid.worstRoundingError,
  };
}

function fitting(rounds: readonly RoundMessage[]): RoundMessage[] {
  let bytes = 0;
  const end = rounds.findIndex((round) => {
    bytes += fedclave.v1.Round.encode(round).finish().byteLength;
    return bytes > MAX_ROUNDS_BYTES;
  });
  return rounds.slice(0, end < 0 ? rounds.length : Math.max(1, end));
}

/** A model of the trail, for admins. */
export const modelMessage = (model: ModelRecord): fedclave.v1.Model.$Properties => ({
  modelHash: digestBytes(model.modelHash),
  name: model.name,
  sizeBytes: model.sizeBytes,
  parameterCount: model.parameterCount,
  committedAtMs: model.atMs,
  ...(model.parent === undefined
    ? {}
    : {
        parentModelHash: digestBytes(model.parent.modelHash),
        sessionId: model.parent.sessionId,
        round: model.parent.round,
      }),
});

/** A stored package, for admins. */
export const packageMessage = (record: PackageRecord): fedclave.v1.Package.$Properties => ({
  packageDigest: digestBytes(record.packageDigest),
  name: record.name,
  runtime: record.runtime,
  sizeBytes: record.sizeBytes,
  uploadedAtMs: record.atMs,
});

/** @param places  attendance(live): made once for a whole list */
export function memberMessage(
  { live }: Coordinator,
  member: MemberRecord,
  places: ReadonlyMap<Name, Name>,
): fedclave.v1.Member.$Properties {
  const isCombiner = member.role === "combiner";
  const at = isCombiner
    ? live.combiners.get(member.member)?.attached?.address
    : places.get(member.member);
  return {
    member: member.member,
    role: WIRE_ROLES[member.role],
    organization: member.organization,
    spkiDigest: digestBytes(member.spkiDigest),
    firstJoinedAtMs: member.firstJoinedAtMs,
    certificateExpiresAtMs: member.certificateExpiresAtMs,
    connected: at !== undefined,
    at: at ?? "",
  };
}

function roundMessage(
  record: RoundRecord,
  live: Round | undefined,
  listsCohort: boolean,
): RoundMessage {
  const open = record.status === "open" ? live : undefined;
  const folds = open === undefined ? committedFolds(record) : foldedMembers(open);
  const holders = leaseHolders(open ?? record);
  const listed = listsCohort && record.cohort.length <= LISTED_COHORT_MEMBERS ? record.cohort : [];
  const cohort = listed.map((member) => ({
    member,
    combiner: holders.get(member) ?? "",
    folded: folds.has(member),
  }));
  const { committed } = record;
  return {
    round: record.round,
    attempt: record.attempt,
    status: roundStatus(record, open),
    cohortCount: record.cohort.length,
    foldedCount: folds.size,
    cohort,
    weightSum: sum([...folds.values()].map((fold) => fold.exampleCount)),
    updateBytes: sum([...folds.values()].map((fold) => fold.sizeBytes)),
    openedAtMs: record.openedAtMs,
    ...(committed === undefined
      ? {}
      : { committedAtMs: committed.atMs, modelHash: digestBytes(committed.modelHash) }),
    ...validationFields(record),
    refusals: memberRefusals(record, open),
  };
}

function roundStatus(record: RoundRecord, open: Round | undefined): fedclave.v1.RoundStatus {
  if (record.status === "committed") return RoundStatus.ROUND_STATUS_COMMITTED;
  if (record.status === "failed") return RoundStatus.ROUND_STATUS_FAILED;
  return open === undefined ? RoundStatus.ROUND_STATUS_SELECTING : LIVE_STATUS[open.status];
}

const committedFolds = (record: RoundRecord) =>
  new Map((record.committed?.updates ?? []).map((update) => [update.member, update]));

function memberRefusals(record: RoundRecord, open: Round | undefined) {
  const named = (member: string, reasons: readonly Refusal[]) =>
    reasons.map((reason) => ({ member, refusal: reason }));
  return [
    ...[...(open?.gaveUp ?? [])].flatMap(([member, reasons]) => named(member, reasons)),
    ...named("", record.reasons),
  ].slice(0, LISTED_REFUSALS);
}

/** Example-weighted means: over disjoint validation sets they are the figures of their union. */
function validationFields(record: RoundRecord) {
  const reports = [...record.validations.values()];
  const examples = sum(reports.map((report) => report.exampleCount));
  const names = [...new Set(reports.flatMap((report) => Object.keys(report.metrics)))].sort();
  const metrics = names.map((name) => {
    const reporting = reports.filter((report) => report.metrics[name] !== undefined);
    const weight = sum(reporting.map((report) => report.exampleCount));
    const total = sum(reporting.map((r) => (r.metrics[name] ?? 0) * r.exampleCount));
    return { name, value: total / weight };
  });
  return { metrics, validatedCount: reports.length, validatedExamples: examples };
}

/** For a person: what must happen before the session goes on. */
function waitingFor(coordinator: Coordinator, session: SessionRecord): string {
  if (session.status !== "running") return "";
  const { live } = coordinator;
  const { round, validation } = live.sessions.get(session.sessionId) ?? {};
  if (round?.status === "training") {
    const folded = foldedMembers(round);
    const absent = [...round.cohort].filter((m) => !folded.has(m) && !round.gaveUp.has(m));
    return `updates of ${absent.length} of ${round.cohort.size} clients: ${listed(absent)}`;
  }
  if (round !== undefined) return round.status === "merging" ? "partial aggregates" : "the merge";
  if (session.committedRounds >= session.settings.rounds) {
    const record = session.rounds.findLast((each) => each.round === validation?.round);
    const absent = [...attendance(live).keys()].filter((m) => !record?.validations.has(m));
    return `validation of the last model by ${absent.length} clients: ${listed(absent)}`;
  }
  const attending = attendance(live).size;
  const missing = session.settings.minClients - attending;
  if (missing <= 0) return "the next selection of clients";
  const combiners = [...live.combiners.values()].filter((each) => each.attached !== undefined);
  const hint = combiners.length === 0 ? "; no combiner is attached, start one first" : "";
  const more = missing === 1 ? "1 more client" : `${missing} more clients`;
  return `${more}: ${attending} of ${session.settings.minClients} attend${hint}`;
}

const LISTED = 8;
const LISTED_REFUSALS = 64;

const listed = (members: readonly Name[]): string =>
  members.length <= LISTED
    ? members.join(", ")
    : `${members.slice(0, LISTED).join(", ")} and ${members.length - LISTED} more`;

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
