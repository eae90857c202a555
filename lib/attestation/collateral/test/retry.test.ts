import { expect, test } from "vitest";
import type { UnixMs } from "../../../base/ids.ts";
import { type FakeClock, fakeClock } from "../../../base/testing/fake-clock.ts";
import { CollateralError } from "../collateral-error.ts";
import type { HttpAnswer, HttpGet } from "../http-get.ts";
import { LONGEST_WAIT_MS, MAX_ATTEMPTS, retryAfter, withRetries } from "../retry.ts";

const START_MS = Date.UTC(2026, 0, 1);
const MOST_JITTER = { bytes: (sizeBytes: number) => new Uint8Array(sizeBytes).fill(255) };
const request = {
  url: new URL("https://vendor.example/tcb"),
  what: "TCB info of SGX platform 00906ed50000",
  maxBytes: 10,
  timeoutMs: 10,
};

const answer = (status: number, retryAfterHeader?: string): HttpAnswer => ({
  status,
  header: (name) => (name === "retry-after" ? retryAfterHeader : undefined),
  body: new Uint8Array(),
});
const broken = () => new CollateralError("unreachable", "no route");

/** Gives the outcomes in order, the last for ever, and notes when each was asked for. */
function scripted(clock: FakeClock, outcomes: readonly (HttpAnswer | Error)[]) {
  const askedAtMs: number[] = [];
  const get: HttpGet = async () => {
    askedAtMs.push(clock.untrustedNowMs() - START_MS);
    const outcome = outcomes[Math.min(askedAtMs.length, outcomes.length) - 1];
    if (outcome instanceof Error) throw outcome;
    return outcome ?? answer(200);
  };
  return { askedAtMs, get: withRetries(get, clock, MOST_JITTER) };
}

async function run(outcomes: readonly (HttpAnswer | Error)[]) {
  const clock = fakeClock(START_MS);
  const { askedAtMs, get } = scripted(clock, outcomes);
  const asked = get(request).then(
    ({ status }) => ({ status }),
    (error: CollateralError) => ({ error }),
  );
  await clock.advance(0);
  await clock.advance(10 * 60_000);
  expect(clock.timerCount()).toBe(0);
  return { askedAtMs, ...((await asked) as { status?: number; error?: CollateralError }) };
}

test.each([200, 302, 400, 401, 404, 410, 461])("status %i is an answer at once", async (status) => {
  expect(await run([answer(status)])).toEqual({ askedAtMs: [0], status });
});

test.each([
  ["a broken connection", broken()],
  ["500", answer(500)],
  ["503", answer(503)],
  ["429", answer(429)],
])("%s is asked again with growing pauses, then answered", async (_what, trouble) => {
  const outcomes = [trouble, trouble, trouble, answer(200)];
  expect(await run(outcomes)).toEqual({ askedAtMs: [0, 250, 750, 1750], status: 200 });
});

test.each<[string, HttpAnswer | Error, string]>([
  ["a broken connection", broken(), "unreachable"],
  ["502", answer(502), "unreachable"],
  ["429", answer(429), "rate-limited"],
])("%s that stays is reported after the last attempt", async (_what, trouble, code) => {
  const { askedAtMs, error } = await run([trouble]);
  expect(askedAtMs).toHaveLength(MAX_ATTEMPTS);
  expect(error?.code).toBe(code);
});

test.each(["untrusted-server", "bad-response"] as const)("%s is final", async (code) => {
  const { askedAtMs, error } = await run([new CollateralError(code, "no")]);
  expect(askedAtMs).toEqual([0]);
  expect(error?.code).toBe(code);
});

test("the server's own pause is kept, to the second", async () => {
  const { askedAtMs, status } = await run([answer(429, "7"), answer(503, "1"), answer(200)]);
  expect({ askedAtMs, status }).toEqual({ askedAtMs: [0, 7000, 8000], status: 200 });
});

test("a pause as a date is kept, and one that is over is none", async () => {
  const { askedAtMs } = await run([answer(429, "Thu, 01 Jan 2026 00:00:20 GMT"), answer(200)]);
  expect(askedAtMs).toEqual([0, 20_000]);
  const past = await run([answer(429, "Wed, 31 Dec 2025 00:00:00 GMT"), answer(200)]);
  expect(past.askedAtMs).toEqual([0, 0]);
});

test("whoever is told to wait for longer is told so at once, with the time to come back", async () => {
  const seconds = LONGEST_WAIT_MS / 1000;
  expect((await run([answer(429, String(seconds)), answer(200)])).status).toBe(200);
  const { askedAtMs, error } = await run([answer(429, String(seconds + 1)), answer(200)]);
  expect(askedAtMs).toEqual([0]);
  expect(error?.code).toBe("rate-limited");
  expect(error?.retryAtMs).toBe(START_MS + LONGEST_WAIT_MS + 1000);
  expect(error?.message).toMatch(
    /^TCB info of SGX platform 00906ed50000: vendor.example .* ask again after 2026-01-01T00:00:31Z/,
  );
});

test.each(["", "-1", "1.5", "0x10", "soon", "1e3", "9999999999", "Thu, 41 Jan 2026 00:00:00 GMT"])(
  "Retry-After %j says nothing",
  (value) => {
    expect(retryAfter(value, START_MS as UnixMs)).toBeUndefined();
  },
);
