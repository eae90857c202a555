/** Whether an update may be sent at all: everything its header claims is held against the round, before any body byte. */
import { validateWeight } from "../../lib/aggregation/validate.ts";
import type { Digest, Name } from "../../lib/base/ids.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import { compareAttempts, type RoundKey, roundText, sameRound } from "../../lib/base/round-key.ts";
import {
  type SignedUpdateHeader,
  type UpdateHeader,
  verifyUpdateHeader,
} from "../../lib/federation/update-header.ts";
import type { RoundState } from "./round.ts";
import type { CombinerState } from "./state.ts";

/** An update as its member announces it: well formed, and nothing of it believed yet. */
export type UnverifiedUpdate = {
  /** What the transport will hold the body against. */
  readonly sizeBytes: number;
  readonly digest: Digest;
  readonly signed: SignedUpdateHeader;
  /** What the signed bytes say. */
  readonly header: UpdateHeader;
};

/** The peer as its certificate names it. */
export type Uploader = {
  readonly member: Name;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyDer: Uint8Array;
};

/** An update whose header is right; its body is still unknown. */
export type AdmittedUpdate = {
  readonly member: Name;
  readonly key: RoundKey;
  readonly sizeBytes: number;
  readonly exampleCount: number;
  readonly signed: SignedUpdateHeader;
};

/** The update, or every reason why its body is not wanted. */
export function admitUpload(
  state: CombinerState,
  update: UnverifiedUpdate,
  uploader: Uploader,
):
  | { readonly admitted: AdmittedUpdate; readonly round: RoundState }
  | { readonly refusals: readonly Refusal[] } {
  const { header, signed } = update;
  const round = state.rounds.get(header.key.sessionId);
  const refusals = [
    ...appraiseSigner(state, update, uploader),
    ...appraiseOffer(round, header.key, uploader.member),
    ...appraiseContent(state, update, round),
  ];
  if (refusals.length > 0 || round === undefined) return { refusals };
  const { key, sizeBytes, exampleCount } = header;
  return {
    admitted: { member: uploader.member, key, sizeBytes, exampleCount, signed },
    round,
  };
}

/** Whether this round takes an update of this member; asked again when its body is here. */
export function appraiseOffer(
  round: RoundState | undefined,
  key: RoundKey,
  member: Name,
): readonly Refusal[] {
  const named = roundText(key);
  if (round === undefined) return [refusal("round-not-open", named, "a round of this combiner")];
  if (!sameRound(round.key, key)) {
    const code = compareAttempts(key, round.key) < 0 ? "stale-round" : "round-not-open";
    return [refusal(code, named, roundText(round.key))];
  }
  const found: Refusal[] = [];
  if (round.status !== "open") found.push(refusal("round-not-open", round.status, "open"));
  if (!round.members.has(member)) {
    found.push(refusal("not-leased", member, "a member leased to this combiner"));
  }
  if (round.folded.has(member)) {
    found.push(refusal("duplicate-update", member, "one update a member and attempt"));
  }
  if (round.gaveUp.has(member)) {
    found.push(refusal("member-gave-up", member, "a member that was not refused in this attempt"));
  }
  return found;
}

/** The header is by the peer, for this federation. */
function appraiseSigner(
  { settings }: CombinerState,
  { header, signed }: UnverifiedUpdate,
  uploader: Uploader,
): readonly Refusal[] {
  const found: Refusal[] = [];
  if (header.federationId !== settings.federationId) {
    found.push(refusal("wrong-federation", header.federationId, settings.federationId));
  }
  if (header.member !== uploader.member) {
    found.push(refusal("wrong-member", header.member, uploader.member));
  }
  const { publicKeyDer } = uploader;
  if (!verifyUpdateHeader(publicKeyDer, signed)) {
    const wanted = `a signature by the key of ${uploader.member}`;
    found.push(refusal("bad-signature", `${signed.signature.byteLength} bytes`, wanted));
  }
  return found;
}

/** What it says of its body fits the round; nothing is asked of a round that does not want it. */
function appraiseContent(
  state: CombinerState,
  update: UnverifiedUpdate,
  round: RoundState | undefined,
): readonly Refusal[] {
  const { header } = update;
  const found: Refusal[] = [];
  if (update.digest !== header.updateDigest) {
    found.push(refusal("digest-mismatch", update.digest, header.updateDigest));
  }
  if (update.sizeBytes !== header.sizeBytes) {
    found.push(refusal("wrong-size", update.sizeBytes, header.sizeBytes));
  }
  if (round === undefined || !sameRound(round.key, header.key)) return found;
  const { baseModelHash, limits } = round.terms;
  if (header.baseModelHash !== baseModelHash) {
    found.push(refusal("wrong-base", header.baseModelHash, baseModelHash));
  }
  found.push(...validateWeight(header.exampleCount, limits));
  const model = state.models.get(baseModelHash);
  if (model?.status !== "ready") {
    found.push(refusal("round-not-open", "the base model is not here yet", "open"));
  } else if (header.sizeBytes !== model.updateSizeBytes) {
    found.push(refusal("wrong-size", header.sizeBytes, model.updateSizeBytes));
  }
  return found;
}

/**
 * Codes after which the same update may be sent again, since they say nothing against it. Every other refusal makes
 * its member drop it, so the round need not wait for that member.
 */
const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  "busy",
  "too-slow",
  "truncated",
  "digest-mismatch",
  "not-leased",
  "round-not-open",
  "stale-round",
  "duplicate-update",
  "draining",
  "shutting-down",
]);

/** Of those, the ones that a member can avoid. */
const FAULTS_OF_MEMBER: ReadonlySet<string> = new Set(["too-slow", "truncated", "digest-mismatch"]);

/** Whether the same update may be taken when it is sent again. */
export const isTransient = (refusals: readonly Refusal[]): boolean =>
  refusals.every(({ code }) => TRANSIENT_CODES.has(code));

/** Whether the member, and not this combiner, is why the upload failed. */
export const isFaultOfMember = (refusals: readonly Refusal[]): boolean =>
  refusals.some(({ code }) => FAULTS_OF_MEMBER.has(code));
