import { expect, test } from "vitest";
import { fakeClock } from "../../base/testing/fake-clock.ts";
import { at, atMost, within } from "../deadline.ts";

const late = () => new Error("late");

test("what comes in time is passed on, and leaves no timer", async () => {
  const clock = fakeClock();
  expect(await within(clock, 5, Promise.resolve(7), late)).toBe(7);
  await expect(within(clock, 5, Promise.reject(new Error("own")), late)).rejects.toThrow("own");
  await atMost(clock, 5, Promise.reject(new Error("own")));
  await clock.advance(0);
  expect(clock.timerCount()).toBe(0);
});

test("what does not come is late, at the very instant", async () => {
  const clock = fakeClock();
  const outcome = expect(within(clock, 5, new Promise(() => {}), late)).rejects.toThrow("late");
  await clock.advance(4);
  expect(clock.timerCount()).toBe(1);
  await clock.advance(1);
  await outcome;
});

test("an instant further off than a timer reaches is neither early nor missed", async () => {
  const clock = fakeClock();
  const capped = {
    ...clock,
    after: (delayMs: number, action: () => void) => clock.after(Math.min(delayMs, 1000), action),
  };
  let calls = 0;
  at(capped, clock.untrustedNowMs() + 3500, () => {
    calls += 1;
  });
  const cancelled = at(capped, clock.untrustedNowMs() + 3500, () => {
    calls += 10;
  });
  await clock.advance(3499);
  expect(calls).toBe(0);
  cancelled();
  await clock.advance(1);
  expect(calls).toBe(1);
  expect(clock.timerCount()).toBe(0);
});
