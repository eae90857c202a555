/**
 * Updates that are not yet part of a committed model. "Staged" is not durable: a combiner that dies loses what it
 * folded, so an update is kept, in memory, until its round is in the ledger. One is uploaded at a time.
 */

import { backoffMs } from "../../lib/base/backoff.ts";
import type { Digest, SessionId } from "../../lib/base/ids.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import { type RoundKey, sameRound } from "../../lib/base/round-key.ts";
import type { Moment } from "./inputs.ts";
import { MAX_SESSIONS } from "./task.ts";

/** A finished training. */
export type TrainedUpdate = {
  /** Canonical safetensors of the deltas. */
  readonly body: Uint8Array;
  /** SHA-256 of the body. */
  readonly digest: Digest;
  /** ≥ 1. */
  readonly exampleCount: number;
};

export type KeptUpdate = {
  readonly key: RoundKey;
  readonly baseModelHash: Digest;
  readonly update: TrainedUpdate;
  /** "idle" until a combiner asks, "wanted" while one waits for it, "staged" once it has it. */
  readonly status: "idle" | "wanted" | "uploading" | "staged";
  /** The combiner asked again while it was being uploaded: that upload may count for nothing. */
  readonly askedAgain: boolean;
  readonly failureCount: number;
  readonly notBeforeMs: number;
};

export type KeptUpdates = {
  readonly bySession: ReadonlyMap<SessionId, KeptUpdate>;
  /** The upload under way. */
  readonly upload: { readonly id: number; readonly sessionId: SessionId } | undefined;
  readonly lastUpload: number;
};

export type UploadOutcome =
  | { readonly kind: "staged" }
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] }
  /** The stream or the connection failed. */
  | { readonly kind: "broken" };

export type KeptEffect =
  /** Sign the header, upload, report "upload-ended". */
  | {
      readonly kind: "upload";
      readonly upload: number;
      readonly kept: Pick<KeptUpdate, "key" | "baseModelHash" | "update">;
    }
  /** Nothing is reported any more. */
  | { readonly kind: "abort-upload"; readonly upload: number };

export type KeptStep = { readonly kept: KeptUpdates; readonly effects: readonly KeptEffect[] };

/** Refusals that say nothing against the update: the same bytes may be taken later. */
export const PASSING_REFUSALS: ReadonlySet<string> = new Set([
  "busy",
  "too-slow",
  "truncated",
  "digest-mismatch",
  "not-leased",
  "round-not-open",
  "draining",
  "shutting-down",
  "upload-in-progress",
]);

/** Nothing kept, as after every start: updates are not durable. */
export const noUpdates: KeptUpdates = { bySession: new Map(), upload: undefined, lastUpload: 0 };

/** Keeps a fresh update in place of what its session had; with too many sessions the oldest is given up. */
export function keepUpdate(
  kept: KeptUpdates,
  fresh: Pick<KeptUpdate, "key" | "baseModelHash" | "update">,
  asked: boolean,
): KeptStep {
  const others = dropUpdates(kept, (key) => key.sessionId === fresh.key.sessionId);
  const full = others.kept.bySession.size >= MAX_SESSIONS;
  const [oldest] = others.kept.bySession.keys();
  const room = full ? dropUpdates(others.kept, (key) => key.sessionId === oldest) : others;
  const entry: KeptUpdate = {
    ...fresh,
    status: asked ? "wanted" : "idle",
    askedAgain: false,
    failureCount: 0,
    notBeforeMs: 0,
  };
  return {
    kept: withEntry(room.kept, entry),
    effects: full ? [...others.effects, ...room.effects] : others.effects,
  };
}

/** The combiner wants this update. @returns undefined if it is not kept */
export function wantUpdate(kept: KeptUpdates, key: RoundKey): KeptUpdates | undefined {
  const entry = kept.bySession.get(key.sessionId);
  if (entry === undefined || !sameRound(entry.key, key)) return undefined;
  return entry.status === "uploading"
    ? withEntry(kept, { ...entry, askedAgain: true })
    : withEntry(kept, { ...entry, status: "wanted", notBeforeMs: 0 });
}

