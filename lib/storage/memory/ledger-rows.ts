import type { LedgerRow, LedgerRows } from "../ledger.ts";
import { staleWriter, storeClosed } from "../storage-error.ts";

/** What the "disk" of memoryRows holds; several may be opened over one, in turn or at once. */
export type RowMemory = { readonly sealedRows: Uint8Array[] };

/** An empty medium, which may be opened again and again. */
export const rowMemory = (): RowMemory => ({ sealedRows: [] });

/** Rows that live as long as the process: for tests, and for throw-away federations. */
export function memoryRows(memory: RowMemory = rowMemory()): LedgerRows {
  let closed = false;
  const rows = () => {
    if (closed) throw storeClosed("the ledger in memory");
    return memory.sealedRows;
  };
  async function* read(fromSeq: number): AsyncGenerator<LedgerRow> {
    for (let seq = Math.max(1, fromSeq); ; seq += 1) {
      const sealed = rows()[seq - 1];
      if (sealed === undefined) return;
      yield { seq, sealed: sealed.slice() };
    }
  }
  return {
    lastSeq: async () => rows().length,
    append: async (expectedSeq, sealedRows) => {
      const kept = rows();
      if (kept.length !== expectedSeq) throw staleWriter(expectedSeq, kept.length);
      for (const sealed of sealedRows) kept.push(sealed.slice());
    },
    read,
    close: async () => {
      closed = true;
    },
  };
}
