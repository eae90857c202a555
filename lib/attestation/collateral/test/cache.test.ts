import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Log, LogFields } from "../../../base/log.ts";
import { type FakeClock, fakeClock } from "../../../base/testing/fake-clock.ts";
import type { KnobSettings } from "../../attester/simulated/knobs/simulator-knobs.ts";
import { parseBundle } from "../bundle-file.ts";
import {
  type CollateralCache,
  type CollateralCacheSettings,
  openCollateralCache,
} from "../cache.ts";
import { openCacheFolder } from "../cache-folder.ts";
import { CollateralError } from "../collateral-error.ts";
import { snpEndorsements } from "../collateral-source.ts";
import {
  ANCHORS,
  AUTHORITY_KEY,
  CHIP_KEY,
  DAY_MS,
  DCAP_KEY,
  NOW_MS,
  otherVcek,
  type TestVendor,
  testVendor,
} from "../testing/test-vendor.ts";

const NO_JITTER = { bytes: (sizeBytes: number) => new Uint8Array(sizeBytes) };
const DOWN = new CollateralError("unreachable", "the PCCS is down; use a bundle");

let clock: FakeClock;
let vendor: TestVendor;
let events: [string, LogFields | undefined][];
let opened: CollateralCache[];
beforeEach(() => {
  clock = fakeClock(NOW_MS);
  vendor = testVendor(clock);
  events = [];
  opened = [];
});
afterEach(() => {
  for (const cache of opened) cache.close();
  expect(clock.timerCount()).toBe(0);
});

const note = (event: string, fields?: LogFields) => void events.push([event, fields]);
const log: Log = { debug: note, info: note, warn: note, error: note };
const eventNames = (): readonly string[] => events.map(([event]) => event);

async function open(changes: Partial<CollateralCacheSettings> = {}): Promise<CollateralCache> {
  const base = { source: vendor, anchors: ANCHORS, clock, randomness: NO_JITTER, log };
  const cache = await openCollateralCache({ ...base, ...changes });
  opened.push(cache);
  return cache;
}
const failure = (asked: Promise<unknown>): Promise<CollateralError> =>
  asked.then(
    () => expect.unreachable("endorsements were given"),
    (error: CollateralError) => error,
  );

test("a set is fetched once for all who ask, verified, and given as it came", async () => {
  const cache = await open();
  const sets = await Promise.all(Array.from({ length: 20 }, () => cache.dcap(DCAP_KEY)));
  expect(vendor.asked).toEqual(["dcap sgx 00906ed50000"]);
  expect(new Set(sets).size).toBe(1);
  expect((await cache.verifiedDcap(DCAP_KEY)).tcbInfo.evaluationDataNumber).toBe(20);
  expect(vendor.asked).toHaveLength(1);
});

test("platforms are kept apart", async () => {
  const cache = await open();
  await cache.dcap(DCAP_KEY);
  await failure(cache.dcap({ ...DCAP_KEY, fmspc: "00a067110000" }));
  await failure(cache.dcap({ ...DCAP_KEY, pckCa: "processor" }));
  await failure(cache.dcap({ ...DCAP_KEY, tee: "tdx" }));
  expect(vendor.asked).toHaveLength(4);
});

test("a set is renewed in the background and replaced by the newer one", async () => {
  const cache = await open();
  const first = await cache.dcap(DCAP_KEY);
  vendor.knobs = { tcb: { evaluationNumber: 21 } };
  await clock.advance(DAY_MS);
  const second = await cache.dcap(DCAP_KEY);
  expect(second).not.toEqual(first);
  expect((await cache.verifiedDcap(DCAP_KEY)).tcbInfo.evaluationDataNumber).toBe(21);
  expect(vendor.asked).toHaveLength(2);
});

test("an outage of weeks is outlived, then refused with object, date and remedy", async () => {
  const cache = await open();
  const held = await cache.dcap(DCAP_KEY);
  vendor.trouble = DOWN;
  await clock.advance(30 * DAY_MS - 2 * 3_600_000);
  expect(await cache.dcap(DCAP_KEY)).toBe(held);
  expect(cache.statuses()).toEqual([
    {
      what: "collateral of SGX platform 00906ed50000 (platform CA)",
      ends: {
        what: expect.stringMatching(/ of SGX platform 00906ed50000/),
        atMs: expect.any(Number),
      },
      failure: "CollateralError (unreachable): the PCCS is down; use a bundle",
    },
  ]);
  await clock.advance(2 * 3_600_000);
  const error = await failure(cache.dcap(DCAP_KEY));
  expect(error.code).toBe("stale");
  expect(error.message).toMatch(
    /^.+ of SGX platform 00906ed50000 \(platform CA\) ended at 2026-07-\d\dT.*Z and cannot be renewed: the PCCS is down; use a bundle$/,
  );
});

