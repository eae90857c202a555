/** Whether a combiner's partial may be merged: everything it claims is held against the lease and the members' keys. */
import { sha256, toHex } from "../../lib/base/bytes.ts";
import { type Digest, digestOf, type FederationId, type Name } from "../../lib/base/ids.ts";
import { verifyDetached } from "../../lib/base/keys.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import { UPDATE_HEADER_TYPE } from "../../lib/federation/update-header.ts";
import type { CommittedUpdate, RoundKey } from "./events.ts";
import type { AdmittedPartial, Round } from "./round.ts";

export type SignedHeader = {
  /** The exact bytes that were signed. */
  readonly bytes: Uint8Array;
  /** ECDSA P-256, IEEE P1363, 64 bytes. */
  readonly signature: Uint8Array;
  readonly header: {
    readonly federationId: string;
    readonly key: RoundKey;
    readonly member: string;
    readonly baseModelHash: Digest;
    readonly sizeBytes: number;
    readonly exampleCount: number;
  };
};

/** An index as it was sent: nothing in it is believed yet. */
export type UnverifiedPartial = {
  readonly federationId: string;
  readonly combiner: string;
  readonly key: RoundKey;
  readonly leaseEpoch: number;
  readonly gridExponent: number;
  readonly weightSum: number;
  readonly headers: readonly SignedHeader[];
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

/** More reasons than this say nothing further. */
const MAX_REASONS = 16;

/** Whether a partial for this attempt and lease epoch is wanted at all; asked before its body is read. */
export function appraisePartialOffer(
  offered: { readonly key: RoundKey; readonly leaseEpoch: number },
  combiner: Name,
  round: Round | undefined,
): readonly Refusal[] {
  const { sessionId, round: number, attempt } = offered.key;
  const named = `${sessionId} round ${number} attempt ${attempt}`;
  const same =
    round !== undefined &&
    round.key.sessionId === sessionId &&
    round.key.round === number &&
    round.key.attempt === attempt;
  if (!same) return [refusal("stale-partial", named, "the attempt that is open")];
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
    ({ header, bytes }): CommittedUpdate => ({
      member: header.member as Name,
      headerDigest: digestOf(bytes),
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
  const folded = expected.round.folds.get(expected.combiner)?.keys() ?? [];
  for (const member of folded) {
    if (!members.includes(member)) found.push(refusal("partial-misses-folded", "absent", member));
  }
  return found;
}

function appraiseHeader(
  signed: SignedHeader,
  leased: ReadonlySet<string>,
  expected: PartialExpectations,
): Refusal[] {
  const { header } = signed;
  const found: Refusal[] = [];
  const { round, combiner } = expected;
  if (!leased.has(header.member)) {
    found.push(refusal("not-leased", header.member, `a member leased to ${combiner}`));
  }
  const { sessionId, round: number, attempt } = header.key;
  const { key } = round;
  if (sessionId !== key.sessionId || number !== key.round || attempt !== key.attempt) {
    found.push(refusal("wrong-round", `${number}.${attempt}`, `${key.round}.${key.attempt}`));
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
  const signs =
    publicKey !== undefined &&
    verifyDetached(publicKey, UPDATE_HEADER_TYPE, signed.bytes, signed.signature);
  if (!signs) {
    const seen = toHex(sha256(signed.signature)).slice(0, 16);
    found.push(refusal("bad-signature", `signature ${seen}…`, `one by ${header.member}`));
  }
  return found;
}
