import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { equalBytes } from "../../../lib/base/bytes.ts";
import { digestBytes } from "../../../lib/base/ids.ts";
import { parsePartialFile } from "../../../lib/federation/partial-file.ts";
import { CHUNK_TIMEOUT_MS } from "../../../lib/transport/limits.ts";
import { type RpcName, rpcPath } from "../../../lib/transport/rpcs.ts";
import {
  CALL_ATTACKS,
  CONNECTION_ATTACKS,
  callOutcome,
  grpcFrame,
  noise,
  openHttp2,
  rawCall,
} from "../../../lib/transport/testing/hostile-client.ts";
import { fedclave } from "../../../proto/generated/fedclave.js";
import { expectedSums, updateBytes } from "../testing/model.ts";
import { type TestClient, until, World } from "../testing/world.ts";

/** One round that stays open through every attack, and closes with the right sums at the end. */
let world: World;
let alice: TestClient;
let bob: TestClient;
beforeAll(async () => {
  world = await World.start();
  alice = world.client("alice");
  bob = world.client("bob");
  for (const client of [alice, bob]) await client.attend();
  await world.openRound(["alice", "bob", "mallory"]);
  await alice.upload(updateBytes(1));
});
afterAll(() => world.stop());

const target = () => ({
  host: "127.0.0.1",
  port: world.port,
  identity: world.federation.identity("client", "mallory"),
});

function expectUndisturbed(): void {
  expect([alice.ended, bob.ended]).toEqual([undefined, undefined]);
  expect(world.folded()).toEqual(["alice"]);
}

test.each(CONNECTION_ATTACKS)("a round outlives $name", async ({ run }) => {
  await run(target());
  expectUndisturbed();
});

const RPCS: readonly RpcName[] = ["Tasks.Attend", "Transfer.Upload", "Transfer.Download"];

describe.each(RPCS)("%s", (name) => {
  test.each(CALL_ATTACKS)("a round outlives $name", async ({ run }) => {
    const session = await openHttp2(target());
    const outcome = await run(session, rpcPath(name));
    expect(outcome.grpcStatus).not.toBe(0);
    session.destroy();
    expectUndisturbed();
  });

  test("a round outlives a flood of calls with noise for messages", async () => {
    const session = await openHttp2(target());
    const outcomes = Array.from({ length: 300 }, (_, i) => {
      const stream = rawCall(session, rpcPath(name));
      const outcome = callOutcome(stream);
      stream.end(grpcFrame(noise(1 + (i % 97), i + 1)));
      return outcome;
    });
    for (const { grpcStatus } of await Promise.all(outcomes)) expect(grpcStatus).not.toBe(0);
    session.destroy();
    expectUndisturbed();
  });
});

test("a round outlives a flood of hellos on one connection", async () => {
  const mallory = world.client("mallory");
  const streams = Array.from({ length: 60 }, () => mallory.connection.bidi("Tasks.Attend"));
  await Promise.all(
    streams.map((stream) => stream.write({ kind: "hello", hello: { version: 1 } }).catch(() => {})),
  );
  await until(() => world.state.attending.size === 3);
  mallory.connection.close();
  await until(() => world.state.attending.size === 2);
  expectUndisturbed();
});

test.each(["reducer", "combiner", "admin"] as const)(
  "a %s of the federation is not served",
  async (role) => {
    const { federation } = world;
    const identity = federation.identity(role, "somebody");
    const connection = federation.connect({ port: world.port }, identity);
    await expect(connection.bidi("Tasks.Attend").read()).rejects.toThrow();
    expectUndisturbed();
  },
);

test.each([
  ["is granted at once", 0],
  ["had to wait", 8],
])("a client that takes no byte and %s loses its grant all the same", async (_, before) => {
  const mallory = world.client("mallory");
  const { identity } = mallory;
  const { grants, staging } = world.combiner;
  const tickets = Array.from({ length: before }, () => grants.enter());
  const options = { settings: { initialWindowSize: 0 } };
  const session = await openHttp2({ ...target(), identity }, options);
  const update = updateBytes(3);
  const header = {
    version: 1,
    sizeBytes: update.body.byteLength,
    digest: digestBytes(update.digest),
    update: mallory.signed(update),
  };
  const stream = rawCall(session, rpcPath("Transfer.Upload"));
  stream.write(grpcFrame(fedclave.v1.UploadRequest.encode({ header }).finish()));
  await until(() => grants.grantedCount + grants.waitingCount === before + 1);
  for (const ticket of tickets) ticket.leave();
  await until(() => staging.reservedBytes > 0);
  await world.federation.clock.advance(CHUNK_TIMEOUT_MS);
  await until(() => grants.grantedCount === 0);
  expect(staging.reservedBytes).toBe(0);
  session.destroy();
  expectUndisturbed();
});

test("after all of it the round closes with the right sums", async () => {
  await bob.upload(updateBytes(2));
  const { sums } = parsePartialFile(await world.closeRound());
  expect(equalBytes(sums, expectedSums([updateBytes(1), updateBytes(2)]))).toBe(true);
});
