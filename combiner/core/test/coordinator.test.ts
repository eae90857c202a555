import { expect, test } from "vitest";
import type { Name } from "../../../lib/base/ids.ts";
import { wakesAtMs } from "../coordinator.ts";
import { MAX_UPLOAD_FAILURES } from "../round.ts";
import { REDUCER_GRACE_MS, VALIDATION_LIFE_MS } from "../state.ts";
import {
  goodUpdate,
  Harness,
  members,
  modelHash,
  openOrder,
  roundKey,
  sessionId,
} from "../testing/harness.ts";

const [alice, bob, carol] = members(3) as [Name, Name, Name];
const key = roundKey(3);
const reason = { code: "x", seen: "", wanted: "" };
const abort = { kind: "abort-round", key, reason } as const;

const report = {
  sessionId: key.sessionId,
  round: 2,
  modelHash: modelHash("base of round 3"),
  exampleCount: 5,
  metrics: [{ name: "accuracy", value: 0.5 }],
};
const { exampleCount: _, metrics: __, ...offer } = report;
const validateOrder = {
  kind: "validate-model",
  ...offer,
  modelSizeBytes: 10,
  packageDigest: modelHash("package"),
} as const;

function openHarness(): Harness {
  const harness = new Harness();
  harness.attend(alice, bob);
  harness.open(key, [alice, bob, carol]);
  return harness;
}

const fold = (harness: Harness, member: Name, of = key) =>
  expect(harness.upload(member, goodUpdate(member, of))).toEqual([]);

test("tasks wait for the base model, then go to every attending member with a lease", () => {
  const harness = new Harness();
  harness.attend(alice, bob);
  harness.input({ kind: "reducer-attached" });
  harness.order(openOrder(key, [alice, carol]));
  expect(harness.tasksOf(alice)).toEqual(["welcome"]);
  const hash = modelHash("base of round 3");
  harness.input({ kind: "model-ready", modelHash: hash, updateSizeBytes: 8 });
  expect(harness.tasksOf(alice)).toEqual(["welcome", "train"]);
  expect(harness.tasksOf(bob)).toEqual(["welcome"]);
  harness.attend(carol);
  expect(harness.tasksOf(carol)).toEqual(["welcome", "train"]);
});

test("every OpenRound is answered with what is folded", () => {
  const harness = openHarness();
  fold(harness, bob);
  const { length } = harness.messages;
  for (const epoch of [1, 0, 2]) harness.order(openOrder(key, [alice, bob], epoch));
  expect(harness.messages.slice(length)).toEqual(
    [1, 1, 2].map((leaseEpoch) => ({ kind: "round-report", key, leaseEpoch, folded: [bob] })),
  );
});

test("an order repeated under the same epoch asks nobody a second time", () => {
  const harness = openHarness();
  harness.order(openOrder(key, [alice, bob, carol]));
  expect(harness.tasksOf(alice)).toEqual(["welcome", "train"]);
});

test("a lease that keeps every folded member keeps the sums and reopens the round", () => {
  const harness = openHarness();
  fold(harness, alice);
  harness.order({ kind: "close-round", key, leaseEpoch: 1 });
  harness.order(openOrder(key, [alice, bob], 2));
  expect(harness.summed(key)).toEqual([alice]);
  fold(harness, bob);
  harness.order({ kind: "close-round", key, leaseEpoch: 2 });
  expect(harness.partials.map(({ weightSum, leaseEpoch }) => [leaseEpoch, weightSum])).toEqual([
    [1, 10],
    [2, 20],
  ]);
});

test("a lease that loses a folded member empties the sums and asks everybody again", () => {
  const harness = openHarness();
  fold(harness, alice);
  fold(harness, bob);
  harness.order(openOrder(key, [alice, carol], 2));
  expect(harness.summed(key)).toEqual([]);
  expect(harness.tasksOf(alice)).toEqual(["welcome", "train", "train"]);
  fold(harness, alice);
  expect(harness.summed(key)).toEqual([alice]);
});

test("a member that comes back into the lease is asked again", () => {
  const harness = openHarness();
  harness.order(openOrder(key, [bob], 2));
  harness.order(openOrder(key, [alice, bob], 3));
  expect(harness.tasksOf(alice)).toEqual(["welcome", "train", "train"]);
});

