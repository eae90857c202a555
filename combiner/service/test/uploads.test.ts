import { afterEach, expect, test } from "vitest";
import { equalBytes } from "../../../lib/base/bytes.ts";
import { digestOf } from "../../../lib/base/ids.ts";
import { RefusedError, refusal } from "../../../lib/base/refusal.ts";
import { parsePartialFile } from "../../../lib/federation/partial-file.ts";
import { CHUNK_TIMEOUT_MS } from "../../../lib/transport/limits.ts";
import type { ReceivedResponseOf } from "../../../lib/transport/rpcs.ts";
import { sendUpload } from "../../../lib/transport/send-upload.ts";
import { expectedSums, type TestUpdate, updateBytes } from "../testing/model.ts";
import { KEY, type TestClient, until, World } from "../testing/world.ts";

let world: World;
afterEach(() => world.stop());

const good = updateBytes(1);

const outcome = (upload: Promise<unknown>): Promise<readonly string[]> =>
  upload.then(
    () => ["staged"],
    (error: unknown) =>
      error instanceof RefusedError ? error.refusals.map(({ code }) => code) : [String(error)],
  );

async function attend(...members: readonly string[]): Promise<TestClient[]> {
  const clients = members.map((member) => world.client(member));
  for (const client of clients) await client.attend();
  await world.openRound(members);
  return clients;
}

async function expectSums(...updates: readonly TestUpdate[]): Promise<void> {
  const { sums } = parsePartialFile(await world.closeRound());
  expect(equalBytes(sums, expectedSums(updates))).toBe(true);
}

const withBody = (body: Uint8Array): TestUpdate => ({ ...good, body, digest: digestOf(body) });
const spoiled = (value: number) => updateBytes(1, 2, (weight) => weight.fill(value, 2999));
const renamed = withBody(
  new Uint8Array(
    Buffer.from(Buffer.from(good.body).toString("latin1").replace("bias", "bios"), "latin1"),
  ),
);

test.each<[string, string[], boolean, (client: TestClient) => Promise<unknown>]>([
  [
    "of another round",
    ["round-not-open"],
    true,
    (c) => c.upload(good, { roundKey: { ...KEY, round: 2 } }),
  ],
  ["in another name", ["wrong-member"], false, (c) => c.upload(good, { member: "bob" })],
  [
    "signed by nobody",
    ["bad-signature"],
    false,
    (c) =>
      sendUpload(
        c.connection,
        { update: { ...c.signed(good), signature: new Uint8Array(64) } },
        good.body,
        good.digest,
      ),
  ],
  [
    "against another base model",
    ["wrong-base"],
    false,
    (c) => c.upload(good, { baseModelHash: new Uint8Array(32) }),
  ],
  [
    "larger than its layout",
    ["wrong-size"],
    false,
    (c) => c.upload(withBody(new Uint8Array(good.body.byteLength + 8))),
  ],
  [
    "with a weight over the cap",
    ["weight-out-of-range"],
    false,
    (c) => c.upload({ ...good, exampleCount: 1001 }),
  ],
  ["with a NaN", ["non-finite"], false, (c) => c.upload(spoiled(Number.NaN))],
  ["with an infinity", ["non-finite"], false, (c) => c.upload(spoiled(Number.POSITIVE_INFINITY))],
  ["with an element past the bound", ["element-too-large"], false, (c) => c.upload(spoiled(8.001))],
  ["of another layout of the same size", ["wrong-layout"], false, (c) => c.upload(renamed)],
  [
    "whose body is not the one announced",
    ["digest-mismatch"],
    true,
    (c) => sendUpload(c.connection, { update: c.signed(good) }, flipBit(good.body), good.digest),
  ],
  [
    "cut short",
    ["truncated"],
    true,
    async (c) => {
      const stream = await c.beginUpload(good);
      await stream.read();
      await stream.write({ kind: "chunk", chunk: good.body.subarray(0, 1000) });
      stream.endWrites();
      throw refusalIn(await stream.read());
    },
  ],
  [
    "longer than announced",
    ["overrun"],
    false,
    async (c) => {
      const stream = await c.beginUpload(good);
      await stream.read();
      const tooLong = new Uint8Array(good.body.byteLength + 1);
      await stream.write({ kind: "chunk", chunk: tooLong });
      throw refusalIn(await stream.read());
    },
  ],
  [
    "whose header is no message",
    ["malformed-update-header"],
    true,
    (c) => {
      const update = { ...c.signed(good), header: new Uint8Array([0x0a, 0xff]) };
      return sendUpload(c.connection, { update }, good.body, good.digest);
    },
  ],
  [
    "whose header is larger than any",
    ["malformed-update-header"],
    true,
    (c) => {
      const update = { ...c.signed(good), header: new Uint8Array(2000) };
      return sendUpload(c.connection, { update }, good.body, good.digest);
    },
  ],
  ["of a later version", ["unknown-version"], true, (c) => c.upload(good, { version: 2 })],
  [
    "that is a model",
    ["wrong-subject"],
    true,
    (c) => sendUpload(c.connection, { model: { name: "m" } }, good.body, good.digest),
  ],
])(
  "an update %s is refused and the round still sums the others",
  async (_, codes, mayRetry, send) => {
    world = await World.start();
    const [alice, bob] = (await attend("alice", "bob")) as [TestClient, TestClient];
    expect(await outcome(send(alice))).toEqual(codes);
    expect(world.combiner.grants.grantedCount + world.combiner.staging.reservedBytes).toBe(0);
    await bob.upload(updateBytes(2));
    expect(await outcome(alice.upload(good))).toEqual([mayRetry ? "staged" : "member-gave-up"]);
    await expectSums(updateBytes(2), ...(mayRetry ? [good] : []));
  },
);

