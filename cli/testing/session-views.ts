import type { Digest } from "../../lib/base/ids.ts";
import type { RoundView, SessionView } from "../views.ts";

export const HASH_A = "a".repeat(64) as Digest;
export const HASH_B = "b".repeat(64) as Digest;

/** A committed and validated round of two clients. */
export const aRound = (given: Partial<RoundView> = {}): RoundView => ({
  round: 1,
  attempt: 1,
  status: "committed",
  cohortCount: 2,
  foldedCount: 2,
  cohort: [],
  weightSum: 60_000,
  updateBytes: 421_776,
  openedAtMs: 10_000,
  committedAtMs: 11_940,
  modelHash: HASH_B,
  metrics: { accuracy: 0.8241, loss: 0.63214 },
  validatedCount: 2,
  validatedExamples: 10_000,
  refusals: [],
  ...given,
});

/** A round that clients train. */
export const runningRound = (round: number, given: Partial<RoundView> = {}): RoundView => {
  const { committedAtMs: _, modelHash: __, ...open } = aRound();
  return {
    ...open,
    round,
    status: "training",
    foldedCount: 1,
    updateBytes: 210_888,
    metrics: {},
    validatedCount: 0,
    validatedExamples: 0,
    openedAtMs: 12_000,
    ...given,
  };
};

/** A session of three rounds that runs. */
export const aSession = (given: Partial<SessionView> = {}): SessionView => ({
  sessionId: "prfx5z4pnxoi6vogs5iokvzwi4",
  name: "mnist",
  status: "running",
  rounds: 3,
  committedRounds: 0,
  modelHash: HASH_A,
  startedAtMs: 9_000,
  waitingFor: "",
  reasons: [],
  gridExponent: 29,
  worstRoundingError: 2 ** -30,
  settings: {
    seedModelHash: HASH_A,
    packageDigest: HASH_B,
    aggregator: "fedavg",
    proximalMu: 0,
    minClients: 2,
    quorumCount: 2,
    clientFraction: 1,
    overSelection: 0,
    roundDeadlineMs: 600_000,
    maxAttempts: 5,
    elementBound: 8,
    weightCap: 32_768,
    maxCohort: 16,
    sessionSeed: HASH_A,
    hyperparameters: { localEpochs: 2 },
    validate: true,
  },
  roundHistory: [],
  ...given,
});