test.each<[string, KnobSettings, string, RegExp]>([
  [
    "is by somebody else",
    { chain: { documentSigner: "pck" } },
    "bad-response",
    /does not verify \(.*tcb-signing-.*\); ask the vendor's own service/,
  ],
  [
    "is for another platform",
    { tcb: { fmspc: "other" } },
    "bad-response",
    /fmspc-mismatch: seen [0-9a-f]{12}, wanted 00906ed50000/,
  ],
  ["is of the other CA", { chain: { pckCa: "other" } }, "bad-response", /pck-ca-differs/],
  [
    "has ended",
    { faults: { certificates: {}, documents: { "tcb-info": "expired" } } },
    "stale",
    /what was served has ended \(tcb-info-expired: seen valid until .*\); have the cache that served it renew it, and look at this machine's clock/,
  ],
  [
    "has not begun",
    { faults: { certificates: {}, documents: { "qe-identity": "not-yet-valid" } } },
    "bad-response",
    /has not begun \(qe-identity-not-yet-valid.*\); look at this machine's clock/,
  ],
  [
    "is damaged",
    { faults: { certificates: {}, documents: { "pck-crl": "malformed" } } },
    "bad-response",
    /pck-crl-malformed/,
  ],
])("a set that %s is not taken", async (_how, knobs, code, message) => {
  vendor.knobs = knobs;
  const cache = await open();
  const error = await failure(cache.dcap(DCAP_KEY));
  expect(error.message).toMatch(/^collateral of SGX platform 00906ed50000 \(platform CA\): /);
  expect(error.message).toMatch(message);
  expect(error.code).toBe(code);
});

test("a set under a root that is not configured is not taken", async () => {
  const cache = await open({ anchors: { ...ANCHORS, intel: ANCHORS.amd } });
  expect((await failure(cache.dcap(DCAP_KEY))).message).toMatch(/root-not-trusted/);
});

test.each<[string, KnobSettings, RegExp]>([
  ["TCB info and QE identity", { tcb: { evaluationNumber: 19 } }, /tcb-info-rolled-back.*19/],
  ["revocation lists", { tcb: { crlNumber: 19 } }, /root-crl-rolled-back.*pck-crl-rolled-back/],
])("older %s than were seen are refused, and what is held goes on", async (_what, knobs, seen) => {
  const cache = await open();
  const held = await cache.dcap(DCAP_KEY);
  vendor.knobs = knobs;
  await clock.advance(DAY_MS);
  expect(await cache.dcap(DCAP_KEY)).toBe(held);
  const [status] = cache.statuses();
  expect(status?.failure).toMatch(/\(rolled-back\).*older than what was seen before/);
  expect(status?.failure).toMatch(seen);
});

test("forged endorsements raise no floor", async () => {
  vendor.knobs = { chain: { documentSigner: "pck" }, tcb: { evaluationNumber: 1000 } };
  const cache = await open();
  await failure(cache.dcap(DCAP_KEY));
  vendor.knobs = {};
  await clock.advance(30_000);
  expect((await cache.verifiedDcap(DCAP_KEY)).tcbInfo.evaluationDataNumber).toBe(20);
});

test("many who name platforms that are not there push no good set out", async () => {
  const cache = await open();
  await cache.dcap(DCAP_KEY);
  vendor.trouble = new CollateralError("unknown-platform", "no such platform");
  for (let index = 0; index < 300; index += 1) {
    const fmspc = index.toString(16).padStart(12, "0");
    await failure(cache.dcap({ ...DCAP_KEY, fmspc }));
  }
  const before = vendor.asked.length;
  await cache.dcap(DCAP_KEY);
  expect(vendor.asked).toHaveLength(before);
  expect(cache.statuses().length).toBe(256);
});

test("an FMSPC that could name another file is a bug of ours", async () => {
  const cache = await open();
  await expect(cache.dcap({ ...DCAP_KEY, fmspc: "../../../../" })).rejects.toThrow(/invariant/);
});

