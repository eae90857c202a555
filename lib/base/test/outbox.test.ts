import { expect, test } from "vitest";
import { Outbox } from "../outbox.ts";

test("items come out in order, also to a taker that waited", async () => {
  const outbox = new Outbox<number>(3);
  const first = outbox.next();
  expect([outbox.push(1), outbox.push(2)]).toEqual([true, true]);
  expect([await first, await outbox.next()]).toEqual([1, 2]);
});

test("a full outbox refuses, and takes again when there is room", async () => {
  const outbox = new Outbox<number>(1);
  expect([outbox.push(1), outbox.push(2)]).toEqual([true, false]);
  expect(await outbox.next()).toBe(1);
  expect(outbox.push(3)).toBe(true);
});

test("a closed outbox gives out what it has, then ends, and takes nothing", async () => {
  const outbox = new Outbox<number>(2);
  outbox.push(1);
  outbox.close();
  expect(outbox.push(2)).toBe(false);
  expect([await outbox.next(), await outbox.next()]).toEqual([1, undefined]);
});

test("closing wakes a taker that waits", async () => {
  const outbox = new Outbox<number>(2);
  const waiting = outbox.next();
  outbox.close();
  expect(await waiting).toBeUndefined();
});
