/** The reducer's durable state: nothing but the replay of its ledger. */
import type { Digest, FederationId, Name, Role, SessionId, UnixMs } from "../../lib/base/ids.ts";
import { assertInvariant, type Refusal } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type {
  Lease,
  LedgerEvent,
  MemberJoined,
  ModelValidated,
  PackageUploaded,
  RoundCommitted,
  RoundOpened,
} from "./events.ts";
import type { SessionGrid, SessionSettings } from "./settings.ts";

export type MemberRecord = Omit<MemberJoined, "kind" | "atMs"> & {
  readonly firstJoinedAtMs: UnixMs;
};

export type PackageRecord = Omit<PackageUploaded, "kind">;

export type ModelRecord = {
  readonly modelHash: Digest;
  /** Empty for models that rounds made. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly parameterCount: number;
  readonly parent?: {
    readonly modelHash: Digest;
    readonly sessionId: SessionId;
    readonly round: number;
  };
  readonly atMs: UnixMs;
};

export type ValidationRecord = Pick<ModelValidated, "exampleCount" | "metrics">;

/** One attempt at one round. */
export type RoundRecord = {
  readonly round: number;
  readonly attempt: number;
  readonly status: "open" | "committed" | "failed";
  readonly wantedCount: number;
  readonly cohort: readonly Name[];
  /** By combiner. */
  readonly leases: ReadonlyMap<Name, Lease>;
  readonly openedAtMs: UnixMs;
  readonly committed?: RoundCommitted;
  readonly reasons: readonly Refusal[];
  /** By member; of the committed model. */
  readonly validations: ReadonlyMap<Name, ValidationRecord>;
};

export type SessionRecord = {
  readonly sessionId: SessionId;
  readonly settings: SessionSettings;
  readonly grid: SessionGrid;
  readonly status: "running" | "finished" | "stopped" | "failed";
  readonly reasons: readonly Refusal[];
  readonly startedAtMs: UnixMs;
  readonly endedAtMs?: UnixMs;
  /** The newest committed model, or the seed model. */
  readonly modelHash: Digest;
  readonly optimizerStateHash?: Digest;
  readonly committedRounds: number;
  /** In the order they were opened; failed attempts included. */
  readonly rounds: readonly RoundRecord[];
};

export type FederationState = {
  readonly federationId?: FederationId;
  readonly manifestDigest?: Digest;
  /** By role and name, see memberKey. */
  readonly members: ReadonlyMap<string, MemberRecord>;
  readonly packages: ReadonlyMap<Digest, PackageRecord>;
  readonly models: ReadonlyMap<Digest, ModelRecord>;
  readonly sessions: ReadonlyMap<SessionId, SessionRecord>;
};

/** Before the first event of the ledger. */
export const emptyState: FederationState = {
  members: new Map(),
  packages: new Map(),
  models: new Map(),
  sessions: new Map(),
};

/** A name is unique within a role. */
export const memberKey = (role: Role, member: Name): string => `${role}/${member}`;

/** The state after one more event. Pure; an event that cannot follow is a broken invariant. */
export function applyEvent(state: FederationState, event: LedgerEvent): FederationState {
  switch (event.kind) {
    case "federation-founded":
      assertInvariant(state.federationId === undefined, "a federation is founded once");
      return {
        ...state,
        federationId: event.federationId,
        manifestDigest: event.manifestDigest,
      };
    case "member-joined":
      return { ...state, members: withMember(state.members, event) };
    case "package-uploaded": {
      const { kind: _, ...record } = event;
      return { ...state, packages: withEntry(state.packages, record.packageDigest, record) };
    }
    case "model-imported": {
      const { kind: _, ...record } = event;
      return { ...state, models: withNew(state.models, record.modelHash, record) };
    }
    case "session-started":
      return {
        ...state,
        sessions: withEntry(state.sessions, event.sessionId, startSession(event)),
      };
    case "round-opened":
    case "leases-granted":
    case "round-failed":
    case "model-validated":
    case "session-ended":
      return changeSession(state, event.sessionId, (session) => applyToSession(session, event));
    case "round-committed": {
      const changed = changeSession(state, event.sessionId, (s) => applyToSession(s, event));
      return { ...changed, models: withNew(changed.models, event.modelHash, modelOf(event)) };
    }
  }
}

function applyToSession(session: SessionRecord, event: LedgerEvent): SessionRecord {
  switch (event.kind) {
    case "round-opened":
      return { ...session, rounds: [...session.rounds, openRound(event)] };
    case "leases-granted":
      return changeRound(session, event, (round) => ({
        ...round,
        leases: withLeases(round.leases, event.leases),
      }));
    case "round-committed": {
      const { optimizerStateHash } = event;
      return {
        ...changeRound(session, event, (r) => ({ ...r, status: "committed", committed: event })),
        modelHash: event.modelHash,
        committedRounds: event.round,
        ...(optimizerStateHash === undefined ? {} : { optimizerStateHash }),
      };
    }
    case "round-failed":
      return changeRound(session, event, (r) => ({
        ...r,
        status: "failed",
        reasons: event.reasons,
      }));
    case "model-validated":
      return {
        ...session,
        rounds: session.rounds.map((round) =>
          round.round === event.round && round.status === "committed"
            ? { ...round, validations: withEntry(round.validations, event.member, event) }
            : round,
        ),
      };
    case "session-ended":
      return { ...session, status: event.status, reasons: event.reasons, endedAtMs: event.atMs };
    default:
      assertInvariant(false, `a session does not change by ${event.kind}`);
  }
}

/**
 * Members move from lease to lease in one event that names both. A member that comes out of a lease which is not named
 * was left behind by a combiner that was given up: that lease is void, or a restarted reducer would take up both.
 */
function withLeases(
  before: RoundRecord["leases"],
  granted: readonly Lease[],
): RoundRecord["leases"] {
  const moved = new Set(granted.flatMap(({ members }) => members));
  const kept = [...before.values()].filter(({ members }) => !members.some((m) => moved.has(m)));
  return new Map([...kept, ...granted].map((lease) => [lease.combiner, lease]));
}

function startSession(event: Extract<LedgerEvent, { kind: "session-started" }>): SessionRecord {
  return {
    sessionId: event.sessionId,
    settings: event.settings,
    grid: event.grid,
    status: "running",
    reasons: [],
    startedAtMs: event.atMs,
    modelHash: event.settings.seedModelHash,
    committedRounds: 0,
    rounds: [],
  };
}

const openRound = (event: RoundOpened): RoundRecord => ({
  round: event.round,
  attempt: event.attempt,
  status: "open",
  wantedCount: event.wantedCount,
  cohort: event.cohort,
  leases: new Map(),
  openedAtMs: event.atMs,
  reasons: [],
  validations: new Map(),
});

const modelOf = (event: RoundCommitted): ModelRecord => ({
  modelHash: event.modelHash,
  name: "",
  sizeBytes: event.sizeBytes,
  parameterCount: event.parameterCount,
  parent: {
    modelHash: event.parentModelHash,
    sessionId: event.sessionId,
    round: event.round,
  },
  atMs: event.atMs,
});

function withMember(
  members: FederationState["members"],
  event: MemberJoined,
): FederationState["members"] {
  const { kind: _, atMs, ...record } = event;
  const key = memberKey(event.role, event.member);
  const firstJoinedAtMs = members.get(key)?.firstJoinedAtMs ?? atMs;
  return withEntry(members, key, { ...record, firstJoinedAtMs });
}

const withEntry = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> =>
  new Map(map).set(key, value);

/**
 * Keeps the first record of a key. A round may make a model that already exists (all deltas zero, or the same session
 * run again); its trail must stay the one it had, or a trail could run in a circle.
 */
const withNew = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> =>
  map.has(key) ? map : withEntry(map, key, value);

function changeSession(
  state: FederationState,
  sessionId: SessionId,
  change: (session: SessionRecord) => SessionRecord,
): FederationState {
  const session = state.sessions.get(sessionId);
  assertInvariant(session !== undefined, "an event names a session that was started");
  return { ...state, sessions: withEntry(state.sessions, sessionId, change(session)) };
}

function changeRound(
  session: SessionRecord,
  key: RoundKey,
  change: (round: RoundRecord) => RoundRecord,
): SessionRecord {
  const last = session.rounds.at(-1);
  assertInvariant(
    last?.round === key.round && last.attempt === key.attempt && last.status === "open",
    "an event changes the round that is open",
  );
  return { ...session, rounds: [...session.rounds.slice(0, -1), change(last)] };
}

/** From a model back to its seed, newest first; empty if the model is unknown. */
export function modelTrail(state: FederationState, modelHash: Digest): readonly ModelRecord[] {
  const trail: ModelRecord[] = [];
  let model = state.models.get(modelHash);
  while (model !== undefined) {
    trail.push(model);
    model = model.parent === undefined ? undefined : state.models.get(model.parent.modelHash);
  }
  return trail;
}
