import { afterEach, expect, test } from "vitest";
import { digestBytes } from "../../../lib/base/ids.ts";
import { RefusedError } from "../../../lib/base/refusal.ts";
import { updateBytes } from "../testing/model.ts";
import { KEY, name, type TestClient, until, World } from "../testing/world.ts";

let world: World;
afterEach(() => world.stop());

type ClientMessage = Parameters<NonNullable<TestClient["stream"]>["write"]>[0];

const codesOf = (error: unknown): readonly string[] =>
  error instanceof RefusedError ? error.refusals.map(({ code }) => code) : [String(error)];

const report = {
  sessionId: KEY.sessionId,
  round: 1,
  modelHash: new Uint8Array(32),
  exampleCount: 1,
  metrics: [{ name: "loss", value: 1 }],
};
const validation = (changes: object): ClientMessage => ({
  kind: "validationReport",
  validationReport: { ...report, ...changes },
});
const metric = (changes: object) => validation({ metrics: [{ ...report.metrics[0], ...changes }] });

test.each<[string, ClientMessage, string]>([
  ["without a kind", {}, "hello-missing"],
  ["that is no hello", validation({}), "hello-missing"],
  ["of another version", { kind: "hello", hello: { version: 2 } }, "unknown-version"],
  ["without a version", { kind: "hello", hello: {} }, "unknown-version"],
])("a first message %s ends the stream", async (_, message, code) => {
  world = await World.start();
  const stream = world.client("alice").connection.bidi("Tasks.Attend");
  await stream.write(message);
  await expect(stream.read()).rejects.toSatisfy((error) => codesOf(error)[0] === code);
  expect(world.state.attending.size).toBe(0);
});

test.each<[string, ClientMessage, string]>([
  ["a second hello", { kind: "hello", hello: { version: 1 } }, "unexpected-message"],
  ["a message without a kind", {}, "unexpected-message"],
  ["a start without a round", { kind: "taskStarted", taskStarted: {} }, "malformed-round-key"],
  [
    "a start of round 0",
    { kind: "taskStarted", taskStarted: { roundKey: { ...KEY, round: 0 } } },
    "malformed-round-key",
  ],
  [
    "a failure without a reason",
    { kind: "taskFailed", taskFailed: { roundKey: KEY } },
    "malformed-report",
  ],
  ["a report without examples", validation({ exampleCount: 0 }), "malformed-number"],
  ["a report past 2^53 examples", validation({ exampleCount: 2 ** 60 }), "malformed-number"],
  [
    "a report on a digest of 31 bytes",
    validation({ modelHash: new Uint8Array(31) }),
    "malformed-digest",
  ],
  ["a report of 33 metrics", validation({ metrics: metrics(33) }), "malformed-report"],
  [
    "a metric named twice",
    validation({ metrics: [...metrics(1), ...metrics(1)] }),
    "malformed-metric",
  ],
  ["a metric that is NaN", metric({ value: Number.NaN }), "malformed-metric"],
  ["a metric without a name", metric({ name: "" }), "malformed-metric"],
  ["a metric named with 64 characters", metric({ name: "a".repeat(64) }), "malformed-metric"],
])("%s ends the client's stream and nobody else's", async (_, message, code) => {
  world = await World.start();
  const alice = world.client("alice");
  const bob = world.client("bob");
  for (const client of [alice, bob]) await client.attend();
  await alice.stream!.write(message);
  await until(() => alice.ended !== undefined);
  expect(codesOf(alice.ended)).toEqual([code]);
  expect([...world.state.attending.keys()]).toEqual([name("bob")]);
  expect(bob.ended).toBeUndefined();
});

test("32 metrics, the most, are taken", async () => {
  world = await World.start();
  const alice = world.client("alice");
  await alice.attend();
  const modelHash = digestBytes(world.modelHash);
  const what = { sessionId: KEY.sessionId, round: 1, modelHash, modelSizeBytes: 10 };
  const order = { ...what, packageDigest: new Uint8Array(32), members: ["alice"] };
  world.reducer.order({ kind: "validateModel", validateModel: order });
  await until(() => world.state.validations.length === 1);
  await alice.stream!.write(validation({ modelHash, metrics: metrics(32) }));
  await until(() => world.reducer.messagesOf("clientValidation").length === 1);
  expect(alice.ended).toBeUndefined();
});

test("a second stream of a member replaces the first, over one connection or two", async () => {
  world = await World.start();
  const alice = world.client("alice");
  await alice.attend();
  await world.openRound(["alice"]);
  const first = alice.stream!;
  await alice.attend(alice.connect());
  await expect(drain(first)).rejects.toSatisfy((error) => codesOf(error)[0] === "replaced");
  await until(() => alice.kinds().filter((kind) => kind === "train").length === 2);
  expect(world.state.attending.size).toBe(1);
  expect(world.reducer.messagesOf("clientLeft")).toEqual([]);
  await alice.upload(updateBytes(1));
  expect(world.folded()).toEqual(["alice"]);
});

test("a client that leaves is reported, and its place is free", async () => {
  world = await World.start({ maxClients: 1 });
  const alice = world.client("alice");
  const bob = world.client("bob");
  await alice.attend();
  await bob.attend();
  expect(codesOf(bob.ended)).toEqual(["too-many-clients"]);
  alice.stream!.endWrites();
  await until(() => world.reducer.messagesOf("clientLeft").length === 1);
  await until(() => alice.ended !== undefined);
  expect(alice.ended).toBe("ended well");
  await bob.attend();
  expect(bob.ended).toBeUndefined();
});

test("a client that says far more than its tasks call for is cut off", async () => {
  world = await World.start();
  const alice = world.client("alice");
  const bob = world.client("bob");
  for (const client of [alice, bob]) await client.attend();
  const started: ClientMessage = { kind: "taskStarted", taskStarted: { roundKey: KEY } };
  const flood = async () => {
    for (;;) await alice.stream!.write(started);
  };
  await flood().catch(() => {});
  await until(() => alice.ended !== undefined);
  expect(codesOf(alice.ended)).toEqual(["too-many-messages"]);
  expect(bob.ended).toBeUndefined();
});

function metrics(count: number) {
  return Array.from({ length: count }, (_, i) => ({ name: `metric_${i}`, value: i }));
}

async function drain(stream: NonNullable<TestClient["stream"]>): Promise<void> {
  while ((await stream.read()) !== undefined);
}

test("when the combiner stops, clients are told to leave and their streams end well", async () => {
  world = await World.start();
  const clients = ["alice", "bob"].map((member) => world.client(member));
  for (const client of clients) await client.attend();
  const stopped = world.combiner.stop();
  await until(() => clients.every(({ ended }) => ended !== undefined));
  for (const client of clients) {
    expect(client.kinds()).toEqual(["welcome", "reassign"]);
    expect(client.ended).toBe("ended well");
  }
  await Promise.race([stopped, world.federation.clock.advance(2000)]);
  await stopped;
});
