/** What the combiner's core knows, what it is told, and what it wants done. */
import type { Digest, FederationId, Name, SessionId, UnixMs } from "../../lib/base/ids.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { SignedUpdateHeader } from "../../lib/federation/update-header.ts";
import type { RoundState, RoundTerms } from "./round.ts";
import type { AdmittedUpdate } from "./upload-admission.ts";

/** Fixed when the process starts. */
export type CombinerSettings = {
  readonly federationId: FederationId;
  readonly combiner: Name;
  /** Clients that may attend at one time. */
  readonly maxClients: number;
  /** Bodies of granted uploads, all together; an update that is larger alone cannot be taken. */
  readonly stagingBudgetBytes: number;
};

/** A model that clients train from or validate. */
export type HeldModel = {
  readonly modelHash: Digest;
  readonly status: "fetching" | "ready" | "unusable";
  /** Of every update body of its layout; 0 until it is ready. */
  readonly updateSizeBytes: number;
  /** Why it is unusable. */
  readonly reasons: readonly Refusal[];
};

/** A committed model that some clients were asked to validate. */
export type Validation = {
  readonly sessionId: SessionId;
  readonly round: number;
  readonly modelHash: Digest;
  readonly modelSizeBytes: number;
  readonly packageDigest: Digest;
  /** Ordered and not reported. */
  readonly awaited: ReadonlySet<Name>;
  /** Of those, not yet told: the model is not here yet. */
  readonly unsent: ReadonlySet<Name>;
  readonly expiresAtMs: UnixMs;
};

/** What is told of a validation. */
export type ValidationOffer = Omit<Validation, "awaited" | "unsent" | "expiresAtMs">;

/** Identifies one Attend stream within the process. */
export type StreamId = number;

export type CombinerState = {
  readonly settings: CombinerSettings;
  /** At most one a session: the attempt under way. */
  readonly rounds: ReadonlyMap<SessionId, RoundState>;
  /** Newest last, at most MAX_VALIDATIONS a session; only those whose reports are still awaited. */
  readonly validations: readonly Validation[];
  /** In the order they were asked for. */
  readonly models: ReadonlyMap<Digest, HeldModel>;
  readonly attending: ReadonlyMap<Name, StreamId>;
  readonly reducer: {
    /** Whether there is a stream to it. */
    readonly attached: boolean;
    /** Lasts until the reducer says something on a new stream: a stream alone may lead nowhere. */
    readonly absence?: { readonly sinceMs: UnixMs; readonly clientsSentAway: boolean };
  };
};

/** Validations of one session that may be under way: a slow client reports while the next round trains. */
export const MAX_VALIDATIONS = 2;
/** After this long nobody's report is awaited any more, nor the model kept for it. */
export const VALIDATION_LIFE_MS = 300_000;
/** Models kept although nothing needs them; an attempt that fails is repeated from the same one. */
export const KEPT_MODELS = 2;
/** How long the reducer may be away before clients are told to look for another combiner. */
export const REDUCER_GRACE_MS = 30_000;

/** Nobody attends and the reducer is away: a combiner keeps nothing over a restart. */
export const initialState = (
  settings: CombinerSettings,
  untrustedNowMs: UnixMs,
): CombinerState => ({
  settings,
  rounds: new Map(),
  validations: [],
  models: new Map(),
  attending: new Map(),
  reducer: { attached: false, absence: { sinceMs: untrustedNowMs, clientsSentAway: false } },
});

/** An order of the reducer. */
export type Order =
  | {
      readonly kind: "open-round";
      readonly key: RoundKey;
      readonly leaseEpoch: number;
      readonly members: readonly Name[];
      readonly terms: RoundTerms;
    }
  | { readonly kind: "close-round"; readonly key: RoundKey; readonly leaseEpoch: number }
  | { readonly kind: "abort-round"; readonly key: RoundKey; readonly reason: Refusal }
  | { readonly kind: "commit-notice"; readonly key: RoundKey; readonly modelHash: Digest }
  | ({ readonly kind: "validate-model"; readonly members: readonly Name[] } & ValidationOffer)
  | { readonly kind: "release-client"; readonly member: Name; readonly reason: Refusal }
  /** Everything current was named by the orders before this one. */
  | { readonly kind: "attached" };

export type Report = {
  readonly sessionId: SessionId;
  readonly round: number;
  readonly modelHash: Digest;
  readonly exampleCount: number;
  readonly metrics: readonly { readonly name: string; readonly value: number }[];
};