describe("SNP", () => {
  test("a chip's certificate is asked for once, the chain above all chips once a day", async () => {
    const cache = await open();
    const given = await snpEndorsements(cache, CHIP_KEY);
    expect(given.leaf).toEqual(vendor.vcekDer);
    await clock.advance(3 * DAY_MS);
    await snpEndorsements(cache, CHIP_KEY);
    expect(vendor.asked).toEqual([
      "authority Milan vcek",
      "vcek c8c7",
      ...Array.from({ length: 3 }, () => "authority Milan vcek"),
    ]);
  });

  test("a certificate of another chip or level is not taken", async () => {
    const cache = await open();
    vendor.vcekDer = otherVcek({ hardwareId: new Uint8Array(64).fill(1) });
    const other = await failure(cache.vcek(CHIP_KEY));
    expect(other.message).toMatch(
      /^VCEK of Milan chip c8c7.* at 4\.1\.24\.217: .*snp-chip-id-mismatch/,
    );
    const { reportedTcb } = CHIP_KEY;
    const level = await failure(
      cache.vcek({ ...CHIP_KEY, reportedTcb: { ...reportedTcb, snp: 23 } }),
    );
    expect(level.message).toMatch(/snp-tcb-mismatch/);
  });

  test("a chain under another root, and an older revocation list, are not taken", async () => {
    const stranger = await open({ anchors: { ...ANCHORS, amd: ANCHORS.intel } });
    expect((await failure(stranger.snpAuthority(AUTHORITY_KEY))).message).toMatch(
      /^Milan VCEK authority: .*root-not-trusted/,
    );
    const cache = await open();
    const held = await cache.snpAuthority(AUTHORITY_KEY);
    vendor.crlNumber = 19;
    await clock.advance(DAY_MS);
    expect(await cache.snpAuthority(AUTHORITY_KEY)).toBe(held);
    const [status] = cache.statuses();
    expect(status?.failure).toMatch(/ark-crl-rolled-back: seen number 19, wanted 20 or higher/);
  });

  test("a chain is refused with its name and date when its list has ended", async () => {
    const cache = await open();
    await cache.snpAuthority(AUTHORITY_KEY);
    vendor.trouble = new CollateralError("rate-limited", "AMD's KDS is asked too often");
    await clock.advance(11 * DAY_MS);
    const error = await failure(snpEndorsements(cache, CHIP_KEY));
    expect(error.message).toMatch(
      /^revocation list of the Milan VCEK authority ended at 2026-07-11T00:00:00Z and cannot be renewed: AMD's KDS/,
    );
  });
});

