import { lengthPrefixed, sha256, uint64Bytes, utf8 } from "../base/bytes.ts";
import type { Name } from "../base/ids.ts";
import { assertInvariant } from "../base/refusal.ts";

/** Bytes of session seeds and member seeds. */
export const SEED_BYTES = 32;

const DOMAIN = utf8("fedclave/member-seed/1\0");

/**
 * The seed of one member's training in one round: independent of attempt and combiner, so that a repeated round
 * gives the same update.
 * @param sessionSeed  32 bytes
 * @param round  ≥ 1
 * @returns 32 bytes
 */
export function memberSeed(sessionSeed: Uint8Array, round: number, member: Name): Uint8Array {
  assertInvariant(sessionSeed.byteLength === SEED_BYTES, "a session seed has 32 bytes");
  assertInvariant(Number.isSafeInteger(round) && round >= 1, "rounds count from 1");
  return sha256(DOMAIN, sessionSeed, uint64Bytes(round), lengthPrefixed(utf8(member)));
}