test("an update sent twice counts once", async () => {
  world = await World.start();
  const [alice] = (await attend("alice", "bob")) as [TestClient];
  await alice.upload(good);
  expect(await outcome(alice.upload(good))).toEqual(["duplicate-update"]);
  await expectSums(good);
});

test("an update for an earlier attempt, or for a closed round, is refused", async () => {
  world = await World.start();
  const [alice, bob] = (await attend("alice", "bob")) as [TestClient, TestClient];
  await world.openRound(["alice", "bob"], 1, { ...KEY, attempt: 2 });
  expect(await outcome(alice.upload(good))).toEqual(["stale-round"]);
  await alice.upload(good, {}, { ...KEY, attempt: 2 });
  await world.closeRound(1, { ...KEY, attempt: 2 });
  expect(await outcome(bob.upload(good, {}, { ...KEY, attempt: 2 }))).toEqual(["round-not-open"]);
});

test("an update of a member that is not leased here is refused", async () => {
  world = await World.start();
  await attend("alice");
  const mallory = world.client("mallory");
  expect(await outcome(mallory.upload(good))).toEqual(["not-leased"]);
});

test("a round that ends while a body is on its way refuses it, and nothing is held", async () => {
  world = await World.start();
  const [alice] = (await attend("alice")) as [TestClient];
  const stream = await alice.beginUpload(good);
  await stream.read();
  const reason = { code: "stopped", seen: "", wanted: "" };
  world.reducer.order({ kind: "abortRound", abortRound: { roundKey: KEY, reason } });
  await until(() => world.state.rounds.size === 0);
  await stream.write({ kind: "chunk", chunk: good.body });
  expect((await stream.read())?.refusals?.refusals).toMatchObject([{ code: "round-not-open" }]);
  expect(world.combiner.grants.grantedCount + world.combiner.staging.reservedBytes).toBe(0);
});

test("a client killed in the middle of its upload frees its grant and sends again", async () => {
  world = await World.start();
  const [alice] = (await attend("alice")) as [TestClient];
  const stream = await alice.beginUpload(good);
  await stream.read();
  await stream.write({ kind: "chunk", chunk: good.body.subarray(0, 1000) });
  expect(world.combiner.grants.grantedCount).toBe(1);
  expect(world.combiner.staging.reservedBytes).toBe(good.body.byteLength);
  alice.connection.close();
  await until(
    () => world.combiner.grants.grantedCount + world.combiner.staging.reservedBytes === 0,
  );
  await until(() => !world.state.attending.has(alice.member));
  alice.connection = alice.connect();
  await alice.attend();
  await until(() => alice.kinds().filter((kind) => kind === "train").length === 2);
  await alice.upload(good);
  await expectSums(good);
});

