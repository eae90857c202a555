/** Whether a combiner's partial may be merged: everything it claims is held against the lease and the members' keys. */
import { sha256, toHex } from "../../lib/base/bytes.ts";
import { type Digest, digestOf, type FederationId, type Name } from "../../lib/base/ids.ts";
import { MAX_REASONS } from "../../lib/base/limits.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import { type RoundKey, roundText, sameRound } from "../../lib/base/round-key.ts";
import {
  type SignedUpdateHeader,
  type UpdateHeader,
  verifyUpdateHeader,
} from "../../lib/federation/update-header.ts";
import type { CommittedUpdate } from "./events.ts";
import type { AdmittedPartial, Round } from "./round-state.ts";

/** A member's header in an index: the signed bytes, and what they say. */
export type UnverifiedHeader = {
  readonly signed: SignedUpdateHeader;
  readonly header: Omit<UpdateHeader, "updateDigest">;
};

/** An index as it was sent: nothing in it is believed yet. */
export type UnverifiedPartial = {
  readonly federationId: string;
  readonly combiner: string;
  readonly key: RoundKey;
  readonly leaseEpoch: number;
  readonly gridExponent: number;
  readonly weightSum: number;
  readonly headers: readonly UnverifiedHeader[];
};

export type PartialExpectations = {
  readonly federationId: FederationId;
  /** Name in the certificate of the connection the partial came over. */
  readonly combiner: Name;
  readonly round: Round;
  readonly baseModelHash: Digest;
  readonly gridExponent: number;
  readonly weightCap: number;
  /** Size of every update body of this session. */
  readonly updateSizeBytes: number;
  /** SubjectPublicKeyInfo of a client's current key, DER. */
  readonly publicKeyOf: (member: Name) => Uint8Array | undefined;
};

/** Whether a partial for this attempt and lease epoch is wanted at all; asked before its body is read. */
export function appraisePartialOffer(
  offered: { readonly key: RoundKey; readonly leaseEpoch: number },
  combiner: Name,
  round: Round | undefined,
): readonly Refusal[] {
  if (round === undefined || !sameRound(round.key, offered.key)) {
    return [refusal("stale-partial", roundText(offered.key), "the attempt that is open")];
  }
  const epoch = round.leases.get(combiner)?.leaseEpoch;
  if (epoch !== offered.leaseEpoch) {
    return [refusal("stale-lease", offered.leaseEpoch, epoch ?? "no lease")];
  }
  if (round.status !== "merging") {
    return [refusal("round-not-merging", round.status, "an offer after CloseRound")];
  }
  return [];
}

/** The partial with nothing left to doubt but its sums, or every reason to refuse it whole. */
export function admitPartial(
  partial: UnverifiedPartial,
  expected: PartialExpectations,
): { readonly admitted: AdmittedPartial } | { readonly refusals: readonly Refusal[] } {
  const leased = new Set<string>(expected.round.leases.get(expected.combiner)?.members);
  const refusals = [
    ...appraisePartialOffer(partial, expected.combiner, expected.round),
    ...appraiseIndex(partial, expected),
    ...partial.headers.flatMap((header) => appraiseHeader(header, leased, expected)),
  ];
  if (refusals.length > 0) return { refusals: refusals.slice(0, MAX_REASONS) };
  const updates = partial.headers.map(
    ({ header, signed }): CommittedUpdate => ({
      member: header.member as Name,
      headerDigest: digestOf(signed.bytes),
      exampleCount: header.exampleCount,
      sizeBytes: header.sizeBytes,
    }),
  );
  const { leaseEpoch, weightSum } = partial;
  return { admitted: { leaseEpoch, weightSum, updates } };
}

function appraiseIndex(partial: UnverifiedPartial, expected: PartialExpectations): Refusal[] {
  const found: Refusal[] = [];
  const compare = (code: string, seen: string | number, wanted: string | number) => {
    if (seen !== wanted) found.push(refusal(code, seen, wanted));
  };
  compare("wrong-federation", partial.federationId, expected.federationId);
  compare("wrong-combiner", partial.combiner, expected.combiner);
  compare("wrong-grid", partial.gridExponent, expected.gridExponent);
  const members = partial.headers.map(({ header }) => header.member);
  if (members.length === 0) found.push(refusal("partial-empty", 0, "at least one update"));
  if (members.some((member, i) => i > 0 && member <= (members[i - 1] ?? ""))) {
    found.push(refusal("headers-not-sorted", members.join(","), "each member once, in order"));
  }
  const weightSum = partial.headers.reduce((sum, { header }) => sum + header.exampleCount, 0);
  compare("wrong-weight-sum", partial.weightSum, weightSum);
  const present = new Set(members);
  const folded = expected.round.folds.get(expected.combiner)?.keys() ?? [];
  for (const member of folded) {
    if (!present.has(member)) found.push(refusal("partial-misses-folded", "absent", member));
  }
  return found;
}

function appraiseHeader(
  { header, signed }: UnverifiedHeader,
  leased: ReadonlySet<string>,
  expected: PartialExpectations,
): Refusal[] {
  const found: Refusal[] = [];
  const { round, combiner } = expected;
  if (!leased.has(header.member)) {
    found.push(refusal("not-leased", header.member, `a member leased to ${combiner}`));
  }
  if (!sameRound(header.key, round.key)) {
    found.push(refusal("wrong-round", roundText(header.key), roundText(round.key)));
  }
  if (header.federationId !== expected.federationId) {
    found.push(refusal("wrong-federation", header.federationId, expected.federationId));
  }
  if (header.baseModelHash !== expected.baseModelHash) {
    found.push(refusal("wrong-base", header.baseModelHash, expected.baseModelHash));
  }
  if (header.sizeBytes !== expected.updateSizeBytes) {
    found.push(refusal("wrong-size", header.sizeBytes, expected.updateSizeBytes));
  }
  if (!(header.exampleCount >= 1 && header.exampleCount <= expected.weightCap)) {
    found.push(refusal("weight-out-of-range", header.exampleCount, `1 to ${expected.weightCap}`));
  }
  const publicKey = leased.has(header.member)
    ? expected.publicKeyOf(header.member as Name)
    : undefined;
  if (publicKey === undefined || !verifyUpdateHeader(publicKey, signed)) {
    const seen = toHex(sha256(signed.signature)).slice(0, 16);
    found.push(refusal("bad-signature", `signature ${seen}…`, `one by ${header.member}`));
  }
  return found;
}
