import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { refusal } from "../../../lib/base/refusal.ts";
import { wakesAtMs } from "../coordinator.ts";
import { COMBINER_GRACE_MS, VALIDATION_TIMEOUT_MS } from "../live.ts";
import { MAX_LEASE_MOVES, MAX_PARTIAL_REFUSALS, MERGE_TIMEOUT_MS, stepRound } from "../round.ts";
import { foldedMembers } from "../round-state.ts";
import { modelTrail } from "../state.ts";
import { events, goodSettings, name, range, World } from "../testing/world.ts";

function runningWorld(settings = goodSettings, combiners = 2): World {
  const world = new World({ combiners, clients: 4 });
  for (const index of range(combiners)) world.attach(index);
  world.start(settings);
  for (const client of range(4)) world.attend(client, client % combiners);
  return world;
}

const kinds = (world: World) =>
  events(world)
    .map((event) => event.kind)
    .filter((kind) => kind !== "member-joined");

describe("an undisturbed session", () => {
  test("waits for its clients before it opens a round", () => {
    const world = new World({ combiners: 1, clients: 4 });
    world.attach(0);
    world.start(goodSettings);
    for (const client of [0, 1, 2]) world.attend(client, 0);
    expect(world.round).toBeUndefined();
    world.attend(3, 0);
    expect(world.round?.status).toBe("training");
  });

  test("leases each client to the combiner it attends, closes when all folded, commits, validates and finishes", () => {
    const world = runningWorld({ ...goodSettings, rounds: 1 });
    const leases = [...(world.round?.leases.values() ?? [])].map((lease) => lease.members);
    expect(leases).toEqual([
      ["client-0", "client-2"],
      ["client-1", "client-3"],
    ]);
    for (const client of range(4)) world.fold(client);
    expect(world.round?.status).toBe("merging");
    world.deliver(0);
    expect(world.round?.status).toBe("merging");
    world.deliver(1);
    expect(world.round?.status).toBe("optimizing");
    world.finishMerge();
    expect(world.session.status).toBe("running");
    for (const client of range(4)) world.validate(client);
    expect(world.session.status).toBe("finished");
    expect(kinds(world)).toEqual([
      "session-started",
      "round-opened",
      "leases-granted",
      "round-committed",
      "model-validated",
      "model-validated",
      "model-validated",
      "model-validated",
      "session-ended",
    ]);
  });

  test("ends without a validation that does not come, after its timeout", () => {
    const world = runningWorld({ ...goodSettings, rounds: 1 });
    for (const client of range(4)) world.fold(client);
    for (const index of [0, 1]) world.deliver(index);
    world.finishMerge();
    world.advance(VALIDATION_TIMEOUT_MS - 1);
    expect(world.session.status).toBe("running");
    world.advance(1);
    expect(world.session.status).toBe("finished");
  });

  test("nothing wakes the reducer for a validation that no round waits for", () => {
    const settings = { ...goodSettings, roundDeadlineMs: 10 * VALIDATION_TIMEOUT_MS };
    const world = runningWorld(settings);
    for (const client of range(4)) world.fold(client);
    for (const index of [0, 1]) world.deliver(index);
    world.finishMerge();
    const deadlineMs = world.round?.deadlineMs;
    world.advance(VALIDATION_TIMEOUT_MS + 1);
    expect(wakesAtMs(world.coordinator)).toBe(deadlineMs);
  });

  test("nothing wakes the reducer while a model is being merged", () => {
    const world = runningWorld();
    for (const client of range(4)) world.fold(client);
    for (const index of [0, 1]) world.deliver(index);
    expect(world.round?.status).toBe("optimizing");
    expect(wakesAtMs(world.coordinator)).toBeUndefined();
  });

  test("keeps a trail from the newest model to the seed", () => {
    const world = runningWorld();
    world.settle();
    const trail = modelTrail(world.coordinator.state, world.session.modelHash);
    expect(trail.map((model) => model.parent?.round)).toEqual([3, 2, 1]);
  });
});

