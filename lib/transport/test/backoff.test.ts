import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { delay, FIRST_RETRY_MS, MAX_RETRY_MS, retryDelayMs } from "../backoff.ts";

const always = (byte: number) => ({ bytes: (size: number) => new Uint8Array(size).fill(byte) });

test("delays double from the first to the longest, jittered down to half", () => {
  expect(retryDelayMs(1, always(255))).toBe(FIRST_RETRY_MS);
  expect(retryDelayMs(1, always(0))).toBe(FIRST_RETRY_MS / 2);
  expect(retryDelayMs(3, always(255))).toBe(4 * FIRST_RETRY_MS);
  expect(retryDelayMs(1000, always(255))).toBe(MAX_RETRY_MS);
});

test("an abort ends the wait at once with its reason", async () => {
  const controller = new AbortController();
  const waiting = delay(systemClock(), 3_600_000, controller.signal);
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await expect(delay(systemClock(), 3_600_000, controller.signal)).rejects.toThrow("enough");
});
