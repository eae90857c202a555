import fc from "fast-check";
import { expect, test } from "vitest";
import type { Name } from "../../../lib/base/ids.ts";
import { type RoundKey, sameRound } from "../../../lib/base/round-key.ts";
import {
  goodUpdate,
  Harness,
  members,
  modelHash,
  openOrder,
  roundKey,
  sessionId,
} from "../testing/harness.ts";

const CLIENTS = members(5);
const keyArbitrary = fc
  .tuple(
    fc.integer({ min: 1, max: 2 }),
    fc.integer({ min: 1, max: 2 }),
    fc.integer({ max: 2, min: 1 }),
  )
  .map(([session, round, attempt]) => roundKey(round, attempt, sessionId(session)));
const clientArbitrary = fc.constantFrom(...CLIENTS);
const epochArbitrary = fc.integer({ min: 1, max: 4 });

type Action = (harness: Harness) => void;
const reason = { code: "x", seen: "", wanted: "" };

/** Everything that can reach the core, in any order: reducers, clients and networks that misbehave included. */
const actionArbitrary: fc.Arbitrary<Action> = fc.oneof(
  fc.tuple(keyArbitrary, fc.subarray(CLIENTS), epochArbitrary).map(
    ([key, leased, epoch]) =>
      (h: Harness) =>
        h.open(key, leased, epoch),
  ),
  fc.tuple(keyArbitrary, fc.subarray(CLIENTS), epochArbitrary).map(
    ([key, leased, epoch]) =>
      (h: Harness) =>
        void h.order(openOrder(key, leased, epoch)),
  ),
  fc.tuple(keyArbitrary, clientArbitrary).map(
    ([key, member]) =>
      (h: Harness) =>
        void h.upload(member, updateOf(member, key)),
  ),
  fc.tuple(keyArbitrary, epochArbitrary).map(
    ([key, leaseEpoch]) =>
      (h: Harness) =>
        void h.order({ kind: "close-round", key, leaseEpoch }),
  ),
  keyArbitrary.map((key) => (h: Harness) => void h.order({ kind: "abort-round", key, reason })),
  keyArbitrary.map(
    (key) => (h: Harness) =>
      void h.order({ kind: "commit-notice", key, modelHash: modelHash("new") }),
  ),
  fc
    .tuple(keyArbitrary, clientArbitrary, fc.constantFrom("truncated", "non-finite", ""))
    .map(([key, member, code]) => (h: Harness) => {
      const refusals = code === "" ? [] : [{ ...reason, code }];
      h.input({ kind: "upload-failed", member, key, refusals });
    }),
  clientArbitrary.map((member) => (h: Harness) => h.attend(member)),
  clientArbitrary.map((member) => (h: Harness) => h.leave(member)),
  fc.constant((h: Harness) => void h.input({ kind: "reducer-attached" })),
  fc.constant((h: Harness) => void h.input({ kind: "reducer-detached" })),
  fc.constant((h: Harness) => void h.order({ kind: "attached" })),
  fc.integer({ min: 0, max: 40_000 }).map((ms) => (h: Harness) => h.advance(ms)),
);

// Signing is slow; the same update is made once.
const updates = new Map<string, ReturnType<typeof goodUpdate>>();
function updateOf(member: Name, key: RoundKey) {
  const id = JSON.stringify([member, key]);
  const update = updates.get(id) ?? goodUpdate(member, key);
  updates.set(id, update);
  return update;
}

test("whatever happens, the sums hold exactly the folded members, each once and under its lease", () => {
  fc.assert(
    fc.property(fc.array(actionArbitrary, { maxLength: 60 }), (actions) => {
      const harness = new Harness();
      for (const action of actions) {
        const sent = harness.partials.length;
        action(harness);
        for (const round of harness.state.rounds.values()) {
          const folded = [...round.folded.keys()].toSorted();
          expect(harness.summed(round.key)).toEqual(folded);
          expect(folded.every((member) => round.members.has(member))).toBe(true);
        }
        for (const plan of harness.partials.slice(sent)) {
          const round = harness.state.rounds.get(plan.key.sessionId);
          expect(round !== undefined && sameRound(round.key, plan.key)).toBe(true);
          expect(plan.leaseEpoch).toBe(round?.leaseEpoch);
          expect(plan.headers).toHaveLength(harness.summed(plan.key).length);
        }
      }
      expect([...harness.sums.keys()].length).toBe(
        [...harness.state.rounds.values()].filter(({ folded }) => folded.size > 0).length,
      );
    }),
    { numRuns: 300 },
  );
});

test("whatever happens, state stays within the bounds that leases and attendance set", () => {
  fc.assert(
    fc.property(fc.array(actionArbitrary, { maxLength: 80 }), (actions) => {
      const harness = new Harness();
      for (const action of actions) action(harness);
      const { rounds, attending, models } = harness.state;
      expect(rounds.size).toBeLessThanOrEqual(2);
      expect(attending.size).toBeLessThanOrEqual(CLIENTS.length);
      expect(models.size).toBeLessThanOrEqual(4);
      for (const { tasked, retries, gaveUp } of rounds.values()) {
        for (const { size } of [tasked, retries, gaveUp])
          expect(size).toBeLessThanOrEqual(CLIENTS.length);
      }
    }),
    { numRuns: 200 },
  );
});

test("the order in which members send changes nothing but the order of the sums' inputs", () => {
  const key = roundKey(1);
  const run = (order: readonly Name[]) => {
    const harness = new Harness();
    harness.attend(...CLIENTS);
    harness.open(key, CLIENTS);
    for (const member of order) harness.upload(member, updateOf(member, key));
    harness.order({ kind: "close-round", key, leaseEpoch: 1 });
    return harness.partials;
  };
  const expected = run(CLIENTS);
  expect(expected[0]?.weightSum).toBe(10 * CLIENTS.length);
  fc.assert(
    fc.property(fc.shuffledSubarray(CLIENTS, { minLength: CLIENTS.length }), (order) => {
      expect(run(order)).toEqual(expected);
    }),
    { numRuns: 30 },
  );
});
