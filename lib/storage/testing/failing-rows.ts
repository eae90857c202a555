import type { LedgerRows } from "../ledger.ts";
import { storageFailed, storageFull } from "../storage-error.ts";

/** How the next append fails: before anything is kept, or after all of it is (a lost acknowledgement). */
export type AppendFailure = "full" | "failed-before" | "failed-after";

export type FailingRows = LedgerRows & {
  /** The next append fails in this way; the ones after it do not. */
  readonly failNext: (failure: AppendFailure) => void;
  /** Appends that were asked for. */
  readonly appendCount: () => number;
};

/** Rows that count and fail when told to. */
export function failingRows(rows: LedgerRows): FailingRows {
  let next: AppendFailure | undefined;
  let count = 0;
  return {
    ...rows,
    append: async (expectedSeq, sealedRows) => {
      const failure = next;
      next = undefined;
      count += 1;
      if (failure === "full") throw storageFull("failing rows", undefined);
      if (failure === "failed-before") throw storageFailed("failing rows", undefined);
      await rows.append(expectedSeq, sealedRows);
      if (failure === "failed-after") throw storageFailed("failing rows", undefined);
    },
    failNext: (failure) => {
      next = failure;
    },
    appendCount: () => count,
  };
}
