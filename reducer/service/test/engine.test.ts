import { expect, test } from "vitest";
import { uint64Bytes } from "../../../lib/base/bytes.ts";
import { digestOf, type Name, type UnixMs } from "../../../lib/base/ids.ts";
import { silentLog } from "../../../lib/base/log.ts";
import { fakeClock } from "../../../lib/base/testing/fake-clock.ts";
import { type Ledger, MAX_EVENTS_PER_APPEND } from "../../../lib/storage/ledger.ts";
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

const newEngine = (ledger = emptyLedger) =>
  startEngine({
    coordinator: { state: emptyState, live: emptyLive },
    ledger,
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

test("events that queue up faster than the ledger takes them go into appends that it takes", async () => {
  const appended: number[] = [];
  const append = async (_: number, events: readonly Uint8Array[]) => {
    appended.push(events.length);
    return head;
  };
  const engine = newEngine({ ...emptyLedger, append });
  const inputs = Array.from({ length: 3 * MAX_EVENTS_PER_APPEND }, (_, i) =>
    engine.submit({
      kind: "record",
      event: {
        kind: "model-imported",
        modelHash: digestOf(uint64Bytes(i)),
        name: "seed" as Name,
        sizeBytes: 1,
        parameterCount: 1,
        atMs: 1 as UnixMs,
      },
    }),
  );
  await Promise.all(inputs);
  expect(Math.max(...appended)).toBeLessThanOrEqual(MAX_EVENTS_PER_APPEND);
  expect(appended.reduce((sum, count) => sum + count, 0)).toBe(inputs.length);
});