/** Forgets the updates where `isOver` says so, stopping their upload. */
export function dropUpdates(kept: KeptUpdates, isOver: (key: RoundKey) => boolean): KeptStep {
  const bySession = new Map([...kept.bySession].filter(([, { key }]) => !isOver(key)));
  const { upload } = kept;
  if (upload === undefined || bySession.has(upload.sessionId)) {
    return { kept: { ...kept, bySession }, effects: [] };
  }
  return {
    kept: { ...kept, bySession, upload: undefined },
    effects: [{ kind: "abort-upload", upload: upload.id }],
  };
}

/** The combiner is gone: every update waits until another one asks for it. */
export function shelveUpdates(kept: KeptUpdates): KeptStep {
  const shelved = [...kept.bySession].map(
    ([sessionId, entry]) =>
      [sessionId, { ...entry, status: "idle", askedAgain: false, failureCount: 0 }] as const,
  );
  const { upload } = kept;
  return {
    kept: { ...kept, bySession: new Map(shelved), upload: undefined },
    effects: upload === undefined ? [] : [{ kind: "abort-upload", upload: upload.id }],
  };
}

/** What an upload came to; outcomes of one that was aborted change nothing. */
export function uploadEnded(
  kept: KeptUpdates,
  upload: number,
  outcome: UploadOutcome,
  moment: Moment,
): KeptUpdates {
  const sessionId = kept.upload?.id === upload ? kept.upload.sessionId : undefined;
  const entry = sessionId === undefined ? undefined : kept.bySession.get(sessionId);
  if (entry === undefined) return kept;
  const after = { ...kept, upload: undefined };
  const verdict = judge(outcome);
  if (verdict === "final") return dropUpdates(after, (key) => sameRound(key, entry.key)).kept;
  if (entry.askedAgain) {
    return withEntry(after, { ...entry, status: "wanted", askedAgain: false, notBeforeMs: 0 });
  }
  if (verdict === "staged") {
    return withEntry(after, { ...entry, status: "staged", failureCount: 0 });
  }
  const failureCount = entry.failureCount + 1;
  const notBeforeMs = moment.untrustedNowMs + backoffMs(failureCount, moment.jitter);
  return withEntry(after, { ...entry, status: "wanted", failureCount, notBeforeMs });
}

/** Starts the next wanted upload, if none is under way. */
export function startUpload(kept: KeptUpdates, { untrustedNowMs }: Moment): KeptStep {
  const next = [...kept.bySession.values()].find(
    (each) => each.status === "wanted" && each.notBeforeMs <= untrustedNowMs,
  );
  if (kept.upload !== undefined || next === undefined) return { kept, effects: [] };
  const { key, baseModelHash, update } = next;
  const id = kept.lastUpload + 1;
  const started = withEntry(kept, { ...next, status: "uploading" });
  return {
    kept: { ...started, upload: { id, sessionId: key.sessionId }, lastUpload: id },
    effects: [{ kind: "upload", upload: id, kept: { key, baseModelHash, update } }],
  };
}

/** When a refused or broken upload is tried again; undefined while nothing waits for time. */
export function uploadWakesAtMs(kept: KeptUpdates): number | undefined {
  const wanted = [...kept.bySession.values()].filter((each) => each.status === "wanted");
  if (kept.upload !== undefined || wanted.length === 0) return undefined;
  return Math.min(...wanted.map((each) => each.notBeforeMs));
}

function judge(outcome: UploadOutcome): "staged" | "passing" | "final" {
  if (outcome.kind === "staged") return "staged";
  if (outcome.kind === "broken") return "passing";
  // Already folded there: the answer to an earlier upload was lost on its way.
  const others = outcome.refusals.filter(({ code }) => code !== "duplicate-update");
  if (others.length === 0) return outcome.refusals.length > 0 ? "staged" : "passing";
  return others.every(({ code }) => PASSING_REFUSALS.has(code)) ? "passing" : "final";
}

/** An entry keeps its place in line when it changes. */
const withEntry = (kept: KeptUpdates, entry: KeptUpdate): KeptUpdates => ({
  ...kept,
  bySession: new Map(kept.bySession).set(entry.key.sessionId, entry),
});
