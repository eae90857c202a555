/**
 * Server steps of adaptive federated optimization (Reddi et al. 2021, "Adaptive Federated Optimization",
 * Algorithm 2). Element-wise in float64, each formula in one fixed order of operations and without pow, so the
 * same inputs give the same bits on every build.
 */
import { assertInvariant } from "../base/refusal.ts";

export type AdaptiveKind = "fedadam" | "fedyogi" | "fedadagrad";

/**
 * How FedAdam's step makes up for moments that start at their initial values; the others ignore it.
 * none: the paper's rule. adam: the learning rate times √(1 − β₂^t) / (1 − β₁^t) with t = 1 in the first round
 * (Kingma and Ba 2015, end of section 2). flower: the same with t = 2 in the first round, as Flower does.
 */
export type BiasCorrection = "none" | "adam" | "flower";

export type AdaptiveSettings = {
  readonly kind: AdaptiveKind;
  /** η, the server's learning rate: finite, above 0. */
  readonly learningRate: number;
  /** β₁ in [0, 1): how much of the first moment stays. */
  readonly beta1: number;
  /** β₂ in [0, 1): how much of the second moment stays; FedAdagrad ignores it. */
  readonly beta2: number;
  /** τ, finite, above 0: added to √v, so it bounds the step of elements that hardly move. */
  readonly tau: number;
  /** v before the first round, finite, ≥ 0; the paper wants at least τ². */
  readonly initialSecondMoment: number;
  readonly biasCorrection: BiasCorrection;
};

export type AggregatorSettings = { readonly kind: "fedavg" } | AdaptiveSettings;

/** Moments of some elements, changed in place; all arrays of one length. */
export type Moments = { readonly m: Float64Array; readonly v: Float64Array };

/** Broken invariant unless every field is in its range: sessions are appraised before they start. */
export function assertAdaptiveSettings(settings: AdaptiveSettings): void {
  const { learningRate, beta1, beta2, tau, initialSecondMoment } = settings;
  assertInvariant(learningRate > 0 && learningRate < Infinity, "learningRate is in range");
  assertInvariant(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, "betas are in range");
  assertInvariant(tau > 0 && tau < Infinity, "tau is in range");
  assertInvariant(initialSecondMoment >= 0 && initialSecondMoment < Infinity, "v0 is in range");
}

/**
 * x += step(mean), and the moments move on.
 * @param step  rounds done including this one, from 1
 */
export function adaptiveStep(
  settings: AdaptiveSettings,
  step: number,
  x: Float64Array,
  mean: Float64Array,
  { m, v }: Moments,
): void {
  const { beta1, tau } = settings;
  const rate = stepRate(settings, step);
  const nextV = secondMomentRule(settings);
  for (let i = 0; i < x.length; i++) {
    const delta = mean[i] as number;
    const nextM = beta1 * (m[i] as number) + (1 - beta1) * delta;
    const second = nextV(v[i] as number, delta * delta);
    m[i] = nextM;
    v[i] = second;
    (x[i] as number) += (rate * nextM) / (Math.sqrt(second) + tau);
  }
}

function secondMomentRule({
  kind,
  beta2,
}: AdaptiveSettings): (v: number, square: number) => number {
  switch (kind) {
    case "fedadam":
      return (v, square) => beta2 * v + (1 - beta2) * square;
    case "fedyogi":
      return (v, square) => v - (1 - beta2) * square * Math.sign(v - square);
    case "fedadagrad":
      return (v, square) => v + square;
  }
}

function stepRate(settings: AdaptiveSettings, step: number): number {
  const { kind, biasCorrection, learningRate, beta1, beta2 } = settings;
  if (kind !== "fedadam" || biasCorrection === "none") return learningRate;
  const t = biasCorrection === "adam" ? step : step + 1;
  return (learningRate * Math.sqrt(1 - power(beta2, t))) / (1 - power(beta1, t));
}

/** base^exponent by squaring: engines do not promise the last bits of their pow. */
function power(base: number, exponent: number): number {
  let result = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}
