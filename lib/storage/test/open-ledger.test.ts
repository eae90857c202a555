import { describe, expect, it } from "vitest";
import { concatBytes, utf8 } from "../../base/bytes.ts";
import { digestBytes } from "../../base/ids.ts";
import type { Ledger } from "../ledger.ts";
import { memoryRows, type RowMemory, rowMemory } from "../memory/ledger-rows.ts";
import { openLedger } from "../open-ledger.ts";
import type { Sealer } from "../sealed/sealer.ts";
import { failingRows } from "../testing/failing-rows.ts";
import {
  collect,
  otherFederation,
  otherStateKey,
  testFederation,
  testSealer,
} from "../testing/storage-fixture.ts";

const open = (memory: RowMemory, sealer: Sealer = testSealer()): Promise<Ledger> =>
  openLedger({ rows: memoryRows(memory), sealer, federationId: testFederation });

/** A disk with entries one to five. */
async function fiveEntries(): Promise<RowMemory> {
  const memory = rowMemory();
  const ledger = await open(memory);
  await ledger.append(0, ["one", "two", "three", "four", "five"].map(utf8));
  return memory;
}

async function openAndReadAll(memory: RowMemory, sealer?: Sealer): Promise<number> {
  const ledger = await open(memory, sealer);
  return (await collect(ledger.read(1))).length;
}

const broken = (seq: number) => ({
  code: "ledger-broken",
  message: expect.stringMatching(new RegExp(`^ledger entry ${seq}: seen .*, wanted .*`)),
});

describe("what a host can do to the rows of a ledger", () => {
  const changes: [string, number, (rows: Uint8Array[], other: Uint8Array[]) => void][] = [
    ["swaps two rows", 2, (rows) => rows.splice(1, 2, rows[2]!, rows[1]!)],
    ["removes a row in the middle", 4, (rows) => rows.splice(2, 1)],
    ["removes the first row", 4, (rows) => rows.shift()],
    ["repeats a row", 6, (rows) => rows.splice(1, 0, rows[1]!)],
    ["repeats the last row", 6, (rows) => rows.push(rows[4]!)],
    ["empties a row", 3, (rows) => rows.splice(2, 1, new Uint8Array(0))],
    [
      "puts in a row of another history of this ledger",
      3,
      (rows, other) => rows.splice(2, 1, other[2]!),
    ],
    [
      "puts in the beginning of another history",
      4,
      (rows, other) => rows.splice(0, 3, ...other.slice(0, 3)),
    ],
    [
      "puts in the end of another history",
      4,
      (rows, other) => rows.splice(3, 2, ...other.slice(3)),
    ],
  ];
  it.each(changes)("is refused by name when it %s", async (_, seq, change) => {
    const memory = await fiveEntries();
    const other = rowMemory();
    await (await open(other)).append(0, ["1", "2", "3", "4", "5"].map(utf8));
    change(memory.sealedRows, other.sealedRows);
    await expect(openAndReadAll(memory)).rejects.toMatchObject(broken(seq));
  });

  it.each([
    ["another state key", testSealer(otherStateKey)],
    ["another federation", testSealer(undefined, otherFederation)],
  ])("does not open with %s", async (_, sealer) => {
    await expect(openAndReadAll(await fiveEntries(), sealer)).rejects.toMatchObject(broken(5));
  });

  it("does not open a row cut at any byte, or longer, or with any bit flipped", async () => {
    const memory = await fiveEntries();
    const good = memory.sealedRows[2]!;
    const bad: Uint8Array[] = [concatBytes(good, Uint8Array.of(0))];
    for (let length = 0; length < good.byteLength; length += 1) bad.push(good.slice(0, length));
    for (let bit = 0; bit < good.byteLength * 8; bit += 1) {
      const flipped = good.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      bad.push(flipped);
    }
    for (const row of bad) {
      memory.sealedRows[2] = row;
      const code = expect.stringMatching(/^(ledger-broken|newer-version)$/);
      await expect(openAndReadAll(memory)).rejects.toMatchObject({ code });
    }
    memory.sealedRows[2] = good;
    expect(await openAndReadAll(memory)).toBe(5);
  });

  it("does not open a row sealed by us whose content is too short to have a place in the chain", async () => {
    const memory = await fiveEntries();
    const object = new Uint8Array(0);
    const context = { kind: "ledger-row", object, position: 5, isLast: false } as const;
    memory.sealedRows[4] = testSealer().seal(context, new Uint8Array(31));
    await expect(openAndReadAll(memory)).rejects.toMatchObject(broken(5));
  });

  it("finds a first entry that follows something else than the origin", async () => {
    const memory = rowMemory();
    const object = new Uint8Array(0);
    const context = { kind: "ledger-row", object, position: 1, isLast: false } as const;
    const elsewhere = digestBytes("1".repeat(64) as never);
    memory.sealedRows.push(testSealer().seal(context, concatBytes(elsewhere, utf8("one"))));
    await expect(openAndReadAll(memory)).rejects.toMatchObject(broken(1));
  });

  it("goes unnoticed when the end is cut off, except by whoever remembers a later head", async () => {
    const memory = await fiveEntries();
    memory.sealedRows.length = 3;
    const ledger = await open(memory);
    expect((await ledger.head()).seq).toBe(3);
    await expect(collect(ledger.read(6))).rejects.toMatchObject(broken(6));
  });

  it("is noticed when the end is cut off while the ledger is open", async () => {
    const memory = await fiveEntries();
    const ledger = await open(memory);
    memory.sealedRows.length = 3;
    await expect(ledger.head()).rejects.toMatchObject(broken(3));
    await expect(ledger.append(3, [utf8("x")])).rejects.toMatchObject(broken(3));
  });
});