describe("deadlines and quorum", () => {
  const halfQuorum = { ...goodSettings, quorumCount: 2, maxAttempts: 2 };

  test("a round with quorum closes at its deadline without the missing", () => {
    const world = runningWorld(halfQuorum);
    for (const client of [0, 1]) world.fold(client);
    world.advance(halfQuorum.roundDeadlineMs - 1);
    expect(world.round?.status).toBe("training");
    world.advance(1);
    expect(world.round?.status).toBe("merging");
  });

  test("a round without quorum fails at its deadline and is tried again", () => {
    const world = runningWorld(halfQuorum);
    world.fold(0);
    world.advance(halfQuorum.roundDeadlineMs);
    expect(world.round?.key).toMatchObject({ round: 1, attempt: 2 });
  });

  test("the session fails after its last attempt and says why", () => {
    const world = runningWorld(halfQuorum);
    for (const _ of range(2)) world.advance(halfQuorum.roundDeadlineMs);
    expect(world.session.status).toBe("failed");
    const codes = world.session.reasons.map(({ code }) => code);
    expect(codes).toEqual(["attempts-spent", "quorum-not-met"]);
  });

  test("a round fails at once when too few members are left to reach the quorum", () => {
    const world = runningWorld(halfQuorum);
    for (const client of range(3)) world.giveUp(client);
    expect(world.round?.key.attempt).toBe(2);
  });

  test("a member that gave up is not waited for", () => {
    const world = runningWorld(halfQuorum);
    for (const client of range(3)) world.fold(client);
    world.giveUp(3);
    expect(world.round?.status).toBe("merging");
  });

  test("with over-selection the round closes when the wanted number has folded", () => {
    const settings = { ...goodSettings, quorumCount: 1, clientFraction: 0.5, overSelection: 0.5 };
    const world = runningWorld(settings);
    expect(world.round?.cohort.size).toBe(3);
    const cohort = [...(world.round?.cohort ?? [])].map((member) => world.clients.indexOf(member));
    for (const client of cohort.slice(0, 2)) world.fold(client);
    expect(world.round?.status).toBe("merging");
  });

  test("a combiner whose first fold comes while the others deliver is asked to close, too", () => {
    const settings = { ...goodSettings, quorumCount: 1, clientFraction: 0.5, overSelection: 1 };
    const world = runningWorld(settings);
    for (const client of [0, 2]) world.fold(client);
    expect(world.round?.status).toBe("merging");
    world.fold(1);
    for (const index of [0, 1]) world.deliver(index);
    expect(world.round?.status).toBe("optimizing");
  });

  test("a combiner that does not deliver its partial is given up after the merge timeout", () => {
    const world = runningWorld(halfQuorum);
    for (const client of range(4)) world.fold(client);
    world.deliver(0);
    world.advance(MERGE_TIMEOUT_MS);
    expect(world.round?.status).toBe("optimizing");
    world.finishMerge();
    expect(world.merges[0]?.members).toEqual(["client-0", "client-2"]);
  });
});

