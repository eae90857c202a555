/** What every LedgerRows adapter must do, seen through a ledger over it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../base/bytes.ts";
import { type Ledger, type LedgerRows, MAX_EVENT_BYTES, MAX_EVENTS_PER_APPEND } from "../ledger.ts";
import { ledgerOrigin, openLedger } from "../open-ledger.ts";
import { collect, testFederation, testSealer } from "./storage-fixture.ts";

/** Opens the adapter over one medium, again and again. */
export type RowsMedium = {
  readonly openRows: () => Promise<LedgerRows>;
  readonly dispose: () => Promise<void>;
};

const openOver = async (medium: RowsMedium): Promise<Ledger> =>
  openLedger({
    rows: await medium.openRows(),
    sealer: testSealer(),
    federationId: testFederation,
  });

const texts = async (ledger: Ledger, fromSeq = 1): Promise<string[]> =>
  (await collect(ledger.read(fromSeq))).map((entry) => Buffer.from(entry.event).toString());

const events = (...items: string[]): Uint8Array[] => items.map(utf8);

export function ledgerContract(adapter: string, newMedium: () => Promise<RowsMedium>): void {
  const withMedium = (use: (medium: RowsMedium) => Promise<void>) => async () => {
    const medium = await newMedium();
    try {
      await use(medium);
    } finally {
      await medium.dispose();
    }
  };
  const withLedger = (use: (ledger: Ledger) => Promise<void>) =>
    withMedium(async (medium) => {
      const ledger = await openOver(medium);
      try {
        await use(ledger);
      } finally {
        await ledger.close();
      }
    });

  describe(`a ledger over ${adapter}`, () => {
    it.each([
      ["a seq before the head", 1, ["x"], "stale-writer"],
      ["a seq after the head", 3, ["x"], "stale-writer"],
      ["seq 0 of a ledger that has entries", 0, ["x"], "stale-writer"],
      ["a negative seq", -1, ["x"], "stale-writer"],
      ["no events", 2, [], "too-large"],
    ])("refuses to append to %s, and keeps nothing", async (_, expectedSeq, items, code) => {
      await withLedger(async (ledger) => {
        const head = await ledger.append(0, events("one", "two"));
        await expect(ledger.append(expectedSeq, events(...items))).rejects.toMatchObject({ code });
        expect(await ledger.head()).toEqual(head);
        expect(await texts(ledger)).toEqual(["one", "two"]);
      })();
    });

    it(
      "takes an event and a batch of the limits and refuses one past them",
      withLedger(async (ledger) => {
        const tooLarge = { code: "too-large" };
        const largest = new Uint8Array(MAX_EVENT_BYTES).fill(7);
        const beyond = new Uint8Array(MAX_EVENT_BYTES + 1);
        const batch = new Array<Uint8Array>(MAX_EVENTS_PER_APPEND).fill(utf8("e"));
        await expect(ledger.append(0, [beyond])).rejects.toMatchObject(tooLarge);
        await expect(ledger.append(0, [...batch, utf8("e")])).rejects.toMatchObject(tooLarge);
        await ledger.append(0, [largest, utf8("after")]);
        await ledger.append(2, batch);
        const entries = await collect(ledger.read(1));
        expect(entries).toHaveLength(2 + MAX_EVENTS_PER_APPEND);
        expect(Buffer.compare(entries[0]?.event ?? utf8(""), largest)).toBe(0);
      }),
    );

    it(
      "starts at the origin of its federation and hashes entries as documented",
      withLedger(async (ledger) => {
        expect(await ledger.head()).toEqual({ seq: 0, hash: ledgerOrigin(testFederation) });
        expect(await texts(ledger)).toEqual([]);
        await ledger.append(0, events("one"));
        // Computed apart from this code, with Python's hashlib (docs/wire-formats.md).
        expect((await ledger.append(1, events("two"))).hash).toBe(VECTOR_HEAD);
      }),
    );

    it(
      "has everything acknowledged after it is opened again, and goes on from there",
      withMedium(async (medium) => {
        const first = await openOver(medium);
        await first.append(0, events("one", "two"));
        const head = await first.append(2, events("three"));
        await first.close();
        const second = await openOver(medium);
        expect(await second.head()).toEqual(head);
        await second.append(3, events("four"));
        expect(await texts(second)).toEqual(["one", "two", "three", "four"]);
        await second.close();
      }),
    );

    it(
      "lets exactly one of several appends on the same head win",
      withLedger(async (ledger) => {
        const attempts = ["a", "b", "c"].map((each) => ledger.append(0, events(each)));
        const results = await Promise.allSettled(attempts);
        expect(results.map((result) => result.status).sort()).toEqual([
          "fulfilled",
          "rejected",
          "rejected",
        ]);
        expect(await texts(ledger)).toHaveLength(1);
      }),
    );

    it(
      "reads from any entry, up to the head at the first step",
      withLedger(async (ledger) => {
        await ledger.append(0, events("one", "two", "three"));
        expect(await texts(ledger, 2)).toEqual(["two", "three"]);
        expect(await texts(ledger, 4)).toEqual([]);
        const seen: number[] = [];
        for await (const entry of ledger.read(3)) {
          seen.push(entry.seq);
          await ledger.append((await ledger.head()).seq, events("later"));
        }
        expect(seen).toEqual([3]);
      }),
    );

    it.each([0, -1, 1.5, 5, Number.NaN])(
      "refuses to read from %d when it has three entries",
      async (fromSeq) => {
        await withLedger(async (ledger) => {
          await ledger.append(0, events("one", "two", "three"));
          const reading = collect(ledger.read(fromSeq));
          await expect(reading).rejects.toMatchObject({ code: "ledger-broken" });
        })();
      },
    );

    it(
      "says that it is closed, and closes twice",
      withMedium(async (medium) => {
        const ledger = await openOver(medium);
        await ledger.close();
        await ledger.close();
        const closed = { code: "closed" };
        await expect(ledger.head()).rejects.toMatchObject(closed);
        await expect(ledger.append(0, events("x"))).rejects.toMatchObject(closed);
        await expect(collect(ledger.read(1))).rejects.toMatchObject(closed);
      }),
    );

    it(
      "gives the same entries and head however the events were split over appends",
      withMedium(async (medium) => {
        const ledger = await openOver(medium);
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 5 }), {
              minLength: 1,
              maxLength: 5,
            }),
            async (batches) => {
              const start = await ledger.head();
              let seq = start.seq;
              for (const batch of batches) seq = (await ledger.append(seq, batch)).seq;
              const entries = await collect(ledger.read(start.seq + 1));
              expect(entries.map((entry) => Buffer.from(entry.event))).toEqual(
                batches.flat().map((event) => Buffer.from(event)),
              );
              expect(entries.at(-1)?.hash).toBe((await ledger.head()).hash);
            },
          ),
          { numRuns: 25 },
        );
        await ledger.close();
      }),
    );

    it(
      "refuses the rows of a writer that missed an append, at the medium itself",
      withMedium(async (medium) => {
        const rows = await medium.openRows();
        await rows.append(0, events("row"));
        await expect(rows.append(0, events("row"))).rejects.toMatchObject({ code: "stale-writer" });
        await expect(rows.append(2, events("row"))).rejects.toMatchObject({ code: "stale-writer" });
        await rows.append(1, events("b", "c"));
        expect((await collect(rows.read(2))).map((row) => row.seq)).toEqual([2, 3]);
        expect(await rows.lastSeq()).toBe(3);
        await rows.close();
      }),
    );
  });
}

const VECTOR_HEAD = "440b0ee134a97b22a2908f00ee77dee71128343f68caed18d4791be2c7eaca50";
