import { expect, test } from "vitest";
import { digestOf } from "../../../lib/base/ids.ts";
import { silentLog } from "../../../lib/base/log.ts";
import { fakeClock } from "../../../lib/base/testing/fake-clock.ts";
import type { Ledger } from "../../../lib/storage/ledger.ts";
import { emptyLive } from "../../core/live.ts";
import { emptyState } from "../../core/state.ts";
import { startEngine } from "../engine.ts";

const head = { seq: 0, hash: digestOf(new Uint8Array()) };

const emptyLedger: Ledger = {
  head: async () => head,
  append: async () => head,
  read: async function* () {},
  close: async () => {},
};

const newEngine = () =>
  startEngine({
    coordinator: { state: emptyState, live: emptyLive },
    ledger: emptyLedger,
    clock: fakeClock(),
    log: silentLog,
    perform: () => {},
    onFatal: () => {},
  });

test.each([...Array(8).keys()])(
  "an input that comes %i turns after the former was settled is taken, too",
  async (turns) => {
    const engine = newEngine();
    await engine.submit({ kind: "tick" });
    for (let turn = 0; turn < turns; turn += 1) await undefined;
    let taken = false;
    engine.submit({ kind: "tick" }).then(() => {
      taken = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toBe(true);
  },
);
