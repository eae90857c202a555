import type { SessionId } from "./ids.ts";

/** Names one attempt at one round of one session; rounds and attempts count from 1. */
export type RoundKey = {
  readonly sessionId: SessionId;
  readonly round: number;
  readonly attempt: number;
};

/** Equality by value. */
export const sameRound = (a: RoundKey, b: RoundKey): boolean =>
  a.sessionId === b.sessionId && compareAttempts(a, b) === 0;

/** Negative if the first is the earlier of two attempts of one session, 0 if they are the same one, else positive. */
export const compareAttempts = (a: RoundKey, b: RoundKey): number =>
  a.round - b.round || a.attempt - b.attempt;

/** For refusals, logs and keys of maps; no two attempts share it. */
export const roundText = ({ sessionId, round, attempt }: RoundKey): string =>
  `${sessionId} round ${round} attempt ${attempt}`;
