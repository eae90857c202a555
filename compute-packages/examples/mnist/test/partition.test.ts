import fc from "fast-check";
import { expect, test } from "vitest";
import { createKeystream } from "../../../onnx/keystream.ts";
import {
  dirichlet,
  logGamma,
  MIN_EXAMPLES_PER_CLIENT,
  type PartitionRule,
  parsePartitionRule,
  partitionExamples,
} from "../partition.ts";

const seed = new Uint8Array(32).fill(3);
const labels = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) % 10);
const rules: PartitionRule[] = [
  { kind: "iid" },
  { kind: "dirichlet", alpha: 0.001 },
  { kind: "dirichlet", alpha: 0.5 },
  { kind: "dirichlet", alpha: 100 },
];

test.each([
  ["iid", { kind: "iid" }],
  ["dirichlet:0.5", { kind: "dirichlet", alpha: 0.5 }],
  ["dirichlet:100", { kind: "dirichlet", alpha: 100 }],
  ["dirichlet:0", undefined],
  ["dirichlet:-1", undefined],
  ["dirichlet:1e3", undefined],
  ["dirichlet", undefined],
  ["IID", undefined],
  ["", undefined],
])("%j reads as %j", (text, rule) => {
  expect(parsePartitionRule(text)).toEqual(rule);
});

test("every example goes to one client, and no client is short", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...rules),
      fc.integer({ min: 1, max: 120 }),
      (rule, clientCount) => {
        const parts = partitionExamples(labels, clientCount, rule, seed);
        const all = parts.flatMap((part) => [...part]).sort((a, b) => a - b);
        expect(parts.length).toBe(clientCount);
        expect(all).toEqual(Array.from(labels, (_, index) => index));
        const minimum = Math.min(MIN_EXAMPLES_PER_CLIENT, Math.floor(5000 / clientCount));
        for (const part of parts) expect(part.length).toBeGreaterThanOrEqual(minimum);
      },
    ),
    { numRuns: 40 },
  );
});

test("IID parts differ by one example at most, and in every label by chance only", () => {
  const parts = partitionExamples(labels, 3, { kind: "iid" }, seed);
  expect(parts.map((part) => part.length).sort()).toEqual([1666, 1667, 1667]);
  for (const part of parts) {
    for (let label = 0; label < 10; label++) {
      const share = part.filter((position) => labels[position] === label).length / part.length;
      expect(Math.abs(share - 0.1)).toBeLessThan(0.03);
    }
  }
});

test("the smaller alpha is, the fewer labels a client has", () => {
  const largestShare = (alpha: number) => {
    const parts = partitionExamples(labels, 5, { kind: "dirichlet", alpha }, seed);
    const shares = parts.map((part) => {
      const counts = Array<number>(10).fill(0);
      for (const position of part) counts[labels[position]!]! += 1;
      return Math.max(...counts) / part.length;
    });
    return shares.reduce((a, b) => a + b) / shares.length;
  };
  expect(largestShare(0.05)).toBeGreaterThan(largestShare(1));
  expect(largestShare(1)).toBeGreaterThan(largestShare(1000));
});

test("the same seed gives the same parts, another seed others", () => {
  for (const rule of rules) {
    const parts = partitionExamples(labels, 4, rule, seed);
    expect(partitionExamples(labels, 4, rule, seed)).toEqual(parts);
    expect(partitionExamples(labels, 4, rule, seed.with(0, 4))).not.toEqual(parts);
  }
});

test.each([0.3, 1, 2.5, 20])("gamma draws of shape %f have its mean and variance", (shape) => {
  const stream = createKeystream(seed, "gamma", 0);
  const draws = Array.from({ length: 20_000 }, () => Math.exp(logGamma(shape, stream)));
  const mean = draws.reduce((a, b) => a + b) / draws.length;
  const variance = draws.reduce((a, b) => a + (b - mean) ** 2, 0) / draws.length;
  // Both are the shape itself; bounds are four standard errors, the variance's from the fourth moment.
  expect(Math.abs(mean - shape)).toBeLessThan(4 * Math.sqrt(shape / 20_000));
  const error = Math.sqrt((2 * shape ** 2 + 6 * shape) / 20_000);
  expect(Math.abs(variance - shape)).toBeLessThan(4 * error);
});

test("Dirichlet draws sum to one even where single gamma draws underflow", () => {
  for (const alpha of [1e-6, 0.01, 1, 1e4]) {
    const draw = dirichlet(50, alpha, createKeystream(seed, "dirichlet", 0));
    expect(draw.every((each) => each >= 0)).toBe(true);
    expect(draw.reduce((a, b) => a + b)).toBeCloseTo(1, 10);
  }
});
