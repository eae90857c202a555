import { afterEach, expect, test } from "vitest";
import { equalBytes } from "../../../lib/base/bytes.ts";
import { digestBytes, digestOf } from "../../../lib/base/ids.ts";
import { RefusedError } from "../../../lib/base/refusal.ts";
import { parsePartialFile } from "../../../lib/federation/partial-file.ts";
import { receiveDownload } from "../../../lib/transport/download.ts";
import { fedclave } from "../../../proto/generated/fedclave.js";
import { expectedSums, GRID_EXPONENT, updateBytes } from "../testing/model.ts";
import { KEY, name, until, World } from "../testing/world.ts";

let world: World;
afterEach(() => world.stop());

const codesOf = (error: unknown): readonly string[] =>
  error instanceof RefusedError ? error.refusals.map(({ code }) => code) : [String(error)];

/** The sums and members of a partial, its form checked. */
function readPartial(body: Uint8Array) {
  const { index: bytes, sums } = parsePartialFile(body);
  const index = fedclave.v1.PartialIndex.decode(bytes);
  const members = index.headers.map(
    ({ header }) => fedclave.v1.UpdateHeader.decode(header ?? new Uint8Array()).member,
  );
  return { index, sums, members };
}

test("updates are folded and the partial is exactly their sum on the grid", async () => {
  world = await World.start();
  const members = ["carol", "alice", "bob"];
  const clients = members.map((member) => world.client(member));
  const updates = members.map((_, i) => updateBytes(i));
  for (const client of clients) await client.attend();
  await world.openRound(members);
  await Promise.all(clients.map((client, i) => client.upload(updates[i]!)));
  const { index, sums, members: named } = readPartial(await world.closeRound());
  expect(equalBytes(sums, expectedSums(updates))).toBe(true);
  expect(named).toEqual(["alice", "bob", "carol"]);
  expect(index).toMatchObject({
    version: 1,
    federationId: world.federation.trust.federationId,
    combiner: "combiner-1",
    roundKey: KEY,
    leaseEpoch: 1,
    gridExponent: GRID_EXPONENT,
    weightSum: updates.reduce((sum, { exampleCount }) => sum + exampleCount, 0),
  });
});

test("a client gets the task and the model it names, and is told of the commit", async () => {
  world = await World.start();
  const client = world.client("alice");
  await client.attend();
  await world.openRound(["alice"]);
  await until(() => client.kinds().includes("train"));
  expect(client.tasks.at(-1)).toMatchObject({
    train: {
      roundKey: KEY,
      remainingMs: expect.any(Number),
      proximalMu: 0.25,
      hyperparameters: [{ name: "lr", value: 0.5 }],
      limits: { elementBound: 8, weightCap: 1000, gridExponent: GRID_EXPONENT },
    },
  });
  const { clock } = world.federation;
  const download = {
    kind: "model",
    digest: world.modelHash,
    maxSizeBytes: 2 ** 20,
    clock,
  } as const;
  expect(await receiveDownload(client.connection, download)).toEqual(world.modelBytes);
  const other = { ...download, digest: digestOf(new Uint8Array(1)) };
  await expect(receiveDownload(client.connection, other)).rejects.toSatisfy(
    (error) => codesOf(error)[0] === "unknown-model",
  );
  const notice = { roundKey: KEY, modelHash: digestBytes(other.digest) };
  world.reducer.order({ kind: "commitNotice", commitNotice: notice });
  await until(() => client.kinds().includes("committed"));
  expect(client.kinds()).toEqual(["welcome", "train", "committed", "cancel"]);
});

test("a model is fetched once, however many rounds and clients use it", async () => {
  world = await World.start();
  const clients = ["alice", "bob"].map((member) => world.client(member));
  for (const client of clients) await client.attend();
  await world.openRound(["alice", "bob"]);
  await world.openRound(["alice", "bob"], 2);
  await world.openRound(["alice", "bob"], 1, { ...KEY, round: 2 });
  expect(world.reducer.downloadCount).toBe(1);
});

