import { expect, test } from "vitest";
import { median, quantile } from "../figures.ts";

test("quantiles are taken from the sorted samples", () => {
  const samples = [9, 1, 5, 3, 7];
  expect(median(samples)).toBe(5);
  expect([quantile(samples, 0), quantile(samples, 0.99), quantile(samples, 1)]).toEqual([1, 9, 9]);
});
