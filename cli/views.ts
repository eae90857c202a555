/** What the reducer says, as this tool shows and prints it: digests in hex, enums as words, text made printable. */
import { toHex } from "../lib/base/bytes.ts";
import { type Digest, digestFromBytes, type Role } from "../lib/base/ids.ts";
import { printable, type Refusal, refusal } from "../lib/base/refusal.ts";
import { fedclave } from "../proto/generated/fedclave.js";
import { CliError } from "./cli-error.ts";

const { RoundStatus, SessionStatus } = fedclave.v1;

export type SessionStatusWord = "running" | "finished" | "stopped" | "failed" | "unknown";
export type RoundStatusWord =
  | "selecting"
  | "training"
  | "merging"
  | "optimizing"
  | "committed"
  | "failed"
  | "unknown";

export type RoundView = {
  readonly round: number;
  readonly attempt: number;
  readonly status: RoundStatusWord;
  readonly cohortCount: number;
  readonly foldedCount: number;
  readonly cohort: readonly {
    readonly member: string;
    readonly combiner: string;
    readonly folded: boolean;
  }[];
  readonly weightSum: number;
  readonly updateBytes: number;
  readonly openedAtMs: number;
  readonly committedAtMs?: number;
  readonly modelHash?: string;
  /** By name; example-weighted means over the clients that reported on the committed model. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly validatedCount: number;
  readonly validatedExamples: number;
  readonly refusals: readonly (Refusal & { readonly member: string })[];
};

export type SessionView = {
  readonly sessionId: string;
  readonly name: string;
  readonly status: SessionStatusWord;
  readonly rounds: number;
  readonly committedRounds: number;
  readonly modelHash: string;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  readonly waitingFor: string;
  readonly reasons: readonly Refusal[];
  readonly gridExponent: number;
  readonly worstRoundingError: number;
  readonly settings: SettingsView;
  readonly roundHistory: readonly RoundView[];
};

export type SettingsView = {
  readonly seedModelHash: string;
  readonly packageDigest: string;
  readonly aggregator: string;
  readonly proximalMu: number;
  readonly minClients: number;
  readonly quorumCount: number;
  readonly clientFraction: number;
  readonly overSelection: number;
  readonly roundDeadlineMs: number;
  readonly maxAttempts: number;
  readonly elementBound: number;
  readonly normBound?: number;
  readonly weightCap: number;
  readonly maxCohort: number;
  readonly sessionSeed: string;
  readonly hyperparameters: Readonly<Record<string, number>>;
  readonly validate: boolean;
};

export type ModelView = {
  readonly modelHash: Digest;
  readonly name?: string;
  readonly sizeBytes: number;
  readonly parameterCount: number;
  readonly parentModelHash?: string;
  readonly sessionId?: string;
  readonly round?: number;
  readonly committedAtMs: number;
};

export type PackageView = {
  readonly packageDigest: Digest;
  readonly name: string;
  readonly runtime: string;
  readonly sizeBytes: number;
  readonly uploadedAtMs: number;
};

export type MemberView = {
  readonly member: string;
  readonly role: Role | "unknown";
  readonly organization: string;
  readonly spkiDigest: string;
  readonly firstJoinedAtMs: number;
  readonly certificateExpiresAtMs: number;
  readonly connected: boolean;
  readonly at?: string;
};

const SESSION_STATUS_WORDS: Readonly<Record<number, SessionStatusWord>> = {
  [SessionStatus.SESSION_STATUS_RUNNING]: "running",
  [SessionStatus.SESSION_STATUS_FINISHED]: "finished",
  [SessionStatus.SESSION_STATUS_STOPPED]: "stopped",
  [SessionStatus.SESSION_STATUS_FAILED]: "failed",
};

const ROUND_STATUS_WORDS: Readonly<Record<number, RoundStatusWord>> = {
  [RoundStatus.ROUND_STATUS_SELECTING]: "selecting",
  [RoundStatus.ROUND_STATUS_TRAINING]: "training",
  [RoundStatus.ROUND_STATUS_MERGING]: "merging",
  [RoundStatus.ROUND_STATUS_OPTIMIZING]: "optimizing",
  [RoundStatus.ROUND_STATUS_COMMITTED]: "committed",
  [RoundStatus.ROUND_STATUS_FAILED]: "failed",
};

const AGGREGATOR_WORDS: Readonly<Record<number, string>> = {
  [fedclave.v1.AggregatorKind.AGGREGATOR_KIND_FEDAVG]: "fedavg",
  [fedclave.v1.AggregatorKind.AGGREGATOR_KIND_FEDADAM]: "fedadam",
  [fedclave.v1.AggregatorKind.AGGREGATOR_KIND_FEDYOGI]: "fedyogi",
  [fedclave.v1.AggregatorKind.AGGREGATOR_KIND_FEDADAGRAD]: "fedadagrad",
};

const ROLE_WORDS: Readonly<Record<number, Role>> = {
  [fedclave.v1.Role.ROLE_REDUCER]: "reducer",
  [fedclave.v1.Role.ROLE_COMBINER]: "combiner",
  [fedclave.v1.Role.ROLE_CLIENT]: "client",
  [fedclave.v1.Role.ROLE_ADMIN]: "admin",
};

const hexOrAbsent = (bytes: Uint8Array): string | undefined =>
  bytes.byteLength === 0 ? undefined : toHex(bytes);

/** @throws CliError if the reducer sent something else than 32 bytes */
function requiredDigest(bytes: Uint8Array): Digest {
  const digest = digestFromBytes(bytes);
  if (digest === undefined) {
    throw new CliError(
      "refused",
      "the reducer sent a digest that is none; is it of a version that fits?",
    );
  }
  return digest;
}

const refusalView = (wire: fedclave.v1.Refusal): Refusal =>
  refusal(printable(wire.code), wire.seen, wire.wanted);

export function sessionView(wire: fedclave.v1.Session): SessionView {
  return {
    sessionId: printable(wire.sessionId),
    name: printable(wire.settings?.name ?? ""),
    status: SESSION_STATUS_WORDS[wire.status] ?? "unknown",
    rounds: wire.settings?.rounds ?? 0,
    committedRounds: wire.committedRounds,
    modelHash: toHex(wire.modelHash),
    startedAtMs: wire.startedAtMs,
    ...(wire.endedAtMs == null ? {} : { endedAtMs: wire.endedAtMs }),
    waitingFor: printable(wire.waitingFor),
    reasons: wire.reasons.map(refusalView),
    gridExponent: wire.gridExponent,
    worstRoundingError: wire.worstRoundingError,
    settings: settingsView(wire.settings),
    roundHistory: wire.rounds.map(roundView),
  };
}

function settingsView(wire: fedclave.v1.SessionSettings | null | undefined): SettingsView {
  const given = wire ?? new fedclave.v1.SessionSettings();
  return {
    seedModelHash: toHex(given.seedModelHash),
    packageDigest: toHex(given.packageDigest),
    aggregator: AGGREGATOR_WORDS[given.aggregator?.kind ?? 0] ?? "unknown",
    proximalMu: given.proximalMu,
    minClients: given.minClients,
    quorumCount: given.quorumCount,
    clientFraction: given.clientFraction,
    overSelection: given.overSelection,
    roundDeadlineMs: given.roundDeadlineMs,
    maxAttempts: given.maxAttempts,
    elementBound: given.elementBound,
    ...(given.normBound == null ? {} : { normBound: given.normBound }),
    weightCap: given.weightCap,
    maxCohort: given.maxCohort,
    sessionSeed: toHex(given.sessionSeed),
    hyperparameters: Object.fromEntries(
      given.hyperparameters.map((each) => [printable(each.name), each.value]),
    ),
    validate: given.validate,
  };
}

export function roundView(wire: fedclave.v1.Round): RoundView {
  const modelHash = hexOrAbsent(wire.modelHash);
  return {
    round: wire.round,
    attempt: wire.attempt,
    status: ROUND_STATUS_WORDS[wire.status] ?? "unknown",
    cohortCount: wire.cohortCount,
    foldedCount: wire.foldedCount,
    cohort: wire.cohort.map((each) => ({
      member: printable(each.member),
      combiner: printable(each.combiner),
      folded: each.folded,
    })),
    weightSum: wire.weightSum,
    updateBytes: wire.updateBytes,
    openedAtMs: wire.openedAtMs,
    ...(wire.committedAtMs == null ? {} : { committedAtMs: wire.committedAtMs }),
    ...(modelHash === undefined ? {} : { modelHash }),
    metrics: Object.fromEntries(wire.metrics.map((each) => [printable(each.name), each.value])),
    validatedCount: wire.validatedCount,
    validatedExamples: wire.validatedExamples,
    refusals: wire.refusals.map((each) => ({
      member: printable(each.member),
      ...refusalView(each.refusal ?? new fedclave.v1.Refusal()),
    })),
  };
}

export function modelView(wire: fedclave.v1.Model): ModelView {
  const parentModelHash = hexOrAbsent(wire.parentModelHash);
  return {
    modelHash: requiredDigest(wire.modelHash),
    ...(wire.name === "" ? {} : { name: printable(wire.name) }),
    sizeBytes: wire.sizeBytes,
    parameterCount: wire.parameterCount,
    ...(parentModelHash === undefined
      ? {}
      : { parentModelHash, sessionId: printable(wire.sessionId), round: wire.round }),
    committedAtMs: wire.committedAtMs,
  };
}

export const packageView = (wire: fedclave.v1.Package): PackageView => ({
  packageDigest: requiredDigest(wire.packageDigest),
  name: printable(wire.name),
  runtime: printable(wire.runtime),
  sizeBytes: wire.sizeBytes,
  uploadedAtMs: wire.uploadedAtMs,
});

export const memberView = (wire: fedclave.v1.Member): MemberView => ({
  member: printable(wire.member),
  role: ROLE_WORDS[wire.role] ?? "unknown",
  organization: printable(wire.organization),
  spkiDigest: toHex(wire.spkiDigest),
  firstJoinedAtMs: wire.firstJoinedAtMs,
  certificateExpiresAtMs: wire.certificateExpiresAtMs,
  connected: wire.connected,
  ...(wire.at === "" ? {} : { at: printable(wire.at) }),
});

/** Watch sends the session whole, then only the rounds that changed. */
export function withUpdate(before: SessionView | undefined, update: SessionView): SessionView {
  const rounds = new Map((before?.roundHistory ?? []).map((each) => [roundKey(each), each]));
  for (const round of update.roundHistory) rounds.set(roundKey(round), round);
  const roundHistory = [...rounds.values()].sort(
    (a, b) => a.round - b.round || a.attempt - b.attempt,
  );
  return { ...update, roundHistory };
}

const roundKey = ({ round, attempt }: RoundView): string => `${round}/${attempt}`;