describe("combiners that come and go", () => {
  test("one that comes back in time keeps what it folded", () => {
    const world = runningWorld();
    world.fold(0);
    world.detach(0);
    world.fold(2);
    world.advance(COMBINER_GRACE_MS - 1);
    world.attach(0);
    expect([...foldedMembers(world.round!).keys()].sort()).toEqual(["client-0", "client-2"]);
  });

  test("a new process under the same name gets a new epoch and nothing it folded counts", () => {
    const world = runningWorld();
    world.fold(0);
    const before = world.round?.leases.get(world.combiners[0]!.combiner)?.leaseEpoch ?? 0;
    world.restart(0);
    world.attach(0);
    expect(world.round?.leases.get(world.combiners[0]!.combiner)?.leaseEpoch).toBeGreaterThan(
      before,
    );
    expect(foldedMembers(world.round!).size).toBe(0);
  });

  test("the clients of a lost one are leased to where they attend now", () => {
    const world = runningWorld();
    world.fold(0);
    world.restart(0);
    world.advance(COMBINER_GRACE_MS);
    for (const client of [0, 2]) world.attend(client, 1);
    expect(world.round?.leases.get(world.combiners[1]!.combiner)?.members).toHaveLength(4);
    world.settle();
    expect(world.session.status).toBe("finished");
  });

  test("a client that had folded at a killed combiner and went elsewhere sends again there", () => {
    const world = runningWorld();
    world.fold(0);
    world.restart(0);
    for (const client of [0, 2]) world.attend(client, 1);
    world.attach(0);
    expect(world.round?.leases.get(world.combiners[1]!.combiner)?.members).toHaveLength(4);
  });

  test("a client that had folded at a combiner that never came back sends again where it is", () => {
    const world = runningWorld();
    world.fold(0);
    world.restart(0);
    for (const client of [0, 2]) world.attend(client, 1);
    world.advance(COMBINER_GRACE_MS);
    expect(world.round?.leases.get(world.combiners[1]!.combiner)?.members).toHaveLength(4);
  });

  test("a lost combiner's lease stays lost to members that moved when the reducer restarts", () => {
    const world = runningWorld();
    world.fold(0);
    world.detach(0);
    world.advance(COMBINER_GRACE_MS);
    for (const client of [0, 2]) world.attend(client, 1);
    world.crash();
    const leased = [...(world.round?.leases.values() ?? [])].flatMap(({ members }) => members);
    expect([...leased].sort()).toEqual(world.clients);
    world.settle();
    expect(world.merges.map(({ members }) => [...members].sort())).toEqual(
      range(3).map(() => world.clients),
    );
  });

  test("a partial of a former epoch changes nothing", () => {
    const world = runningWorld();
    for (const client of range(4)) world.fold(client);
    world.restart(0);
    world.attach(0);
    for (const client of [0, 2]) {
      world.attend(client, 0);
      world.fold(client);
    }
    expect(world.round?.status).toBe("merging");
    world.deliverGhost(0);
    expect(world.round?.partials.size).toBe(0);
  });

  test("a lease that a member left voids what its combiner had folded", () => {
    const world = runningWorld({ ...goodSettings, quorumCount: 3 });
    const holder = world.combiners[0]!.combiner;
    const round = world.round!;
    const folded = stepRound(
      round,
      {
        kind: "update-folded",
        combiner: holder,
        leaseEpoch: round.leases.get(holder)?.leaseEpoch ?? 0,
        member: world.clients[2]!,
        fold: { exampleCount: 1, sizeBytes: 1 },
      },
      world.nowMs,
    ).round;
    expect(foldedMembers(folded).size).toBe(1);
    const moved = stepRound(
      folded,
      {
        kind: "client-attended",
        combiner: world.combiners[1]!.combiner,
        member: world.clients[0]!,
      },
      world.nowMs,
    );
    expect(foldedMembers(moved.round).size).toBe(0);
    expect(moved.granted.map((lease) => lease.members.length).sort()).toEqual([1, 3]);
  });

  test("a partial that is in becomes void when its combiner is leased a lost combiner's clients", () => {
    const world = runningWorld();
    for (const client of range(4)) world.fold(client);
    world.deliver(0);
    expect(world.round?.partials.size).toBe(1);
    world.restart(1);
    world.advance(COMBINER_GRACE_MS);
    world.attend(1, 0);
    expect(world.round?.partials.size).toBe(0);
    // Nobody left it, so what it had folded still counts.
    expect(foldedMembers(world.round!).size).toBe(2);
  });

  test("one whose partials are refused again and again is given up with its members", () => {
    const world = runningWorld({ ...goodSettings, quorumCount: 2 });
    for (const _ of range(MAX_PARTIAL_REFUSALS)) {
      for (const client of range(4)) world.fold(client);
      world.refusePartial(0);
    }
    expect(world.round?.gaveUp.size).toBe(2);
    expect(world.round?.status).toBe("merging");
  });
});

