import { expect, test } from "vitest";
import { utf8 } from "../../../lib/base/bytes.ts";
import { digestOf, type UnixMs } from "../../../lib/base/ids.ts";
import { MAX_MESSAGE_BYTES } from "../../../lib/base/limits.ts";
import { refusal } from "../../../lib/base/refusal.ts";
import { fedclave } from "../../../proto/generated/fedclave.js";
import { emptyLive } from "../../core/live.ts";
import { emptyState, type RoundRecord, type SessionRecord } from "../../core/state.ts";
import { goodSettings, name, range, World } from "../../core/testing/world.ts";
import { sessionMessage } from "../session-wire.ts";

const { sessionId } = new World({ combiners: 0, clients: 0 });
const coordinator = { state: emptyState, live: emptyLive };

const round = (number: number, changes: Partial<RoundRecord> = {}): RoundRecord => ({
  round: number,
  attempt: 1,
  status: "failed",
  wantedCount: 3,
  cohort: range(3).map((i) => name(`client-${i}`)),
  leases: new Map(),
  openedAtMs: 1 as UnixMs,
  reasons: [],
  validations: new Map(),
  ...changes,
});

const session = (rounds: readonly RoundRecord[]): SessionRecord => ({
  sessionId,
  settings: goodSettings,
  grid: { gridExponent: 29, worstRoundingError: 2 ** -30 },
  status: "running",
  reasons: [],
  startedAtMs: 1 as UnixMs,
  modelHash: digestOf(utf8("model")),
  committedRounds: 0,
  rounds,
});

const encoded = (record: SessionRecord) => {
  const message = sessionMessage(coordinator, record, record.rounds);
  return { message, bytes: fedclave.v1.Session.encode(message).finish().byteLength };
};

test("rounds with all the metrics and refusals there may be fit into messages, the first ones first", () => {
  const metrics = Object.fromEntries(range(32).map((i) => [`m${i}`.padEnd(63, "x"), i]));
  const reasons = range(16).map((i) => refusal(`code-${i}`, "s".repeat(256), "w".repeat(256)));
  const validations = new Map([[name("client-0"), { exampleCount: 1, metrics }]]);
  const rounds = range(1000).map((i) => round(i + 1, { reasons, validations }));
  const { message, bytes } = encoded(session(rounds));
  expect(bytes).toBeLessThan(MAX_MESSAGE_BYTES);
  const numbers = message.rounds?.map((each) => each.round) ?? [];
  expect(numbers.length).toBeGreaterThan(10);
  expect(numbers).toEqual(range(numbers.length).map((i) => i + 1));
  expect(message.attemptCount).toBe(1000);
});

test("ordinary rounds fit a thousand at a time", () => {
  const { message } = encoded(session(range(1000).map((i) => round(i + 1))));
  expect(message.rounds).toHaveLength(1000);
});

test("cohorts are listed for the newest rounds, and only where they are small", () => {
  const large = round(21, { cohort: range(257).map((i) => name(`client-${i}`)) });
  const { message } = encoded(session([...range(20).map((i) => round(i + 1)), large]));
  const listed = message.rounds?.map((each) => each.cohort?.length) ?? [];
  expect(listed.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
  expect(listed.slice(5, 20)).toEqual(range(15).map(() => 3));
  expect(listed[20]).toBe(0);
  expect(message.rounds?.[20]?.cohortCount).toBe(257);
});

test("a session that waits says for how many clients, and never for fewer than none", () => {
  const waiting = (attending: number) => {
    const world = new World({ combiners: 1, clients: 4 });
    world.attach(0);
    world.start(goodSettings);
    for (const client of range(attending)) world.attend(client, 0);
    return sessionMessage(world.coordinator, world.session, []).waitingFor;
  };
  expect(waiting(1)).toBe("3 more clients: 1 of 4 attend");
  expect(waiting(3)).toBe("1 more client: 3 of 4 attend");
  expect(waiting(4)).toBe("updates of 4 of 4 clients: client-0, client-1, client-2, client-3");
});
