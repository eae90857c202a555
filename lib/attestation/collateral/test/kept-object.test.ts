import { expect, test } from "vitest";
import type { UnixMs } from "../../../base/ids.ts";
import type { Log, LogFields } from "../../../base/log.ts";
import { type FakeClock, fakeClock } from "../../../base/testing/fake-clock.ts";
import { CollateralError } from "../collateral-error.ts";
import { type KeptObjectSettings, keptObject } from "../kept-object.ts";
import { holdMs, LONGEST_HOLD_MS, renewalDelayMs, repeatDelayMs } from "../renewal.ts";

const START_MS = Date.UTC(2026, 0, 1);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const jitter = (byte: number) => ({ bytes: (size: number) => new Uint8Array(size).fill(byte) });

/** A vendor whose documents live for a while, and who can be down. */
function scene(lifeMs: number, changes: Partial<KeptObjectSettings<string>> = {}) {
  const clock: FakeClock = fakeClock(START_MS);
  const askedAtMs: number[] = [];
  const events: [string, LogFields | undefined][] = [];
  const note = (event: string, fields?: LogFields) => void events.push([event, fields]);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const vendor: { trouble: unknown } = { trouble: undefined };
  const kept = keptObject<string>({
    what: "collateral",
    renews: true,
    clock,
    randomness: jitter(0),
    log,
    fetch: async () => {
      askedAtMs.push(clock.untrustedNowMs() - START_MS);
      await Promise.resolve();
      if (vendor.trouble !== undefined) throw vendor.trouble;
      const atMs = (clock.untrustedNowMs() + lifeMs) as UnixMs;
      return { value: `document ${askedAtMs.length}`, ends: { what: "TCB info", atMs } };
    },
    ...changes,
  });
  return { clock, askedAtMs, events, vendor, kept };
}
const down = (retryAtMs?: number) =>
  new CollateralError("unreachable", "the PCCS is down; use a bundle", {
    ...(retryAtMs !== undefined && { retryAtMs: (START_MS + retryAtMs) as UnixMs }),
  });
const codeOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    (value) => value,
    (error: CollateralError) => error.code,
  );

test("a hundred who ask at once are one request, and later ones none", async () => {
  const { kept, askedAtMs, clock } = scene(HOUR);
  const answers = await Promise.all(Array.from({ length: 100 }, () => kept.get()));
  expect(new Set(answers)).toEqual(new Set(["document 1"]));
  await clock.advance(10 * MINUTE);
  expect(await kept.get()).toBe("document 1");
  expect(askedAtMs).toEqual([0]);
});

test("nothing is asked for before somebody asks", async () => {
  const { clock, askedAtMs } = scene(HOUR);
  await clock.advance(DAY);
  expect(askedAtMs).toEqual([]);
});

test("half of the remaining life is the time to renew, without anybody waiting", async () => {
  const { kept, clock, askedAtMs } = scene(10 * HOUR);
  await kept.get();
  await clock.advance(5 * HOUR - 1);
  expect(askedAtMs).toEqual([0]);
  await clock.advance(1);
  expect(askedAtMs).toEqual([0, 5 * HOUR]);
  expect(await kept.get()).toBe("document 2");
  await clock.advance(5 * HOUR);
  expect(askedAtMs).toEqual([0, 5 * HOUR, 10 * HOUR]);
});

test("long-lived documents are looked for once a day", async () => {
  const { kept, clock, askedAtMs } = scene(30 * DAY);
  await kept.get();
  await clock.advance(3 * DAY);
  expect(askedAtMs).toEqual([0, DAY, 2 * DAY, 3 * DAY]);
});

test("what never changes is not renewed before its end", async () => {
  const { kept, clock, askedAtMs } = scene(30 * DAY, { renews: false });
  await kept.get();
  expect(clock.timerCount()).toBe(0);
  await clock.advance(30 * DAY);
  expect(await kept.get()).toBe("document 1");
  await clock.advance(1);
  expect(await kept.get()).toBe("document 2");
  expect(askedAtMs).toEqual([0, 30 * DAY + 1]);
});

test("jitter brings a renewal forward by up to a fifth and never delays it", () => {
  const delay = (byte: number) =>
    renewalDelayMs(START_MS as UnixMs, (START_MS + 10 * HOUR) as UnixMs, jitter(byte));
  expect([delay(0), delay(255)]).toEqual([5 * HOUR, 4 * HOUR]);
  expect(delay(128)).toBeGreaterThan(4.4 * HOUR);
  expect(delay(128)).toBeLessThan(4.6 * HOUR);
});

test.each([
  ["three minutes to go", 3 * MINUTE, 90 * SECOND],
  ["a minute and a half to go", 90 * SECOND, MINUTE],
  ["a minute to go", MINUTE, undefined],
  ["ended", -DAY, undefined],
])("%s: %i ms give a delay of %s", (_what, remainingMs, delayMs) => {
  const endsAtMs = (START_MS + remainingMs) as UnixMs;
  expect(renewalDelayMs(START_MS as UnixMs, endsAtMs, jitter(0))).toBe(delayMs);
});

test("an outage is outlived on what still counts, and the log says until when", async () => {
  const { kept, clock, askedAtMs, vendor, events } = scene(4 * HOUR);
  await kept.get();
  vendor.trouble = down();
  await clock.advance(4 * HOUR);
  expect(await kept.get()).toBe("document 1");
  const sinceRenewal = askedAtMs.slice(1).map((atMs) => (atMs - 2 * HOUR) / MINUTE);
  expect(sinceRenewal).toEqual([0, 1, 3, 7, 15, 31, 63]);
  expect(events.filter(([event]) => event === "collateral.fetch-failed")[0]).toEqual([
    "collateral.fetch-failed",
    {
      what: "collateral",
      error: "CollateralError (unreachable): the PCCS is down; use a bundle",
      servedUntil: "2026-01-01T04:00:00Z",
      endsFirst: "TCB info",
    },
  ]);
  vendor.trouble = undefined;
  await clock.advance(MINUTE);
  expect(await kept.get()).toBe("document 9");
});