test("a partial names its members in order, with their signed headers and weights", () => {
  const harness = openHarness();
  const updates = [bob, alice].map((member) => goodUpdate(member, key));
  for (const update of updates) harness.upload(update.header.member as Name, update);
  harness.order({ kind: "close-round", key, leaseEpoch: 1 });
  expect(harness.partials).toEqual([
    {
      key,
      leaseEpoch: 1,
      gridExponent: 29,
      weightSum: 20,
      headers: [updates[1]?.signed, updates[0]?.signed],
    },
  ]);
});

test("the same CloseRound again sends the partial again, one of another epoch nothing", () => {
  const harness = openHarness();
  fold(harness, alice);
  harness.order({ kind: "close-round", key, leaseEpoch: 7 });
  expect(harness.partials).toHaveLength(0);
  harness.order({ kind: "close-round", key, leaseEpoch: 1 });
  harness.order({ kind: "close-round", key, leaseEpoch: 1 });
  expect(harness.partials).toHaveLength(2);
});

test("a reducer that asks for an empty partial is told that nothing is folded", () => {
  const harness = openHarness();
  const { length } = harness.messages;
  harness.order({ kind: "close-round", key, leaseEpoch: 1 });
  expect(harness.partials).toEqual([]);
  expect(harness.messages.slice(length)).toEqual([
    { kind: "round-report", key, leaseEpoch: 1, folded: [] },
  ]);
});

test("a commit is told to every client, and members still at work may stop", () => {
  const harness = openHarness();
  fold(harness, alice);
  harness.order({ kind: "commit-notice", key, modelHash: modelHash("new") });
  expect(harness.tasksOf(alice)).toEqual(["welcome", "train", "committed"]);
  expect(harness.tasksOf(bob)).toEqual(["welcome", "train", "committed", "cancel"]);
  expect(harness.summed(key)).toEqual([]);
  expect(harness.state.rounds.size).toBe(0);
});

test("a notice about an earlier round leaves the open one alone", () => {
  const harness = openHarness();
  fold(harness, alice);
  harness.order({ kind: "commit-notice", key: roundKey(2), modelHash: modelHash("old") });
  expect(harness.summed(key)).toEqual([alice]);
});

test("an aborted attempt is cancelled for all its members, and the next one starts from zero", () => {
  const harness = openHarness();
  fold(harness, alice);
  harness.order(abort);
  expect(harness.tasksOf(alice).at(-1)).toBe("cancel");
  harness.open(roundKey(3, 2), [alice, bob]);
  expect(harness.summed(key)).toEqual([]);
  fold(harness, alice, roundKey(3, 2));
  expect(harness.summed(roundKey(3, 2))).toEqual([alice]);
});

test("rounds that the reducer does not name when it attaches again are over", () => {
  const harness = openHarness();
  const other = roundKey(1, 1, sessionId(2));
  harness.open(other, [alice]);
  harness.input({ kind: "reducer-detached" });
  harness.input({ kind: "reducer-attached" });
  harness.order(openOrder(other, [alice]));
  harness.order({ kind: "attached" });
  expect([...harness.state.rounds.values()].map((round) => round.key)).toEqual([other]);
});

test("folds survive the absence of the reducer and are reported when it is back", () => {
  const harness = openHarness();
  harness.input({ kind: "reducer-detached" });
  const { length } = harness.messages;
  fold(harness, alice);
  harness.attend(carol);
  expect(harness.messages.length).toBe(length);
  harness.input({ kind: "reducer-attached" });
  harness.order(openOrder(key, [alice, bob, carol]));
  harness.order({ kind: "attached" });
  expect(harness.messages.slice(length)).toEqual([
    { kind: "hello", attending: [alice, bob, carol] },
    { kind: "round-report", key, leaseEpoch: 1, folded: [alice] },
  ]);
});

test("what a member gave up while the reducer was away is reported when it is back", () => {
  const harness = openHarness();
  harness.input({ kind: "reducer-detached" });
  harness.input({ kind: "task-failed", member: bob, key, reasons: [reason] });
  harness.input({ kind: "reducer-attached" });
  harness.order(openOrder(key, [alice, bob]));
  const refused = { kind: "update-refused", key, member: bob, reasons: [reason], final: true };
  expect(harness.messages.at(-1)).toEqual(refused);
});

test("clients are sent to look elsewhere once a reducer has been away for long", () => {
  const harness = openHarness();
  harness.input({ kind: "reducer-detached" });
  harness.advance(REDUCER_GRACE_MS - 1);
  expect(harness.tasksOf(alice).at(-1)).toBe("train");
  harness.advance(1);
  harness.advance(REDUCER_GRACE_MS);
  expect(harness.tasksOf(alice).filter((kind) => kind === "reassign")).toHaveLength(1);
  expect(wakesAtMs(harness.state)).toBeUndefined();
});

