/** Ports: the ledger as its users see it, and the rows that adapters keep for it. */
import type { Digest } from "../base/ids.ts";
import { MIB } from "../base/limits.ts";

/** One event, before sealing. */
export const MAX_EVENT_BYTES = 16 * MIB;
/** Events of one append, which are held and made durable together. */
export const MAX_EVENTS_PER_APPEND = 1024;
/** Last sequence number: rows are sealed with random nonces under one key (see localSealer). */
export const MAX_LEDGER_SEQ = 2 ** 32;

/** The last entry: its sequence number, 0 for an empty ledger, and the hash that stands for everything up to it. */
export type LedgerHead = { readonly seq: number; readonly hash: Digest };

export type LedgerEntry = {
  /** 1 for the first entry, then without gaps. */
  readonly seq: number;
  readonly hash: Digest;
  readonly event: Uint8Array;
};

/**
 * The federation's history: sealed, hash-chained, appended to by one writer. What happened is what is in it.
 * A host that puts back an older but complete ledger cannot be noticed from the ledger alone; whoever remembers a
 * head can notice, by asking for the entries after it.
 */
export type Ledger = {
  /** @throws StorageError "ledger-broken" when the last entry does not open or entries vanished since the last call */
  readonly head: () => Promise<LedgerHead>;
  /**
   * Adds events after entry `expectedSeq`, all or none; durable once it resolves. A rejection other than "stale-writer"
   * and "storage-full" leaves open whether they were kept: ask head() after opening the ledger again.
   * @param expectedSeq  the seq of the head this writer decided on
   * @param events  1 to 1,024, each up to 16 MiB; not kept
   * @throws StorageError "stale-writer" when the head is another; "too-large", "closed", those of head(), and of the medium
   */
  readonly append: (expectedSeq: number, events: readonly Uint8Array[]) => Promise<LedgerHead>;
  /**
   * Entries from `fromSeq` to the head as of the first step, in order, each verified before it is yielded.
   * @param fromSeq  1 to head + 1
   * @throws StorageError "ledger-broken" naming the entry; also when `fromSeq` is past head + 1, since a reader that
   *   knows of later entries has then caught the ledger shrinking
   */
  readonly read: (fromSeq: number) => AsyncIterable<LedgerEntry>;
  readonly close: () => Promise<void>;
};

/** One sealed entry as an adapter holds it. */
export type LedgerRow = { readonly seq: number; readonly sealed: Uint8Array };

/** What an adapter does: numbered opaque rows, appended conditionally. It knows no key and is not trusted. */
export type LedgerRows = {
  /** 0 when there are none. */
  readonly lastSeq: () => Promise<number>;
  /**
   * Stores rows expectedSeq + 1, + 2, …; all or none, on the disk when it resolves.
   * @throws StorageError "stale-writer" when the last row is not `expectedSeq`, "closed", and those of the medium
   */
  readonly append: (expectedSeq: number, sealedRows: readonly Uint8Array[]) => Promise<void>;
  /** Rows with seq ≥ fromSeq, ascending, in bounded pages; may include rows appended meanwhile. */
  readonly read: (fromSeq: number) => AsyncIterable<LedgerRow>;
  /** Idempotent; everything else then fails with "closed". */
  readonly close: () => Promise<void>;
};