test("what has ended is refused with its name, its date and the reason", async () => {
  const { kept, clock, vendor } = scene(HOUR);
  await kept.get();
  vendor.trouble = down();
  await clock.advance(HOUR);
  expect(await kept.get()).toBe("document 1");
  await clock.advance(1);
  const error = await kept.get().catch((thrown: CollateralError) => thrown);
  expect(error).toMatchObject({
    code: "stale",
    message:
      "TCB info ended at 2026-01-01T01:00:00Z and cannot be renewed: the PCCS is down; use a bundle",
  });
});

test("a vendor that comes back after the end is asked by the next who needs it", async () => {
  const { kept, clock, vendor } = scene(HOUR);
  await kept.get();
  vendor.trouble = down();
  await clock.advance(DAY);
  expect(clock.timerCount()).toBe(0);
  expect(await codeOf(kept.get())).toBe("stale");
  vendor.trouble = undefined;
  await clock.advance(30 * SECOND);
  expect(await kept.get()).toMatch(/^document/);
});

test("a failure stands for half a minute: whoever asks again gets it without a request", async () => {
  const { kept, clock, vendor, askedAtMs } = scene(HOUR);
  vendor.trouble = down();
  expect(await codeOf(kept.get())).toBe("unreachable");
  await clock.advance(29_999);
  expect(await codeOf(kept.get())).toBe("unreachable");
  expect(askedAtMs).toEqual([0]);
  await clock.advance(1);
  expect(await codeOf(kept.get())).toBe("unreachable");
  expect(askedAtMs).toEqual([0, 30_000]);
});

test("the vendor's own time to come back is kept, by those who ask and in the background", async () => {
  const { kept, clock, vendor, askedAtMs } = scene(HOUR);
  vendor.trouble = down(10 * MINUTE);
  await codeOf(kept.get());
  await clock.advance(10 * MINUTE - 1);
  await codeOf(kept.get());
  expect(askedAtMs).toEqual([0]);
  await clock.advance(1);
  vendor.trouble = undefined;
  await kept.get();
  vendor.trouble = down(10 * MINUTE + 30 * MINUTE + 20 * MINUTE);
  await clock.advance(50 * MINUTE);
  expect(askedAtMs.map((atMs) => atMs / MINUTE)).toEqual([0, 10, 40, 60]);
});

test.each<[string, unknown, number]>([
  ["a failure", down(), 30 * SECOND],
  ["too often", new CollateralError("rate-limited", ""), 2 * MINUTE],
  ["a time that is over", down(-DAY), 0],
  ["a time in a year", down(365 * DAY), LONGEST_HOLD_MS],
  ["a bug of ours", new TypeError("x"), 0],
])("%s stands for %s", (_what, error, expectedMs) => {
  expect(holdMs(error, START_MS as UnixMs)).toBe(expectedMs);
});

test("repeats come after one minute to an hour, up to half earlier", () => {
  expect([1, 2, 3, 7, 8, 50].map((count) => repeatDelayMs(count, 0, jitter(0)) / MINUTE)).toEqual([
    1, 2, 4, 60, 60, 60,
  ]);
  expect(repeatDelayMs(1, 0, jitter(255))).toBe(30 * SECOND);
});

test("what was kept elsewhere is served without asking, and ended things only in the message", async () => {
  const { kept, vendor, askedAtMs, clock } = scene(HOUR);
  kept.restore({
    value: "old",
    ends: { what: "TCB info", atMs: (START_MS + 3 * MINUTE) as UnixMs },
  });
  expect(await kept.get()).toBe("old");
  await clock.advance(90 * SECOND);
  expect(askedAtMs).toEqual([90 * SECOND]);

  const late = scene(HOUR);
  late.kept.restore({
    value: "older",
    ends: { what: "PCK CRL", atMs: (START_MS - DAY) as UnixMs },
  });
  late.vendor.trouble = down();
  const error = await late.kept.get().catch((thrown: CollateralError) => thrown);
  expect(error).toMatchObject({ code: "stale" });
  expect(String(error)).toMatch(/PCK CRL ended at 2025-12-31T00:00:00Z/);
  expect(vendor.trouble).toBeUndefined();
});

test("its state says what is held, until when, and what went wrong", async () => {
  const { kept, clock, vendor } = scene(HOUR);
  expect(kept.status()).toEqual({ what: "collateral" });
  await kept.get();
  const ends = { what: "TCB info", atMs: START_MS + HOUR };
  expect(kept.status()).toEqual({ what: "collateral", ends });
  vendor.trouble = down();
  await clock.advance(30 * MINUTE);
  expect(kept.status()).toMatchObject({ ends, failure: expect.stringMatching(/PCCS is down/) });
});

test("nothing runs after it was closed", async () => {
  const { kept, clock, askedAtMs } = scene(HOUR);
  await kept.get();
  kept.close();
  await clock.advance(DAY);
  expect([clock.timerCount(), askedAtMs]).toEqual([0, [0]]);
  const late = scene(HOUR);
  const asked = late.kept.get();
  late.kept.close();
  await asked;
  expect(late.clock.timerCount()).toBe(0);
});
