import { expect, test } from "vitest";
import { backoffMs, drawJitter } from "../backoff.ts";

test.each([
  ["is at least half of the nominal one", 1, 0, 125],
  ["is at most the nominal one", 1, 1, 250],
  ["lies between them by the jitter", 1, 0.2, 150],
  ["doubles with every failure", 3, 1, 1000],
  ["stops doubling at 10 s", 7, 1, 10_000],
  ["does not overflow", 5000, 1, 10_000],
])("a delay %s", (_, failureCount, jitter, wantedMs) => {
  expect(backoffMs(failureCount, jitter)).toBe(wantedMs);
});

test("jitter spans 0 to 1 and is drawn from the source given", () => {
  const always = (byte: number) => ({ bytes: (size: number) => new Uint8Array(size).fill(byte) });
  expect([0, 51, 255].map((byte) => drawJitter(always(byte)))).toEqual([0, 0.2, 1]);
});