test("a stream on which the reducer says nothing does not end its absence", () => {
  const harness = openHarness();
  harness.input({ kind: "reducer-detached" });
  for (let i = 0; i < 3; i += 1) {
    harness.advance(REDUCER_GRACE_MS / 3);
    harness.input({ kind: "reducer-attached" });
    harness.input({ kind: "reducer-detached" });
  }
  expect(harness.tasksOf(alice).at(-1)).toBe("reassign");
  harness.input({ kind: "reducer-attached" });
  harness.order({ kind: "attached" });
  expect(harness.state.reducer).toEqual({ attached: true });
});

test("the newest stream of a member counts: the former is ended and its end means nothing", () => {
  const harness = openHarness();
  const former = harness.state.attending.get(alice)!;
  harness.attend(alice);
  expect(harness.effects).toContainEqual(
    expect.objectContaining({ kind: "end-stream", stream: former }),
  );
  harness.input({ kind: "client-left", member: alice, stream: former });
  expect(harness.state.attending.has(alice)).toBe(true);
  expect(harness.tasksOf(alice)).toEqual(["welcome", "train"]);
});

test("no more clients attend than the combiner serves", () => {
  const harness = new Harness({ maxClients: 2 });
  harness.attend(alice, bob, carol);
  expect([...harness.state.attending.keys()]).toEqual([alice, bob]);
  expect(harness.effects.at(-1)).toMatchObject({ reasons: [{ code: "too-many-clients" }] });
});

test("a member that comes back is asked again unless its update is in the sums", () => {
  const harness = openHarness();
  fold(harness, alice);
  for (const member of [alice, bob]) {
    harness.leave(member);
    harness.attend(member);
  }
  expect(harness.tasksOf(alice)).toEqual(["welcome"]);
  expect(harness.tasksOf(bob)).toEqual(["welcome", "train"]);
});

test("a member whose stream broke during its upload is asked again after a while", () => {
  const harness = openHarness();
  harness.input({ kind: "upload-failed", member: alice, key, refusals: [] });
  expect(harness.tasksOf(alice)).toEqual(["welcome", "train"]);
  harness.nowMs = wakesAtMs(harness.state)!;
  harness.advance(0);
  expect(harness.tasksOf(alice)).toEqual(["welcome", "train", "train"]);
  expect(wakesAtMs(harness.state)).toBeUndefined();
});

test("a member whose uploads keep failing is given up, others are not", () => {
  const harness = openHarness();
  const refusals = [{ code: "truncated", seen: "1", wanted: "2" }];
  for (let i = 0; i <= MAX_UPLOAD_FAILURES; i += 1) {
    harness.input({ kind: "upload-failed", member: alice, key, refusals });
    harness.advance(60_000);
  }
  const last = harness.messages.at(-1);
  expect(last).toMatchObject({ member: alice, final: true });
  expect(harness.upload(alice, goodUpdate(alice, key))).toEqual(["member-gave-up"]);
  fold(harness, bob);
});

test("waiting behind others never counts against a member", () => {
  const harness = openHarness();
  const refusals = [{ code: "busy", seen: "1", wanted: "2" }];
  for (let i = 0; i < 3 * MAX_UPLOAD_FAILURES; i += 1) {
    harness.input({ kind: "upload-failed", member: alice, key, refusals });
    harness.advance(60_000);
  }
  fold(harness, alice);
});

test("a refusal for the content is final for the reducer, a passing one is not", () => {
  const harness = openHarness();
  const fail = (member: Name, code: string) => {
    const refusals = [{ code, seen: "", wanted: "" }];
    harness.input({ kind: "upload-failed", member, key, refusals });
    return harness.messages.at(-1);
  };
  expect(fail(alice, "non-finite")).toMatchObject({ member: alice, final: true });
  expect(fail(bob, "too-slow")).toMatchObject({ member: bob, final: false });
});

test("what a member says of another round or after its fold changes nothing", () => {
  const harness = openHarness();
  fold(harness, alice);
  const before = harness.state;
  const reasons = [reason];
  harness.input({ kind: "task-failed", member: alice, key, reasons });
  harness.input({ kind: "task-failed", member: bob, key: roundKey(2), reasons });
  harness.input({ kind: "upload-failed", member: bob, key: roundKey(2), refusals: reasons });
  harness.input({ kind: "task-started", member: bob, key: roundKey(2) });
  expect(harness.state).toBe(before);
});

