/** What an admin decides when starting a session; checked whole, every reason at once. */
import { chooseGrid } from "../../lib/aggregation/grid.ts";
import type { AggregatorSettings } from "../../lib/aggregation/merge.ts";
import type { Digest, Name } from "../../lib/base/ids.ts";
import { MAX_COHORT, MAX_HYPERPARAMETERS } from "../../lib/base/limits.ts";
import { type Refusal, RefusedError, refusal } from "../../lib/base/refusal.ts";

export type SessionSettings = {
  readonly name: Name;
  readonly seedModelHash: Digest;
  readonly packageDigest: Digest;
  /** 1 to 100,000. */
  readonly rounds: number;
  readonly aggregator: AggregatorSettings;
  /** FedProx μ ≥ 0; 0 means no proximal term. */
  readonly proximalMu: number;
  /** Clients that must be attending before a cohort is selected. */
  readonly minClients: number;
  /** Part of the attending clients that a round wants, (0, 1]. */
  readonly clientFraction: number;
  /** Further clients selected in case some fail, as a part of those wanted, [0, 4]. */
  readonly overSelection: number;
  /** Fewest updates with which a round may close at its deadline. */
  readonly quorumCount: number;
  readonly roundDeadlineMs: number;
  /** Attempts at one round before the session fails, 1 to 100. */
  readonly maxAttempts: number;
  readonly elementBound: number;
  readonly normBound?: number;
  /** Largest example count of one update. */
  readonly weightCap: number;
  /** Most clients a cohort may have; with the bounds above it fixes the grid. */
  readonly maxCohort: number;
  /** 32 bytes, hex: the root of all randomness in selection and training. */
  readonly sessionSeed: Digest;
  readonly hyperparameters: Readonly<Record<string, number>>;
  readonly validate: boolean;
};

/** The grid a session's sums lie on. */
export type SessionGrid = {
  /** q: sums are multiples of 2^-q. */
  readonly gridExponent: number;
  /** Bound on the error of any element of the mean, 2^-(q+1). */
  readonly worstRoundingError: number;
};

/** Rounds of one session. */
export const MAX_ROUNDS = 100_000;
/** Attempts at one round. */
export const MAX_ATTEMPTS = 100;
const MAX_ROUND_DEADLINE_MS = 30 * 24 * 3_600_000;

type Range = { readonly low: number; readonly high: number; readonly integer: boolean };

const RANGES = {
  rounds: { low: 1, high: MAX_ROUNDS, integer: true },
  proximalMu: { low: 0, high: 1e6, integer: false },
  minClients: { low: 1, high: MAX_COHORT, integer: true },
  overSelection: { low: 0, high: 4, integer: false },
  quorumCount: { low: 1, high: MAX_COHORT, integer: true },
  roundDeadlineMs: { low: 100, high: MAX_ROUND_DEADLINE_MS, integer: true },
  maxAttempts: { low: 1, high: MAX_ATTEMPTS, integer: true },
  maxCohort: { low: 1, high: MAX_COHORT, integer: true },
} as const satisfies Partial<Record<keyof SessionSettings, Range>>;

/** Every reason why these settings cannot start a session, and the grid they imply when there is none. */
export function appraiseSettings(
  settings: SessionSettings,
): { readonly refusals: readonly Refusal[] } | { readonly grid: SessionGrid } {
  const refusals = [
    ...outOfRange(settings),
    ...contradictions(settings),
    ...aggregatorRefusals(settings.aggregator),
  ];
  if (refusals.length > 0) return { refusals };
  try {
    return { grid: chooseGrid(settings) };
  } catch (error) {
    if (error instanceof RefusedError) return { refusals: error.refusals };
    throw error;
  }
}

function outOfRange(settings: SessionSettings): Refusal[] {
  const found: Refusal[] = [];
  for (const [field, range] of Object.entries(RANGES) as [keyof typeof RANGES, Range][]) {
    const value = settings[field];
    const fits = value >= range.low && value <= range.high;
    if (!fits || (range.integer && !Number.isInteger(value))) {
      const kind = range.integer ? "an integer" : "a number";
      found.push(refusal(`setting-${field}`, value, `${kind} from ${range.low} to ${range.high}`));
    }
  }
  if (!(settings.clientFraction > 0 && settings.clientFraction <= 1)) {
    found.push(refusal("setting-clientFraction", settings.clientFraction, "above 0, at most 1"));
  }
  if (settings.normBound !== undefined && !(settings.normBound > 0)) {
    found.push(refusal("setting-normBound", settings.normBound, "above 0, or left out"));
  }
  const hyperparameters = Object.entries(settings.hyperparameters);
  if (hyperparameters.length > MAX_HYPERPARAMETERS) {
    found.push(
      refusal("setting-hyperparameters", hyperparameters.length, `at most ${MAX_HYPERPARAMETERS}`),
    );
  }
  for (const [name, value] of hyperparameters) {
    if (!Number.isFinite(value)) {
      found.push(refusal("setting-hyperparameters", `${name} = ${value}`, "a finite number"));
    }
  }
  return found;
}

function contradictions(settings: SessionSettings): Refusal[] {
  const { quorumCount, minClients, maxCohort } = settings;
  const found: Refusal[] = [];
  if (quorumCount > maxCohort) {
    found.push(refusal("quorum-over-cohort", quorumCount, `at most maxCohort, ${maxCohort}`));
  }
  if (quorumCount > minClients) {
    found.push(
      refusal("quorum-over-min-clients", quorumCount, `at most minClients, ${minClients}`),
    );
  }
  return found;
}

function aggregatorRefusals(aggregator: AggregatorSettings): Refusal[] {
  if (aggregator.kind === "fedavg") return [];
  const found: Refusal[] = [];
  const check = (field: string, value: number, fits: boolean, wanted: string) => {
    if (!fits) found.push(refusal(`aggregator-${field}`, value, wanted));
  };
  const { learningRate, beta1, beta2, tau, initialSecondMoment } = aggregator;
  check("learningRate", learningRate, learningRate > 0 && learningRate < 1e6, "above 0, below 1e6");
  check("beta1", beta1, beta1 >= 0 && beta1 < 1, "from 0, below 1");
  check("beta2", beta2, beta2 >= 0 && beta2 < 1, "from 0, below 1");
  check("tau", tau, tau > 0 && tau < 1e6, "above 0, below 1e6");
  check(
    "initialSecondMoment",
    initialSecondMoment,
    initialSecondMoment >= 0 && initialSecondMoment < 1e6,
    "from 0, below 1e6",
  );
  return found;
}
