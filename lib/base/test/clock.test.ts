import { afterEach, expect, test, vi } from "vitest";
import { systemClock } from "../clock.ts";

afterEach(() => vi.restoreAllMocks());

const WALL_MS = Date.UTC(2026, 0, 1);

/** Sets both clocks of the host: the one that can be set, and the one that only runs. */
function setHost(wallMs: number, monotonicMs: number): void {
  vi.spyOn(Date, "now").mockReturnValue(wallMs);
  vi.spyOn(performance, "now").mockReturnValue(monotonicMs);
}

test("a clock that the host sets back goes on", () => {
  setHost(WALL_MS, 1000);
  const clock = systemClock();
  expect(clock.untrustedNowMs()).toBe(WALL_MS);
  setHost(WALL_MS - 3_600_000, 1000);
  expect(clock.untrustedNowMs()).toBe(WALL_MS);
  setHost(WALL_MS - 3_599_000, 2000.75);
  expect(clock.untrustedNowMs()).toBe(WALL_MS + 1000);
  setHost(WALL_MS - 3_598_999, 2001.5);
  expect(clock.untrustedNowMs()).toBe(WALL_MS + 1001);
});

test("a clock that the host sets forward follows", () => {
  setHost(WALL_MS, 1000);
  const clock = systemClock();
  clock.untrustedNowMs();
  setHost(WALL_MS + 3_600_000, 1001);
  expect(clock.untrustedNowMs()).toBe(WALL_MS + 3_600_000);
});
