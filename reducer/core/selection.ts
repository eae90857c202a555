/** Which of the attending clients take part in a round. */
import {
  concatBytes,
  lengthPrefixed,
  sha256,
  toHex,
  uint64Bytes,
  utf8,
} from "../../lib/base/bytes.ts";
import { digestBytes, type Name } from "../../lib/base/ids.ts";
import type { SessionSettings } from "./settings.ts";

export type Cohort = {
  /** Sorted. */
  readonly members: readonly Name[];
  /** Updates after which the round need not wait for more. */
  readonly wantedCount: number;
};

/**
 * Wants ⌈clientFraction × attending⌉ clients, at least the quorum, and selects overSelection × that many more, bounded
 * by maxCohort. Order is by SHA-256 of session seed, round, attempt and member: the same attending members give the
 * same cohort wherever and whenever it is computed, and nobody can foresee or steer it without the seed.
 * @returns undefined while fewer than minClients attend
 */
export function selectCohort(
  settings: SessionSettings,
  round: number,
  attempt: number,
  attending: readonly Name[],
): Cohort | undefined {
  if (attending.length < settings.minClients) return undefined;
  const wanted = Math.max(
    settings.quorumCount,
    Math.ceil(settings.clientFraction * attending.length),
  );
  const wantedCount = Math.min(wanted, settings.maxCohort, attending.length);
  const selectedCount = Math.min(
    Math.ceil(wantedCount * (1 + settings.overSelection)),
    settings.maxCohort,
    attending.length,
  );
  const ranked = attending
    .map((member) => ({ member, rank: rankOf(settings, round, attempt, member) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const members = ranked.slice(0, selectedCount).map(({ member }) => member);
  return { members: members.sort(), wantedCount };
}

const SELECTION_DOMAIN = utf8("fedclave/selection/1\0");

function rankOf(settings: SessionSettings, round: number, attempt: number, member: Name): string {
  const input = concatBytes(
    SELECTION_DOMAIN,
    digestBytes(settings.sessionSeed),
    uint64Bytes(round),
    uint64Bytes(attempt),
    lengthPrefixed(utf8(member)),
  );
  return toHex(sha256(input));
}