test("reports of folds, refusals and validations reach the reducer", async () => {
  world = await World.start();
  const alice = world.client("alice");
  const bob = world.client("bob");
  for (const client of [alice, bob]) await client.attend();
  await world.openRound(["alice", "bob"]);
  await alice.upload(updateBytes(1));
  await bob.stream!.write({
    kind: "taskFailed",
    taskFailed: { roundKey: KEY, refusals: [{ code: "no-data", seen: "0", wanted: "1" }] },
  });
  const validation = {
    sessionId: KEY.sessionId,
    round: 1,
    modelHash: digestBytes(world.modelHash),
  };
  const members = ["alice"];
  const order = { ...validation, modelSizeBytes: 1, packageDigest: new Uint8Array(32), members };
  world.reducer.order({ kind: "validateModel", validateModel: order });
  await until(() => alice.kinds().includes("validate"));
  const metrics = [{ name: "accuracy", value: 0.75 }];
  const validationReport = { ...validation, exampleCount: 9, metrics };
  await alice.stream!.write({ kind: "validationReport", validationReport });
  await until(() => world.reducer.messagesOf("clientValidation").length > 0);
  await until(() => world.reducer.messagesOf("updateRefused").length > 0);
  const kinds = world.reducer.messages.map(({ kind }) => kind);
  expect(kinds.slice(0, 4)).toEqual(["hello", "clientAttended", "clientAttended", "roundReport"]);
  expect(world.reducer.messagesOf("updateFolded")).toMatchObject([
    { updateFolded: { member: "alice", leaseEpoch: 1, exampleCount: 2 } },
  ]);
  expect(world.reducer.messagesOf("updateRefused")).toMatchObject([
    { updateRefused: { member: "bob", final: true, refusals: [{ code: "no-data" }] } },
  ]);
  expect(world.reducer.messagesOf("clientValidation")).toMatchObject([
    { clientValidation: { member: "alice", exampleCount: 9, metrics } },
  ]);
});

test("a reducer that attaches again finds the folds, and the partial holds them", async () => {
  world = await World.start();
  const alice = world.client("alice");
  const bob = world.client("bob");
  for (const client of [alice, bob]) await client.attend();
  await world.openRound(["alice", "bob"]);
  await alice.upload(updateBytes(1));
  world.reducer.hangUp();
  await until(() => !world.state.reducer.attached);
  await bob.upload(updateBytes(2));
  await until(
    () => world.reducer.messagesOf("roundReport").length > 1,
    () => world.federation.clock.advance(200),
  );
  const hellos = world.reducer.messagesOf("hello").map(({ hello }) => hello);
  expect(hellos[1]?.instanceId).toEqual(hellos[0]?.instanceId);
  expect(hellos[1]?.attending).toEqual(["alice", "bob"]);
  expect(world.reducer.messagesOf("roundReport").at(-1)).toMatchObject({
    roundReport: { folded: ["alice", "bob"] },
  });
  const { sums } = readPartial(await world.closeRound());
  expect(equalBytes(sums, expectedSums([updateBytes(1), updateBytes(2)]))).toBe(true);
});

test("a partial is sent again while the reducer is busy, and again when it asks again", async () => {
  world = await World.start();
  const alice = world.client("alice");
  await alice.attend();
  await world.openRound(["alice"]);
  await alice.upload(updateBytes(1));
  world.reducer.refuseNext = ["busy", "shutting-down", "truncated"];
  const first = await world.closeRound();
  expect(await world.closeRound()).toEqual(first);
  expect(world.reducer.refuseNext).toEqual([]);
});

test("a partial that the reducer refuses for good is not sent until it is asked for", async () => {
  world = await World.start();
  const alice = world.client("alice");
  await alice.attend();
  await world.openRound(["alice"]);
  await alice.upload(updateBytes(1));
  world.reducer.refuseNext = ["stale-lease", "stale-lease"];
  world.reducer.order({ kind: "closeRound", closeRound: { roundKey: KEY, leaseEpoch: 1 } });
  await until(() => world.reducer.refuseNext.length === 1);
  // A further attempt would come within these visits, each of which takes longer than an attempt.
  for (let i = 0; i < 5; i += 1) {
    await world.federation.clock.advance(60_000);
    const bob = world.client("bob");
    await bob.attend();
  }
  expect(world.reducer.refuseNext).toHaveLength(1);
  world.reducer.refuseNext = [];
  await world.openRound(["alice"], 2);
  expect(readPartial(await world.closeRound(2)).index.leaseEpoch).toBe(2);
});

test("a lease that loses a folded member starts the sums anew", async () => {
  world = await World.start();
  const alice = world.client("alice");
  const bob = world.client("bob");
  for (const client of [alice, bob]) await client.attend();
  await world.openRound(["alice", "bob"]);
  await alice.upload(updateBytes(1));
  await bob.upload(updateBytes(2));
  await world.openRound(["alice"], 2);
  expect(world.folded()).toEqual([]);
  await alice.upload(updateBytes(1));
  const { sums, members } = readPartial(await world.closeRound(2));
  expect(equalBytes(sums, expectedSums([updateBytes(1)]))).toBe(true);
  expect(members).toEqual(["alice"]);
});

test("clients are sent away when the reducer stays away", async () => {
  world = await World.start();
  const alice = world.client("alice");
  await alice.attend();
  await world.reducer.listener.close(0);
  await until(
    () => alice.kinds().includes("reassign"),
    () => world.federation.clock.advance(1000),
  );
  expect(alice.ended).toBeUndefined();
  expect(world.state.attending.has(name("alice"))).toBe(true);
});