export type Input =
  | { readonly kind: "order"; readonly order: Order }
  /** A stream to the reducer is open; what is sent from now on goes there. */
  | { readonly kind: "reducer-attached" }
  | { readonly kind: "reducer-detached" }
  | { readonly kind: "client-attended"; readonly member: Name; readonly stream: StreamId }
  | { readonly kind: "client-left"; readonly member: Name; readonly stream: StreamId }
  | { readonly kind: "task-started"; readonly member: Name; readonly key: RoundKey }
  | {
      readonly kind: "task-failed";
      readonly member: Name;
      readonly key: RoundKey;
      readonly reasons: readonly Refusal[];
    }
  | { readonly kind: "model-validated"; readonly member: Name; readonly report: Report }
  /** An admitted upload's body is whole, its digest right and its content valid. */
  | { readonly kind: "update-staged"; readonly uploadId: number; readonly update: AdmittedUpdate }
  /** An upload ended otherwise; without refusals if its stream broke. */
  | {
      readonly kind: "upload-failed";
      readonly member: Name;
      readonly key: RoundKey;
      readonly refusals: readonly Refusal[];
    }
  | { readonly kind: "model-ready"; readonly modelHash: Digest; readonly updateSizeBytes: number }
  | {
      readonly kind: "model-unusable";
      readonly modelHash: Digest;
      readonly reasons: readonly Refusal[];
    }
  | { readonly kind: "tick" }
  | { readonly kind: "stopping" };

/** What goes to clients on their Attend streams. */
export type Task =
  | { readonly kind: "welcome" }
  | {
      readonly kind: "train";
      readonly key: RoundKey;
      readonly terms: RoundTerms;
      readonly remainingMs: number;
    }
  | ({ readonly kind: "validate" } & ValidationOffer)
  | { readonly kind: "cancel"; readonly key: RoundKey; readonly reason: Refusal }
  | { readonly kind: "committed"; readonly key: RoundKey; readonly modelHash: Digest }
  | { readonly kind: "reassign"; readonly reason: Refusal };

/** What goes to the reducer on the Attach stream. */
export type CombinerMessage =
  | { readonly kind: "hello"; readonly attending: readonly Name[] }
  | { readonly kind: "client-attended"; readonly member: Name }
  | { readonly kind: "client-left"; readonly member: Name }
  | {
      readonly kind: "round-report";
      readonly key: RoundKey;
      readonly leaseEpoch: number;
      readonly folded: readonly Name[];
    }
  | {
      readonly kind: "update-folded";
      readonly key: RoundKey;
      readonly leaseEpoch: number;
      readonly member: Name;
      readonly sizeBytes: number;
      readonly exampleCount: number;
    }
  | {
      readonly kind: "update-refused";
      readonly key: RoundKey;
      readonly member: Name;
      readonly reasons: readonly Refusal[];
      readonly final: boolean;
    }
  | { readonly kind: "client-validation"; readonly member: Name; readonly report: Report }
  | { readonly kind: "task-accepted"; readonly key: RoundKey; readonly member: Name };

/** Everything a partial aggregate says beside its sums. */
export type PartialPlan = {
  readonly key: RoundKey;
  readonly leaseEpoch: number;
  readonly gridExponent: number;
  readonly weightSum: number;
  /** Sorted by member. */
  readonly headers: readonly SignedUpdateHeader[];
};

export type Effect =
  | { readonly kind: "send-task"; readonly streams: readonly StreamId[]; readonly task: Task }
  | {
      readonly kind: "end-stream";
      readonly stream: StreamId;
      readonly reasons: readonly Refusal[];
    }
  | { readonly kind: "send-reducer"; readonly message: CombinerMessage }
  /** Add the staged body to the round's sums, now: the state says that they hold it. */
  | {
      readonly kind: "fold";
      readonly uploadId: number;
      readonly key: RoundKey;
      readonly terms: RoundTerms;
      readonly exampleCount: number;
    }
  | {
      readonly kind: "refuse-upload";
      readonly uploadId: number;
      readonly refusals: readonly Refusal[];
    }
  /** Forget the round's sums; the next fold starts from zero. */
  | { readonly kind: "drop-sum"; readonly key: RoundKey }
  /** Deliver the round's sums to the reducer, again and again until it has them or "stop-partial". */
  | { readonly kind: "send-partial"; readonly plan: PartialPlan }
  | { readonly kind: "stop-partial"; readonly key: RoundKey }
  /** Get the model from the reducer, for as long as it takes or until "drop-model". */
  | { readonly kind: "fetch-model"; readonly modelHash: Digest; readonly sizeBytes: number }
  | { readonly kind: "drop-model"; readonly modelHash: Digest };
