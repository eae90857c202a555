/**
 * The grid on which a session sums. Each term w·Δ is rounded once to a multiple of 2^-q; multiples of 2^-q up to
 * 2^(53-q) add without error in float64, so no sum depends on order, on combiners or on restarts.
 */
import { MAX_COHORT } from "../base/limits.ts";
import { type Refusal, RefusedError, refusal } from "../base/refusal.ts";

/** What bounds the sums of one round. */
export type GridBounds = {
  /** Largest |Δ| of one element, finite and above 0. */
  readonly elementBound: number;
  /** Largest example count of one update, integer from 1 to MAX_WEIGHT_CAP. */
  readonly weightCap: number;
  /** Most updates of one round, integer from 1 to MAX_COHORT. */
  readonly maxCohort: number;
};

export type Grid = {
  /** q: sums are multiples of 2^-q; an integer from 29 to MAX_GRID_EXPONENT. */
  readonly gridExponent: number;
  /** Bound on the rounding error of any element of the mean, 2^-(q+1): each weight is at least 1. */
  readonly worstRoundingError: number;
};

/** A float32 has 24 bits: times a weight of 29 bits it is exact in float64, so the grid is the only rounding. */
export const MAX_WEIGHT_CAP = 2 ** 29;
/** |w·Δ| times 2^q stays below; M = 1.5·2^(52-q) then has room for it on both sides. */
const GRID_CAPACITY_BITS = 51;
const MAX_ROUNDING_ERROR = 2 ** -30;
/** Finer grids would gain nothing: their steps are far below what a float32 near 1 can tell apart. */
export const MAX_GRID_EXPONENT = 64;

/**
 * The finest grid with elementBound · weightCap · maxCohort · 2^q ≤ 2^51.
 * @throws RefusedError "element-bound-out-of-range" | "weight-cap-out-of-range" | "cohort-out-of-range" |
 *   "rounding-error-too-large" if the mean could be off by more than 2^-30
 */
export function chooseGrid(bounds: GridBounds): Grid {
  const refusals = boundRefusals(bounds);
  if (refusals.length > 0) throw new RefusedError(...refusals);
  const finest = GRID_CAPACITY_BITS - ceilLog2OfProduct(bounds);
  const gridExponent = Math.min(finest, MAX_GRID_EXPONENT);
  const worstRoundingError = 2 ** -(gridExponent + 1);
  if (worstRoundingError > MAX_ROUNDING_ERROR) {
    const wanted = "elementBound × weightCap × maxCohort of at most 2^22, for an error of 2^-30";
    throw new RefusedError(
      refusal("rounding-error-too-large", `an error of 2^${-(gridExponent + 1)}`, wanted),
    );
  }
  return { gridExponent, worstRoundingError };
}

/** M: x + M − M is x rounded to the grid, ties to even, for |x| ≤ 2^(51-q). */
export const roundingTerm = (gridExponent: number): number => 1.5 * 2 ** (52 - gridExponent);

function boundRefusals({ elementBound, weightCap, maxCohort }: GridBounds): Refusal[] {
  const found: Refusal[] = [];
  if (!(elementBound > 0 && elementBound < Infinity)) {
    found.push(refusal("element-bound-out-of-range", elementBound, "a finite number above 0"));
  }
  if (!(Number.isInteger(weightCap) && weightCap >= 1 && weightCap <= MAX_WEIGHT_CAP)) {
    found.push(refusal("weight-cap-out-of-range", weightCap, `an integer, 1 to ${MAX_WEIGHT_CAP}`));
  }
  if (!(Number.isInteger(maxCohort) && maxCohort >= 1 && maxCohort <= MAX_COHORT)) {
    found.push(refusal("cohort-out-of-range", maxCohort, `an integer from 1 to ${MAX_COHORT}`));
  }
  return found;
}

/** In integers, because a float64 product may round down to a power of two. */
function ceilLog2OfProduct({ elementBound, weightCap, maxCohort }: GridBounds): number {
  let mantissa = elementBound;
  let exponent = 0;
  for (; !Number.isInteger(mantissa); exponent--) mantissa *= 2;
  const product = BigInt(mantissa) * BigInt(weightCap) * BigInt(maxCohort);
  return exponent + (product - 1n).toString(2).length - (product === 1n ? 1 : 0);
}
