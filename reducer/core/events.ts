/**
 * What the ledger records: outcomes, never intentions. The reducer's durable state is the replay of these.
 * Stored as canonical JSON; every event names its kind and version (docs/wire-formats.md, "ledger events").
 */
import { toHex, utf8 } from "../../lib/base/bytes.ts";
import { canonicalJson, type Json, parseCanonicalJson } from "../../lib/base/canonical-json.ts";
import type { Digest, FederationId, Name, Role, SessionId, UnixMs } from "../../lib/base/ids.ts";
import { CodedError, type Refusal } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { SessionGrid, SessionSettings } from "./settings.ts";

export type FederationFounded = {
  readonly kind: "federation-founded";
  readonly federationId: FederationId;
  readonly manifestDigest: Digest;
  readonly atMs: UnixMs;
};

/** A member joined for the first time, with a new key, or again for a fresh certificate. */
export type MemberJoined = {
  readonly kind: "member-joined";
  readonly member: Name;
  readonly role: Role;
  readonly organization: Name;
  /** SubjectPublicKeyInfo, DER, hex. */
  readonly publicKey: string;
  readonly spkiDigest: Digest;
  readonly certificateExpiresAtMs: UnixMs;
  readonly atMs: UnixMs;
};

export type PackageUploaded = {
  readonly kind: "package-uploaded";
  readonly packageDigest: Digest;
  readonly name: Name;
  readonly runtime: string;
  readonly sizeBytes: number;
  readonly atMs: UnixMs;
};

export type ModelImported = {
  readonly kind: "model-imported";
  readonly modelHash: Digest;
  readonly name: Name;
  readonly sizeBytes: number;
  readonly parameterCount: number;
  readonly atMs: UnixMs;
};

export type SessionStarted = {
  readonly kind: "session-started";
  readonly sessionId: SessionId;
  readonly settings: SessionSettings;
  readonly grid: SessionGrid;
  readonly atMs: UnixMs;
};

export type RoundOpened = RoundKey & {
  readonly kind: "round-opened";
  readonly baseModelHash: Digest;
  /** Updates after which the round closes before its deadline. */
  readonly wantedCount: number;
  /** Sorted. */
  readonly cohort: readonly Name[];
  readonly atMs: UnixMs;
};

/** Which members a combiner may fold, and under which epoch: a partial of any other epoch is void. */
export type Lease = {
  readonly combiner: Name;
  readonly leaseEpoch: number;
  /** Sorted. */
  readonly members: readonly Name[];
};

/** Replaces the leases of the combiners it names; others stay as they are. */
export type LeasesGranted = RoundKey & {
  readonly kind: "leases-granted";
  readonly leases: readonly Lease[];
};

export type CommittedUpdate = {
  readonly member: Name;
  /** SHA-256 of the exact signed header bytes. */
  readonly headerDigest: Digest;
  readonly exampleCount: number;
  readonly sizeBytes: number;
};

export type RoundCommitted = RoundKey & {
  readonly kind: "round-committed";
  readonly modelHash: Digest;
  readonly parentModelHash: Digest;
  /** Artifact with the optimizer's moments; absent for FedAvg. */
  readonly optimizerStateHash?: Digest;
  readonly sizeBytes: number;
  readonly parameterCount: number;
  readonly weightSum: number;
  /** Sorted by member. */
  readonly updates: readonly CommittedUpdate[];
  readonly atMs: UnixMs;
};

export type RoundFailed = RoundKey & {
  readonly kind: "round-failed";
  readonly reasons: readonly Refusal[];
  readonly atMs: UnixMs;
};

export type ModelValidated = {
  readonly kind: "model-validated";
  readonly sessionId: SessionId;
  readonly round: number;
  readonly modelHash: Digest;
  readonly member: Name;
  readonly exampleCount: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly atMs: UnixMs;
};

export type SessionEnded = {
  readonly kind: "session-ended";
  readonly sessionId: SessionId;
  readonly status: "finished" | "stopped" | "failed";
  readonly reasons: readonly Refusal[];
  readonly atMs: UnixMs;
};

export type LedgerEvent =
  | FederationFounded
  | MemberJoined
  | PackageUploaded
  | ModelImported
  | SessionStarted
  | RoundOpened
  | LeasesGranted
  | RoundCommitted
  | RoundFailed
  | ModelValidated
  | SessionEnded;

/** Of every event so far; an upcaster is added here before it rises. */
const EVENT_VERSION = 1;

const EVENT_KINDS: ReadonlySet<string> = new Set<LedgerEvent["kind"]>([
  "federation-founded",
  "member-joined",
  "package-uploaded",
  "model-imported",
  "session-started",
  "round-opened",
  "leases-granted",
  "round-committed",
  "round-failed",
  "model-validated",
  "session-ended",
]);

/** The ledger holds an event this release cannot read. */
export class EventError extends CodedError<"unknown-event" | "malformed-event"> {}

/** Canonical JSON bytes of an event. */
export function encodeEvent(event: LedgerEvent): Uint8Array {
  return utf8(canonicalJson({ version: EVENT_VERSION, ...event } as unknown as Json));
}

/**
 * Reads an event that this reducer sealed itself; the ledger has already proved that nobody else wrote it.
 * @throws EventError "malformed-event" | "unknown-event" when a newer release wrote it
 */
export function decodeEvent(bytes: Uint8Array): LedgerEvent {
  let json: Json;
  try {
    json = parseCanonicalJson(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    const start = toHex(bytes.subarray(0, 8));
    throw new EventError("malformed-event", `a ledger event starting ${start} is not JSON`, {
      cause,
    });
  }
  if (json === null) throw new EventError("malformed-event", "a ledger event is null");
  const { version, ...event } = json as { version: number; kind: string };
  if (version !== EVENT_VERSION || !EVENT_KINDS.has(event.kind)) {
    throw new EventError(
      "unknown-event",
      `the ledger holds an event "${event.kind}" of version ${version}, which this release does not ` +
        "know; run the release that wrote it or a newer one",
    );
  }
  return event as unknown as LedgerEvent;
}