test("a client that stops sending loses its grant, is asked again, and may succeed then", async () => {
  world = await World.start();
  const [alice] = (await attend("alice")) as [TestClient];
  const stream = await alice.beginUpload(good);
  await stream.read();
  await world.federation.clock.advance(CHUNK_TIMEOUT_MS);
  expect((await stream.read())?.refusals?.refusals).toMatchObject([{ code: "too-slow" }]);
  await until(
    () => world.combiner.grants.grantedCount + world.combiner.staging.reservedBytes === 0,
  );
  await until(
    () => alice.kinds().filter((kind) => kind === "train").length === 2,
    () => world.federation.clock.advance(100),
  );
  await alice.upload(good);
  await expectSums(good);
});

test("uploads wait for a grant, and all are folded", async () => {
  world = await World.start();
  const members = Array.from({ length: 12 }, (_, i) => `client-${i}`);
  const clients = await attend(...members);
  const streams = await Promise.all(clients.slice(0, 8).map((client) => client.beginUpload(good)));
  for (const stream of streams) expect((await stream.read())?.kind).toBe("grant");
  const waiting = clients.slice(8).map((client) => client.upload(good));
  await until(() => world.combiner.grants.waitingCount === 4);
  expect(world.combiner.staging.reservedBytes).toBe(8 * good.body.byteLength);
  for (const stream of streams) await stream.write({ kind: "chunk", chunk: good.body });
  for (const stream of streams) expect((await stream.read())?.kind).toBe("staged");
  await Promise.all(waiting);
  await expectSums(...members.map(() => good));
});

test("bodies on their way never hold more than the budget, and all are folded in the end", async () => {
  world = await World.start({ stagingBudgetBytes: 2 * good.body.byteLength + 10 });
  const clients = await attend("a", "b", "c", "d");
  const uploads = Promise.all(clients.slice(2).map((client) => client.upload(good)));
  const streams = await Promise.all(clients.slice(0, 2).map((client) => client.beginUpload(good)));
  await until(() => world.combiner.staging.waitingCount > 0 || world.folded().length === 2);
  expect(world.combiner.staging.reservedBytes).toBeLessThanOrEqual(2 * good.body.byteLength);
  for (const stream of streams) {
    expect((await stream.read())?.kind).toBe("grant");
    await stream.write({ kind: "chunk", chunk: good.body });
  }
  await uploads;
  await until(() => world.folded().length === 4);
  expect(world.combiner.staging.reservedBytes).toBe(0);
});

test("a second upload on the same connection is refused and the first goes on", async () => {
  world = await World.start();
  const [alice] = (await attend("alice")) as [TestClient];
  const stream = await alice.beginUpload(good);
  await stream.read();
  expect(await outcome(alice.upload(good))).toEqual(["upload-in-progress"]);
  await stream.write({ kind: "chunk", chunk: good.body });
  expect((await stream.read())?.kind).toBe("staged");
});

test("an upload on a newer connection takes the place of one that hangs", async () => {
  world = await World.start();
  const [alice] = (await attend("alice")) as [TestClient];
  const hanging = await alice.beginUpload(good);
  await hanging.read();
  alice.connection = alice.connect();
  await alice.upload(good);
  expect(await outcome(hanging.read())).toEqual(["replaced"]);
  await until(() => world.combiner.grants.grantedCount === 0);
  await expectSums(good);
});

test("after many uploads nothing is staged, granted or queued, and one sum is held", async () => {
  world = await World.start();
  const members = Array.from({ length: 40 }, (_, i) => `client-${i}`);
  const clients = await attend(...members);
  await Promise.all(clients.map((client) => client.upload(good)));
  const { grants, staging } = world.combiner;
  expect([grants.grantedCount, grants.waitingCount, staging.reservedBytes]).toEqual([0, 0, 0]);
  const folded = [...world.state.rounds.get(KEY.sessionId)!.folded.values()];
  expect(folded).toHaveLength(40);
  for (const { signed } of folded) {
    // Copies, not views that would keep the messages they came in.
    expect(signed.bytes.buffer.byteLength).toBe(signed.bytes.byteLength);
    expect(signed.bytes.byteLength).toBeLessThan(300);
    expect(signed.signature.buffer.byteLength).toBe(64);
  }
});

/** What the last word on an upload refuses it with. */
const refusalIn = (answer: ReceivedResponseOf<"Transfer.Upload"> | undefined): RefusedError =>
  new RefusedError(
    ...(answer?.refusals?.refusals ?? []).map(({ code = "" }) => refusal(code, "", "")),
  );

function flipBit(body: Uint8Array): Uint8Array {
  return body.map((byte, i) => (i === body.byteLength - 3 ? byte ^ 1 : byte));
}