test("a client that hops between combiners is given up before it can void others' work for ever", () => {
  const world = runningWorld({ ...goodSettings, quorumCount: 3 });
  for (const hop of range(MAX_LEASE_MOVES + 1)) world.attend(0, (hop + 1) % 2);
  const reasons = world.round?.gaveUp.get(world.clients[0]!);
  expect(reasons?.map(({ code }) => code)).toEqual(["too-many-moves"]);
});

test("a combiner cannot bring a client that never joined", () => {
  const world = new World({ combiners: 1, clients: 3 });
  world.attach(0);
  world.start(goodSettings);
  for (const client of range(3)) world.attend(client, 0);
  world.combiners[0]!.clients.add(name("made-up"));
  world.attach(0);
  expect(world.round).toBeUndefined();
});

test("a stopped session records why and takes no further event of its round", () => {
  const world = runningWorld();
  world.stop();
  const count = world.ledger.length;
  for (const client of range(4)) world.fold(client);
  expect(world.session.status).toBe("stopped");
  expect(world.session.reasons).toEqual([
    refusal("stopped-by-admin", "stop", "a finished session"),
  ]);
  expect(world.ledger).toHaveLength(count);
});

const faults: fc.Arbitrary<[(world: World, at: number) => void, number]>[] = [
  (w: World, at: number) => w.attend(at % 4, Math.floor(at / 4) % w.combiners.length),
  (w: World, at: number) => w.leave(at % 4),
  (w: World, at: number) => w.breakAway(at % 4, Math.floor(at / 4) % w.combiners.length),
  (w: World, at: number) => w.notice(at % w.combiners.length),
  (w: World, at: number) => w.fold(at % 4),
  (w: World, at: number) => w.fold(at % 4),
  (w: World, at: number) => w.deliver(at % w.combiners.length),
  (w: World, at: number) => w.deliverGhost(at % w.combiners.length),
  (w: World, at: number) => w.attach(at % w.combiners.length),
  (w: World, at: number) => w.detach(at % w.combiners.length),
  (w: World, at: number) => w.restart(at % w.combiners.length),
  (w: World, at: number) => w.refusePartial(at % w.combiners.length),
  (w: World, _at: number) => w.finishMerge(),
  (w: World, _at: number) => w.crash(),
  (w: World, at: number) => w.advance(at * 500),
  (w: World, at: number) => w.validate(at % 4),
].map((act) => fc.tuple(fc.constant(act), fc.nat({ max: 15 })));

test.each([1, 2, 3])(
  "with %i combiners and any faults, every session ends in the same committed updates, none counted twice",
  (combiners) => {
    // So long that whatever ends by its deadline counts as stuck.
    const settings = { ...goodSettings, roundDeadlineMs: 10 * 24 * 3_600_000 };
    const undisturbed = runningWorld(settings, combiners);
    undisturbed.settle();
    fc.assert(
      fc.property(fc.array(fc.oneof(...faults), { maxLength: 60 }), (acts) => {
        const world = runningWorld(settings, combiners);
        for (const [act, at] of acts) {
          if (world.session.status === "running") act(world, at);
        }
        world.settle();
        expect(world.session.status).toBe("finished");
        for (const round of world.session.rounds) {
          const members = round.committed?.updates.map(({ member }) => member) ?? [];
          expect(new Set(members).size).toBe(members.length);
          for (const member of members) expect(round.cohort).toContain(member);
          // An attempt only fails because of members who gave up, never because nobody moved.
          if (round.status === "failed") expect(round.reasons.length).toBeGreaterThan(1);
          if (round.committed === undefined) continue;
          // What was recorded is what was really summed.
          const merged = world.merges.filter(({ key }) => key.round === round.round).at(-1);
          expect([...(merged?.members ?? [])].sort()).toEqual(members);
        }
        const last = world.merges.at(-1);
        expect([...(last?.members ?? [])].sort()).toEqual([...world.clients].sort());
        const hashes = (w: World) => w.session.rounds.flatMap((r) => r.committed?.updates ?? []);
        expect(hashes(world)).toEqual(hashes(undisturbed));
      }),
      { numRuns: 150 },
    );
  },
);
