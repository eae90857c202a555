import fc from "fast-check";
import { expect, test } from "vitest";
import { GrantQueue, type Ticket } from "../grants.ts";

const LIMITS = { maxGranted: 2, maxWaiting: 3 };

test("grants go out in order of arrival, and each place is given back once", () => {
  const queue = new GrantQueue(LIMITS);
  const tickets = Array.from({ length: 5 }, () => queue.enter());
  expect(tickets.map((each) => each.queuePosition)).toEqual([0, 0, 1, 2, 3]);
  expect(tickets.map((each) => each.isGranted())).toEqual([true, true, false, false, false]);
  tickets[1]!.leave();
  tickets[1]!.leave();
  expect(tickets.map((each) => each.isGranted())).toEqual([true, false, true, false, false]);
  tickets[3]!.leave();
  tickets[0]!.leave();
  expect(tickets.map((each) => each.isGranted())).toEqual([false, false, true, false, true]);
});

test("one more than the queue holds is refused as busy", () => {
  const queue = new GrantQueue(LIMITS);
  for (let i = 0; i < 5; i += 1) queue.enter();
  expect(() => queue.enter()).toThrowError(
    expect.objectContaining({
      refusals: [{ code: "busy", seen: "3 waiting", wanted: "at most 3" }],
    }),
  );
});

test("however they come and go, grants stay within the limit and nobody waits beside a free place", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9)), (steps) => {
      const queue = new GrantQueue(LIMITS);
      const tickets: Ticket[] = [];
      for (const step of steps) {
        if (step < 5 && queue.waitingCount < LIMITS.maxWaiting) tickets.push(queue.enter());
        else tickets[step % Math.max(1, tickets.length)]?.leave();
        const granted = tickets.filter((each) => each.isGranted()).length;
        expect(granted).toBe(queue.grantedCount);
        expect(granted).toBeLessThanOrEqual(LIMITS.maxGranted);
        if (queue.waitingCount > 0) expect(granted).toBe(LIMITS.maxGranted);
      }
    }),
  );
});
