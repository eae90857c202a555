/** The ledger over any rows: hash chain and seal, both checked on every way in. */
import { concatBytes, lengthPrefixed, uint64Bytes, utf8 } from "../base/bytes.ts";
import {
  type Digest,
  digestBytes,
  digestFromBytes,
  digestOf,
  type FederationId,
} from "../base/ids.ts";
import {
  type Ledger,
  type LedgerEntry,
  type LedgerHead,
  type LedgerRow,
  type LedgerRows,
  MAX_EVENT_BYTES,
  MAX_EVENTS_PER_APPEND,
  MAX_LEDGER_SEQ,
} from "./ledger.ts";
import type { Sealer } from "./sealed/sealer.ts";
import { StorageError, staleWriter } from "./storage-error.ts";

const HASH_BYTES = 32;
const NO_OBJECT = new Uint8Array(0);

/** What stands before the first entry: the ledger of one federation cannot go on as that of another. */
export const ledgerOrigin = (federationId: FederationId): Digest =>
  digestOf(utf8("fedclave/ledger/1\0"), utf8(federationId));

/** Hash of an entry, and through `previous` of everything before it. */
export const ledgerEntryHash = (previous: Digest, seq: number, event: Uint8Array): Digest =>
  digestOf(
    utf8("fedclave/ledger-entry/1\0"),
    digestBytes(previous),
    uint64Bytes(seq),
    lengthPrefixed(event),
  );

/**
 * Opens the ledger and verifies its last entry; the others are verified as they are read.
 * @param rows  owned by the ledger from here on: closed with it
 * @throws StorageError "ledger-broken" when the last entry does not open (wrong key or federation, or altered), and
 *   those of the rows
 */
export async function openLedger(given: {
  readonly rows: LedgerRows;
  readonly sealer: Sealer;
  readonly federationId: FederationId;
}): Promise<Ledger> {
  const { rows, sealer } = given;
  const origin = ledgerOrigin(given.federationId);
  let known: LedgerHead = { seq: 0, hash: origin };

  /** The stored head, read again only when it moved; the row carries its own place in the chain. */
  async function head(): Promise<LedgerHead> {
    const lastSeq = await rows.lastSeq();
    if (lastSeq < known.seq) throw broken(lastSeq, `${lastSeq} as last`, `at least ${known.seq}`);
    if (lastSeq > known.seq) {
      const last = openRow(sealer, await readRow(rows, lastSeq), lastSeq);
      if (last.seq > known.seq) known = { seq: last.seq, hash: last.hash };
    }
    return known;
  }

  async function append(expectedSeq: number, events: readonly Uint8Array[]): Promise<LedgerHead> {
    checkLimits(expectedSeq, events);
    const before = await head();
    if (before.seq !== expectedSeq) throw staleWriter(expectedSeq, before.seq);
    let { seq, hash } = before;
    const sealedRows = events.map((event) => {
      const plain = concatBytes(digestBytes(hash), event);
      seq += 1;
      hash = ledgerEntryHash(hash, seq, event);
      return sealer.seal(rowContext(seq), plain);
    });
    await rows.append(expectedSeq, sealedRows);
    known = { seq, hash };
    return known;
  }

  await head();
  return {
    head,
    append,
    read: (fromSeq) => readVerified(rows, sealer, origin, head, fromSeq),
    close: () => rows.close(),
  };
}

async function* readVerified(
  rows: LedgerRows,
  sealer: Sealer,
  origin: Digest,
  head: () => Promise<LedgerHead>,
  fromSeq: number,
): AsyncGenerator<LedgerEntry> {
  const end = await head();
  if (!Number.isSafeInteger(fromSeq) || fromSeq < 1 || fromSeq > end.seq + 1) {
    throw broken(fromSeq, `a ledger of ${end.seq} entries`, `one that reaches ${fromSeq - 1}`);
  }
  // The entry before the first wanted one says what the first must follow.
  const firstSeq = Math.max(1, fromSeq - 1);
  let previous: LedgerHead | undefined = fromSeq === 1 ? { seq: 0, hash: origin } : undefined;
  let nextSeq = firstSeq;
  if (nextSeq > end.seq) return;
  for await (const row of rows.read(firstSeq)) {
    const entry = openRow(sealer, row, nextSeq);
    if (previous !== undefined && previous.hash !== entry.previous) {
      throw broken(nextSeq, `an entry that follows ${entry.previous}`, previous.hash);
    }
    if (nextSeq === end.seq && entry.hash !== end.hash) throw broken(nextSeq, entry.hash, end.hash);
    if (nextSeq >= fromSeq) yield { seq: entry.seq, hash: entry.hash, event: entry.event };
    if (nextSeq === end.seq) return;
    previous = entry;
    nextSeq += 1;
  }
  throw broken(nextSeq, "no such row", `entries up to ${end.seq}`);
}

async function readRow(rows: LedgerRows, seq: number): Promise<LedgerRow> {
  for await (const row of rows.read(seq)) return row;
  throw broken(seq, "no such row", "the last entry");
}

/** Row plain text = hash of the entry before (32 bytes) ‖ event, so a single row can say where it stands. */
function openRow(
  sealer: Sealer,
  row: LedgerRow,
  seq: number,
): LedgerEntry & { readonly previous: Digest } {
  if (row.seq !== seq) throw broken(seq, `row ${row.seq}`, `row ${seq}`);
  let plain: Uint8Array;
  try {
    plain = sealer.unseal(rowContext(seq), row.sealed);
  } catch (cause) {
    if (cause instanceof StorageError && cause.code === "newer-version") throw cause;
    throw broken(seq, "a row that does not open", "one sealed here for this place", cause);
  }
  const previous = digestFromBytes(plain.subarray(0, HASH_BYTES));
  if (previous === undefined) throw broken(seq, `${plain.byteLength} bytes`, "32 or more");
  const event = plain.subarray(HASH_BYTES);
  return { seq, previous, event, hash: ledgerEntryHash(previous, seq, event) };
}

const rowContext = (seq: number) =>
  ({ kind: "ledger-row", object: NO_OBJECT, position: seq, isLast: false }) as const;

function checkLimits(expectedSeq: number, events: readonly Uint8Array[]): void {
  if (events.length < 1 || events.length > MAX_EVENTS_PER_APPEND) {
    throw tooLarge(`${events.length} events`, `1 to ${MAX_EVENTS_PER_APPEND}`);
  }
  if (expectedSeq + events.length > MAX_LEDGER_SEQ) {
    throw tooLarge(`entry ${expectedSeq + events.length}`, `${MAX_LEDGER_SEQ} at most`);
  }
  for (const event of events) {
    if (event.byteLength > MAX_EVENT_BYTES) {
      throw tooLarge(`an event of ${event.byteLength} bytes`, `${MAX_EVENT_BYTES} at most`);
    }
  }
}

const tooLarge = (seen: string, wanted: string): StorageError =>
  new StorageError("too-large", `ledger append: seen ${seen}, wanted ${wanted}`);

function broken(seq: number, seen: string, wanted: string, cause?: unknown): StorageError {
  return new StorageError(
    "ledger-broken",
    `ledger entry ${seq}: seen ${seen}, wanted ${wanted}; restore the ledger from a copy, or start from the state key and federation it belongs to`,
    { cause },
  );
}