describe("with a folder", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await fs.mkdtemp(path.join(tmpdir(), "collateral-"));
  });
  afterEach(() => fs.rm(dir, { recursive: true }));
  const openHere = async (): Promise<CollateralCache> =>
    open({ folder: await openCacheFolder(dir) });
  const SET = "dcap-sgx-00906ed50000-platform.json";
  const place = (name: string): string => path.join(dir, name);

  test("everything survives a restart, without a question", async () => {
    const before = await openHere();
    const held = await before.dcap(DCAP_KEY);
    const snp = await snpEndorsements(before, CHIP_KEY);
    vendor.asked.length = 0;
    vendor.trouble = DOWN;
    const after = await openHere();
    expect(await after.dcap(DCAP_KEY)).toEqual(held);
    expect(await snpEndorsements(after, CHIP_KEY)).toEqual(snp);
    expect(vendor.asked).toEqual([]);
    expect((await fs.readdir(dir)).sort()).toEqual([
      SET,
      "floors.json",
      "snp-milan-vcek.json",
      expect.stringMatching(/^vcek-milan-[0-9a-f]{64}\.json$/),
    ]);
  });

  test("a file of the cache is a bundle like any other", async () => {
    const held = await (await openHere()).dcap(DCAP_KEY);
    const { dcap } = parseBundle(new Uint8Array(await fs.readFile(place(SET))));
    expect(dcap).toEqual([{ key: DCAP_KEY, collateral: held }]);
  });

  test("after a restart a set is renewed as if it had just come", async () => {
    await (await openHere()).dcap(DCAP_KEY);
    for (const cache of opened.splice(0)) cache.close();
    await clock.advance(20 * DAY_MS);
    vendor.asked.length = 0;
    await (await openHere()).dcap(DCAP_KEY);
    await clock.advance(DAY_MS - 1);
    expect(vendor.asked).toEqual([]);
    await clock.advance(1);
    expect(vendor.asked).toEqual(["dcap sgx 00906ed50000"]);
    await vi.waitFor(() => expect(eventNames().slice(1)).toContain("collateral.fetched"));
  });

  test("a set that ended while nothing ran is renewed, or named in the refusal", async () => {
    await (await openHere()).dcap(DCAP_KEY);
    for (const cache of opened.splice(0)) cache.close();
    await clock.advance(40 * DAY_MS);
    vendor.trouble = DOWN;
    const error = await failure((await openHere()).dcap(DCAP_KEY));
    expect(error.code).toBe("stale");
    expect(error.message).toMatch(
      / of SGX platform 00906ed50000 .*ended at 2026-07-\d\dT.*: the PCCS is down; use a bundle$/,
    );
    vendor.trouble = undefined;
    await (await openHere()).dcap(DCAP_KEY);
    expect(eventNames()).not.toContain("collateral.file-not-used");
  });

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ["cut", (bytes) => bytes.subarray(0, 1000)],
    ["empty", () => Buffer.alloc(0)],
    ["no JSON", () => Buffer.from("<html>")],
    [
      "for another platform",
      (bytes) => Buffer.from(bytes.toString().replace("00906ed50000", "00a067110000")),
    ],
    [
      "changed in one byte",
      (bytes) =>
        Buffer.from(
          bytes.toString().replace('tcbStatus\\":\\"OutOfDate', 'tcbStatus\\":\\"UpToDate '),
        ),
    ],
  ])("a file that is %s is reported and fetched anew", async (_how, damage) => {
    const held = await (await openHere()).dcap(DCAP_KEY);
    const bytes = await fs.readFile(place(SET));
    const damaged = damage(bytes);
    expect(damaged.equals(bytes)).toBe(false);
    await fs.writeFile(place(SET), damaged);
    vendor.asked.length = 0;
    expect((await (await openHere()).dcap(DCAP_KEY)).tcbInfo).toEqual(held.tcbInfo);
    expect(vendor.asked).toEqual(["dcap sgx 00906ed50000"]);
    expect(events).toContainEqual([
      "collateral.file-not-used",
      {
        what: "collateral of SGX platform 00906ed50000 (platform CA)",
        file: place(SET),
        error: expect.any(String),
      },
    ]);
    expect(parseBundle(new Uint8Array(await fs.readFile(place(SET)))).dcap).toHaveLength(1);
  });

  test("an older set is refused after a restart, from vendor and file alike", async () => {
    const another = await fs.mkdtemp(path.join(tmpdir(), "collateral-"));
    vendor.knobs = { tcb: { evaluationNumber: 19 } };
    await (await open({ folder: await openCacheFolder(another) })).dcap(DCAP_KEY);
    vendor.knobs = {};
    await (await openHere()).dcap(DCAP_KEY);
    vendor.knobs = { tcb: { evaluationNumber: 19 } };
    await fs.copyFile(path.join(another, SET), place(SET));
    await fs.rm(another, { recursive: true });
    const error = await failure((await openHere()).dcap(DCAP_KEY));
    expect(error.code).toBe("rolled-back");
    expect(events).toContainEqual([
      "collateral.file-not-used",
      expect.objectContaining({ error: expect.stringMatching(/\(rolled-back\)/) }),
    ]);
  });

  test.each([
    "",
    "{}",
    '{"floors":{},"kind":"fedclave/collateral-floors","version":2}',
    '{"floors":{"a":1},"kind":"fedclave/collateral-floors","version":1}',
    '{"floors":{"a":"-1"},"kind":"fedclave/collateral-floors","version":1}',
    '{"floors":{"a":"01"},"kind":"fedclave/collateral-floors","version":1}',
    '{"floors":{},"kind":"fedclave/collateral-floors","more":1,"version":1}',
    '{"floors":{}, "kind":"fedclave/collateral-floors","version":1}',
  ])("a memory of what was seen that reads %j stops the start", async (text) => {
    await fs.writeFile(place("floors.json"), text);
    const error = await failure(openHere());
    expect(error.code).toBe("cache-unusable");
    expect(error.message).toMatch(
      /floors\.json cannot be read .*put a copy of it back, or remove it/,
    );
  });

  test("a disk that takes nothing keeps nobody from working, and is reported", async () => {
    const folder = await openCacheFolder(dir);
    const full = { ...folder, write: () => Promise.reject(new Error("ENOSPC")) };
    const cache = await open({ folder: full });
    await cache.dcap(DCAP_KEY);
    expect([...eventNames()].sort()).toEqual([
      "collateral.fetched",
      "collateral.floors-not-kept",
      "collateral.not-kept",
    ]);
  });
});
