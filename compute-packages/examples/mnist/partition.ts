/** Which client gets which examples, decided by a seed. */

import { shuffle } from "../../onnx/epoch-randomness.ts";
import { createKeystream, type Keystream } from "../../onnx/keystream.ts";

/** IID, or skewed by label: each label's examples are spread in proportions drawn from Dirichlet(alpha, …). */
export type PartitionRule =
  | { readonly kind: "iid" }
  | { readonly kind: "dirichlet"; readonly alpha: number };

/** No client is left with fewer, unless an even split would give fewer. */
export const MIN_EXAMPLES_PER_CLIENT = 64;

/** The rule written as `iid` or `dirichlet:<alpha>` with alpha > 0; undefined for anything else. */
export function parsePartitionRule(text: string): PartitionRule | undefined {
  if (text === "iid") return { kind: "iid" };
  const alpha = /^dirichlet:(\d{1,6}(?:\.\d{1,6})?)$/.exec(text)?.[1];
  return alpha !== undefined && Number(alpha) > 0
    ? { kind: "dirichlet", alpha: Number(alpha) }
    : undefined;
}

/**
 * Splits examples over clients: every example goes to exactly one client.
 * @param labels  class of each example
 * @param clientCount  integer ≥ 1, at most the number of examples
 * @param seed  32 bytes
 * @returns per client the positions of its examples
 */
export function partitionExamples(
  labels: Uint8Array,
  clientCount: number,
  rule: PartitionRule,
  seed: Uint8Array,
): readonly Int32Array[] {
  const parts =
    rule.kind === "iid"
      ? evenParts(labels.length, clientCount, seed)
      : dirichletParts(labels, clientCount, rule.alpha, seed);
  const minimum = Math.min(MIN_EXAMPLES_PER_CLIENT, Math.floor(labels.length / clientCount));
  fillUp(parts, minimum);
  return parts.map((part) => Int32Array.from(part));
}

function evenParts(count: number, clientCount: number, seed: Uint8Array): number[][] {
  const order = new Int32Array(count);
  shuffle(order, createKeystream(seed, "partition/iid", 0));
  return Array.from({ length: clientCount }, (_, client) => {
    const start = Math.floor((client * count) / clientCount);
    const end = Math.floor(((client + 1) * count) / clientCount);
    return [...order.subarray(start, end)];
  });
}

function dirichletParts(
  labels: Uint8Array,
  clientCount: number,
  alpha: number,
  seed: Uint8Array,
): number[][] {
  const parts = Array.from({ length: clientCount }, (): number[] => []);
  for (const label of [...new Set(labels)].sort((a, b) => a - b)) {
    const positions: number[] = [];
    labels.forEach((each, position) => {
      if (each === label) positions.push(position);
    });
    const order = new Int32Array(positions.length);
    shuffle(order, createKeystream(seed, "partition/order", label));
    const stream = createKeystream(seed, "partition/proportions", label);
    let start = 0;
    let share = 0;
    for (const [client, proportion] of dirichlet(clientCount, alpha, stream).entries()) {
      share += proportion;
      const isLast = client === clientCount - 1;
      const end = isLast ? positions.length : Math.floor(share * positions.length);
      for (const index of order.subarray(start, end)) parts[client]?.push(positions[index] ?? 0);
      start = Math.max(start, end);
    }
  }
  return parts;
}

/** Moves examples, one at a time, from the client with most to the first one with fewest until none is short. */
function fillUp(parts: readonly number[][], minimum: number): void {
  for (;;) {
    const sizes = parts.map((part) => part.length);
    const smallest = parts[sizes.indexOf(Math.min(...sizes))];
    const largest = parts[sizes.indexOf(Math.max(...sizes))];
    if (!smallest || !largest || smallest.length >= minimum) return;
    const moved = largest.pop();
    if (moved !== undefined) smallest.push(moved);
  }
}

/** A draw from the symmetric Dirichlet: gamma draws over their sum, in logarithms so that small alphas survive. */
export function dirichlet(count: number, alpha: number, stream: Keystream): readonly number[] {
  const logs = Array.from({ length: count }, () => logGamma(alpha, stream));
  const largest = Math.max(...logs);
  const weights = logs.map((log) => Math.exp(log - largest));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * Logarithm of a draw from Gamma(shape, 1): Marsaglia and Tsang 2000, "A simple method for generating gamma
 * variables"; shapes below 1 by their section 6, Gamma(a) = Gamma(a + 1) · U^(1/a).
 */
export function logGamma(shape: number, stream: Keystream): number {
  if (shape < 1) return logGamma(shape + 1, stream) + Math.log(positiveUnit(stream)) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(stream);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    const logU = Math.log(positiveUnit(stream));
    if (logU < 0.5 * x * x + d * (1 - v + Math.log(v))) return Math.log(d * v);
  }
}

/** Box–Muller; the second number of each pair is not used. */
function normal(stream: Keystream): number {
  const radius = Math.sqrt(-2 * Math.log(positiveUnit(stream)));
  return radius * Math.cos(2 * Math.PI * stream.unit());
}

/** Uniform in (0, 1]. */
const positiveUnit = (stream: Keystream): number => 1 - stream.unit();
