import { expect, test } from "vitest";
import { StagingBudget } from "../staging.ts";
import { until } from "../testing/world.ts";

const { signal } = new AbortController();

test("reservations never exceed the budget and come in order of arrival", async () => {
  const budget = new StagingBudget(100);
  const order: string[] = [];
  const first = await budget.reserve(60, signal);
  const large = budget.reserve(60, signal).then((release) => {
    order.push("large");
    return release;
  });
  // It would fit, but overtaking would let small ones keep a large one waiting for ever.
  const small = budget.reserve(10, signal).then((release) => {
    order.push("small");
    return release;
  });
  expect([budget.reservedBytes, budget.waitingCount]).toEqual([60, 2]);
  first();
  await Promise.all([large, small]);
  expect(order).toEqual(["large", "small"]);
  expect(budget.reservedBytes).toBe(70);
});

test("giving back twice counts once", async () => {
  const budget = new StagingBudget(100);
  const release = await budget.reserve(60, signal);
  await budget.reserve(40, signal);
  release();
  release();
  expect(budget.reservedBytes).toBe(40);
});

test("one that leaves while it waits makes way for the next", async () => {
  const budget = new StagingBudget(100);
  await budget.reserve(60, signal);
  const leaving = new AbortController();
  const left = budget.reserve(60, leaving.signal);
  const next = budget.reserve(40, signal);
  leaving.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  await next;
  expect([budget.reservedBytes, budget.waitingCount]).toEqual([100, 0]);
});

test("one that has left already reserves nothing", async () => {
  const budget = new StagingBudget(100);
  await expect(budget.reserve(1, AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  await until(() => budget.reservedBytes === 0);
});