describe("an entry replaced while the ledger is open", () => {
  it("is refused although it follows the entry before, as this process knows the head", async () => {
    const memory = await fiveEntries();
    const fork = rowMemory();
    fork.sealedRows.push(...memory.sealedRows.slice(0, 4));
    await (await open(fork)).append(4, [utf8("another fifth")]);
    const ledger = await open(memory);
    memory.sealedRows[4] = fork.sealedRows[4]!;
    await expect(collect(ledger.read(1))).rejects.toMatchObject(broken(5));
    expect(await openAndReadAll(fork)).toBe(5);
  });
});

describe("writers of a ledger", () => {
  it("lets a second writer know that it is stale, and go on from the head", async () => {
    const memory = await fiveEntries();
    const [first, second] = [await open(memory), await open(memory)];
    await first.append(5, [utf8("six")]);
    const stale = second.append(5, [utf8("six, too")]);
    await expect(stale).rejects.toMatchObject({ code: "stale-writer" });
    const { seq } = await second.head();
    expect((await second.append(seq, [utf8("seven")])).seq).toBe(7);
    expect(await openAndReadAll(memory)).toBe(7);
  });

  it("does not seal or ask the medium for what is refused anyway", async () => {
    const rows = failingRows(memoryRows());
    const ledger = await openLedger({ rows, sealer: testSealer(), federationId: testFederation });
    await expect(ledger.append(4, [utf8("x")])).rejects.toMatchObject({ code: "stale-writer" });
    expect(rows.appendCount()).toBe(0);
  });

  it.each([
    ["full", "storage-full", 0],
    ["failed-before", "storage-failed", 0],
    ["failed-after", "storage-failed", 2],
  ] as const)(
    "knows after an append that ended in %s what is there",
    async (failure, code, seq) => {
      const rows = failingRows(memoryRows());
      const ledger = await openLedger({ rows, sealer: testSealer(), federationId: testFederation });
      rows.failNext(failure);
      const failed = ledger.append(0, [utf8("one"), utf8("two")]);
      await expect(failed).rejects.toMatchObject({ code });
      expect((await ledger.head()).seq).toBe(seq);
      expect((await ledger.append(seq, [utf8("next")])).seq).toBe(seq + 1);
      expect(await collect(ledger.read(1))).toHaveLength(seq + 1);
    },
  );

  it("leaves nothing readable in the rows", async () => {
    const memory = rowMemory();
    const secret = utf8("the name of a hospital");
    await (await open(memory)).append(0, [secret]);
    expect(Buffer.concat(memory.sealedRows).includes(Buffer.from(secret))).toBe(false);
  });
});