test("a model that cannot be used ends the part of every member at once", () => {
  const harness = new Harness();
  harness.input({ kind: "reducer-attached" });
  harness.order(openOrder(key, [alice, bob]));
  const hash = modelHash("base of round 3");
  harness.input({ kind: "model-unusable", modelHash: hash, reasons: [reason] });
  const refused = harness.messages.filter((each) => each.kind === "update-refused");
  expect(refused.map(({ member, final }) => [member, final])).toEqual([
    [alice, true],
    [bob, true],
  ]);
});

test("a model whose updates exceed the staging budget cannot be used", () => {
  const harness = new Harness({ stagingBudgetBytes: 4095 });
  harness.attend(alice);
  harness.open(key, [alice]);
  expect(harness.tasksOf(alice)).toEqual(["welcome"]);
  expect(harness.messages.at(-1)).toMatchObject({ reasons: [{ code: "model-too-large" }] });
});

test("models are kept while something needs them, and the newest two beyond that", () => {
  const harness = new Harness();
  harness.input({ kind: "reducer-attached" });
  for (let round = 1; round <= 5; round += 1) harness.open(roundKey(round), [alice]);
  expect([...harness.state.models.keys()]).toEqual(
    [4, 5].map((r) => modelHash(`base of round ${r}`)),
  );
  expect(harness.effects.filter(({ kind }) => kind === "drop-model")).toHaveLength(3);
});

test("a validation goes to those who attend, once the model is here", () => {
  const harness = new Harness();
  harness.attend(alice, bob);
  harness.input({ kind: "reducer-attached" });
  harness.order({ ...validateOrder, members: [alice, carol] });
  expect(harness.tasksOf(alice)).toEqual(["welcome"]);
  harness.input({ kind: "model-ready", modelHash: report.modelHash, updateSizeBytes: 8 });
  expect(harness.tasksOf(alice)).toEqual(["welcome", "validate"]);
  expect(harness.tasksOf(bob)).toEqual(["welcome"]);
});

test("a report is forwarded once, from a member that was asked, about that very model", () => {
  const harness = new Harness();
  harness.attend(alice, bob);
  harness.input({ kind: "reducer-attached" });
  harness.order({ ...validateOrder, members: [alice, bob] });
  const say = (member: Name, changes: Partial<typeof report> = {}) =>
    harness.input({ kind: "model-validated", member, report: { ...report, ...changes } });
  say(carol);
  say(alice, { round: 3 });
  say(alice, { modelHash: modelHash("other") });
  say(alice, { sessionId: sessionId(9) });
  say(alice);
  say(alice);
  const forwarded = harness.messages.filter(({ kind }) => kind === "client-validation");
  expect(forwarded).toEqual([{ kind: "client-validation", member: alice, report }]);
});

test("validations nobody answers are forgotten, and their model with them", () => {
  const harness = new Harness();
  harness.attend(alice);
  harness.input({ kind: "reducer-attached" });
  harness.order({ ...validateOrder, members: [alice] });
  harness.advance(VALIDATION_LIFE_MS - 1);
  expect(harness.state.validations).toHaveLength(1);
  harness.advance(1);
  expect(harness.state.validations).toEqual([]);
  expect(harness.state.models.size).toBe(0);
});

test("a client that is released, and all when the combiner stops, are told to leave", () => {
  const harness = openHarness();
  harness.order({ kind: "release-client", member: alice, reason });
  expect(harness.tasksOf(alice).at(-1)).toBe("reassign");
  expect(harness.tasksOf(bob).at(-1)).toBe("train");
  harness.input({ kind: "stopping" });
  expect(harness.tasksOf(bob).at(-1)).toBe("reassign");
});

test("after any number of uploads a round retains of each its signed header and weight only", () => {
  const harness = new Harness({ maxClients: 1000 });
  const many = members(300);
  harness.open(key, many);
  for (const member of many) fold(harness, member);
  for (const member of many.slice(0, 50)) {
    harness.upload(member, goodUpdate(member, key));
    harness.upload(member, goodUpdate(member, roundKey(2)));
  }
  const round = harness.state.rounds.get(key.sessionId)!;
  expect(round.folded.size).toBe(300);
  for (const update of round.folded.values()) {
    expect(Object.keys(update).sort()).toEqual(["exampleCount", "signed"]);
    expect(Object.keys(update.signed).sort()).toEqual(["bytes", "signature"]);
  }
  expect(round.tasked.size + round.retries.size + round.gaveUp.size).toBe(0);
});
