/** Turns choices into complete settings; the reducer judges their ranges and lists every reason at once. */
import { chooseGrid, MAX_WEIGHT_CAP } from "../lib/aggregation/grid.ts";
import { sha256, utf8 } from "../lib/base/bytes.ts";
import { type Digest, digestBytes, parseDigest } from "../lib/base/ids.ts";
import type { Randomness } from "../lib/base/randomness.ts";
import { RefusedError } from "../lib/base/refusal.ts";
import { SEED_BYTES } from "../lib/federation/seeds.ts";
import { fedclave } from "../proto/generated/fedclave.js";
import { usageError } from "./cli-error.ts";
import { nameArgument } from "./enrol-member.ts";
import { formatCount } from "./rendering/units.ts";
import { SESSION_OPTIONS, type SessionChoices } from "./session-options.ts";

export type SettingsMessage = fedclave.v1.SessionSettings.$Properties;

const SETTINGS_VERSION = 1;
const DEFAULT_ROUNDS = 10;
const DEFAULT_MIN_CLIENTS = 2;
const DEFAULT_MAX_COHORT = 16;
const DEFAULT_ROUND_DEADLINE_SECONDS = 600;
const DEFAULT_MAX_ATTEMPTS = 5;
const DEFAULT_ELEMENT_BOUND = 8;
const DEFAULT_SERVER_LEARNING_RATE = 0.01;
/** The paper's defaults (Reddi et al. 2021, section 4 and appendix D). */
const DEFAULT_BETA1 = 0.9;
const DEFAULT_BETA2 = 0.99;
const DEFAULT_TAU = 1e-3;
const SEED_TEXT_DOMAIN = utf8("fedclave/session-seed-text/1\0");

const { AggregatorKind, BiasCorrection } = fedclave.v1;
const AGGREGATOR_KINDS: Readonly<Record<string, fedclave.v1.AggregatorKind>> = {
  fedavg: AggregatorKind.AGGREGATOR_KIND_FEDAVG,
  fedadam: AggregatorKind.AGGREGATOR_KIND_FEDADAM,
  fedyogi: AggregatorKind.AGGREGATOR_KIND_FEDYOGI,
  fedadagrad: AggregatorKind.AGGREGATOR_KIND_FEDADAGRAD,
};
const BIAS_CORRECTION_KINDS: Readonly<Record<string, fedclave.v1.BiasCorrection>> = {
  none: BiasCorrection.BIAS_CORRECTION_NONE,
  adam: BiasCorrection.BIAS_CORRECTION_ADAM,
  flower: BiasCorrection.BIAS_CORRECTION_FLOWER,
};

/** What a session stands on; resolved before, because names and defaults need the reducer. */
export type SessionGround = {
  readonly packageDigest: Digest;
  readonly packageName: string;
  readonly seedModelHash: Digest;
};

/**
 * @returns the settings, and what was decided for the person, in sentences
 * @throws CliError "usage" for a name that is none, and for what FedAvg would not heed
 */
export function completeSettings(
  choices: SessionChoices,
  ground: SessionGround,
  randomness: Randomness,
): { readonly settings: SettingsMessage; readonly notes: readonly string[] } {
  const minClients = choices.minClients ?? DEFAULT_MIN_CLIENTS;
  const maxCohort = choices.maxCohort ?? Math.max(DEFAULT_MAX_COHORT, minClients);
  const elementBound = choices.elementBound ?? DEFAULT_ELEMENT_BOUND;
  const notes: string[] = [];
  let { weightCap } = choices;
  if (weightCap === undefined) {
    weightCap = largestWeightCap(elementBound, maxCohort);
    notes.push(
      `Weight cap: ${formatCount(weightCap)} examples per update, the largest power of two for up to ` +
        `${formatCount(maxCohort)} clients per round and changes of at most ${elementBound} per weight.`,
    );
  }
  const settings: SettingsMessage = {
    version: SETTINGS_VERSION,
    name: nameArgument(choices.name ?? ground.packageName, "--name"),
    seedModelHash: digestBytes(ground.seedModelHash),
    packageDigest: digestBytes(ground.packageDigest),
    rounds: choices.rounds ?? DEFAULT_ROUNDS,
    aggregator: aggregatorOf(choices),
    proximalMu: choices.mu ?? 0,
    minClients,
    clientFraction: choices.clientFraction ?? 1,
    overSelection: choices.overSelection ?? 0,
    quorumCount: choices.quorum ?? minClients,
    roundDeadlineMs: Math.round(1000 * (choices.roundDeadline ?? DEFAULT_ROUND_DEADLINE_SECONDS)),
    maxAttempts: choices.maxAttempts ?? DEFAULT_MAX_ATTEMPTS,
    elementBound,
    ...(choices.normBound === undefined ? {} : { normBound: choices.normBound }),
    weightCap,
    sessionSeed:
      choices.seed === undefined ? randomness.bytes(SEED_BYTES) : seedOfText(choices.seed),
    hyperparameters: Object.entries(choices.set ?? {}).map(([name, value]) => ({ name, value })),
    validate: choices.validate ?? true,
    maxCohort,
  };
  return { settings, notes };
}

/** 64 hex digits as they are; any other text by its hash. @returns 32 bytes */
export function seedOfText(text: string): Uint8Array {
  const digest = parseDigest(text);
  return digest === undefined ? sha256(SEED_TEXT_DOMAIN, utf8(text)) : digestBytes(digest);
}

/** The largest power of two that a grid of sufficient precision exists for; 1 if there is none. */
export function largestWeightCap(elementBound: number, maxCohort: number): number {
  for (let weightCap = MAX_WEIGHT_CAP; weightCap > 1; weightCap /= 2) {
    try {
      chooseGrid({ elementBound, weightCap, maxCohort });
      return weightCap;
    } catch (error) {
      // Too coarse for this cap; and what no cap can mend is refused by the reducer, with its reason.
      if (!(error instanceof RefusedError)) throw error;
    }
  }
  return 1;
}

/** Choices that only the adaptive aggregators have a use for. */
const ADAPTIVE: ReadonlySet<keyof SessionChoices> = new Set([
  "serverLearningRate",
  "beta1",
  "beta2",
  "tau",
  "initialSecondMoment",
  "biasCorrection",
]);

/** @throws CliError "usage" for what FedAvg would not heed */
function aggregatorOf(choices: SessionChoices): fedclave.v1.Aggregator.$Properties {
  const name = choices.aggregator ?? "fedavg";
  const kind = AGGREGATOR_KINDS[name] ?? AggregatorKind.AGGREGATOR_KIND_UNSPECIFIED;
  if (name === "fedavg") {
    const idle = SESSION_OPTIONS.filter(
      (each) => ADAPTIVE.has(each.key) && choices[each.key] !== undefined,
    );
    if (idle.length > 0) {
      throw usageError(
        `${idle.map((each) => `--${each.flag}`).join(", ")}: not for fedavg; choose --aggregator fedadam, fedyogi or ` +
          "fedadagrad",
      );
    }
    return { kind };
  }
  const tau = choices.tau ?? DEFAULT_TAU;
  return {
    kind,
    learningRate: choices.serverLearningRate ?? DEFAULT_SERVER_LEARNING_RATE,
    beta1: choices.beta1 ?? (name === "fedadagrad" ? 0 : DEFAULT_BETA1),
    beta2: choices.beta2 ?? DEFAULT_BETA2,
    tau,
    initialSecondMoment: choices.initialSecondMoment ?? tau * tau,
    biasCorrection: BIAS_CORRECTION_KINDS[choices.biasCorrection ?? "none"] ?? 0,
  };
}
