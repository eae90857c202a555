import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Connection } from "../connect.ts";
import { HANDSHAKE_TIMEOUT_MS, MAX_JOINING_CONNECTION_MS } from "../limits.ts";
import type { Handlers, Listener } from "../listen.ts";
import { closed, openTcp, openTls, type Target } from "../testing/hostile-client.ts";
import {
  joiningIdentity,
  type TestFederation,
  testFederation,
} from "../testing/test-federation.ts";

let federation: TestFederation;
beforeEach(() => {
  federation = testFederation();
});
afterEach(() => federation.close());

const attending: Handlers = {
  "Tasks.Attend": {
    callers: ["client"],
    handle: async (stream) => {
      while ((await stream.read()) !== undefined) await stream.write({ welcome: { version: 1 } });
    },
  },
};
const handlers: Handlers = {
  ...attending,
  "Provisioning.Join": { callers: ["client"], handle: async () => ({}) },
};
const joiningHandlers: Handlers = {
  ...attending,
  "Provisioning.Join": { callers: ["joining", "client"], handle: async () => ({}) },
};

const attendOn = async (connection: Connection) => {
  const stream = connection.bidi("Tasks.Attend");
  await stream.write({ hello: { version: 1 } });
  expect((await stream.read())?.kind).toBe("welcome");
  return stream;
};

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

describe("a peer that does not finish", () => {
  let listener: Listener;
  let target: Target;
  beforeEach(async () => {
    listener = await federation.listen(joiningHandlers, { admitsJoining: true });
    target = { host: listener.host, port: listener.port };
  });

  test.each([
    ["sends nothing", new Uint8Array()],
    ["sends half a TLS record", Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1)],
  ])("its handshake and %s is dropped", async (_what, bytes) => {
    const socket = await openTcp(target);
    socket.write(bytes);
    await until(() => listener.connectionCount() === 1);
    await federation.clock.advance(HANDSHAKE_TIMEOUT_MS - 1);
    expect(listener.connectionCount()).toBe(1);
    await federation.clock.advance(1);
    await closed(socket);
    await until(() => listener.connectionCount() === 0);
    expect(federation.clock.timerCount()).toBe(0);
  });

  test("its first contact is dropped", async () => {
    const stuck = await federation.listen(handlers, {
      firstContact: () => new Promise(() => {}),
    });
    const identity = federation.identity("client", "c");
    const socket = await openTls({ host: stuck.host, port: stuck.port, identity });
    await until(() => federation.clock.timerCount() === 2);
    await federation.clock.advance(HANDSHAKE_TIMEOUT_MS);
    await closed(socket);
  });

  test("its first message is refused as too slow", async () => {
    const connection = federation.connect(listener, federation.identity("client", "c"));
    await attendOn(connection);
    const silent = connection.bidi("Tasks.Attend");
    const before = federation.clock.timerCount();
    await until(() => federation.clock.timerCount() > before);
    await federation.clock.advance(10_000);
    await expect(silent.read()).rejects.toMatchObject({ refusals: [{ code: "too-slow" }] });
  });
});

describe("connections are counted", () => {
  test.each([
    ["in all", { total: 2 }],
    ["while unverified", { unverified: 2 }],
    ["while unverified, of one address", { unverifiedPerAddress: 2 }],
  ])("%s", async (_what, limits) => {
    const listener = await federation.listen(handlers, { limits });
    const target = { host: listener.host, port: listener.port };
    const first = await openTcp(target);
    await openTcp(target);
    await until(() => listener.connectionCount() === 2);
    await closed(await openTcp(target));
    first.destroy();
    await until(() => listener.connectionCount() === 1);
    await openTcp(target);
    await until(() => listener.connectionCount() === 2);
  });

  test.each([
    ["of joining peers", { joining: 1 }, true],
    ["of joining peers of one address", { joiningPerAddress: 1 }, true],
    ["of one member", { perMember: 1 }, false],
  ])("%s", async (_what, limits, joining) => {
    const listener = await federation.listen(joiningHandlers, { limits, admitsJoining: true });
    const identity = federation.identity("client", "c");
    const connect = () => federation.connect(listener, joining ? joiningIdentity() : identity);
    await connect().unary("Provisioning.Join", {});
    await expect(connect().unary("Provisioning.Join", {})).rejects.toMatchObject({
      code: "closed",
    });
    const other = federation.connect(listener, federation.identity("client", "d"));
    await other.unary("Provisioning.Join", {});
    expect(listener.connectionCount()).toBe(2);
  });
});

describe("a connection ends", () => {
  test("at the listener, when the caller's certificate expires", async () => {
    const listener = await federation.listen(handlers);
    const identity = federation.identity("client", "c", { lifetimeMs: 60_000 });
    const stream = await attendOn(federation.connect(listener, identity));
    await federation.clock.advance(60_999);
    expect(stream.signal.aborted).toBe(false);
    await federation.clock.advance(1);
    await expect(stream.read()).rejects.toMatchObject({ code: "closed" });
    await until(() => listener.connectionCount() === 0);
  });

  test("at the caller, when the listener's certificate expires", async () => {
    const identity = federation.identity("combiner", "c", { lifetimeMs: 60_000 });
    const listener = await federation.listen(handlers, { identity });
    const stream = await attendOn(federation.connect(listener, federation.identity("client", "c")));
    await federation.clock.advance(61_000);
    await expect(stream.read()).rejects.toMatchObject({ code: "closed" });
  });

  test("when a joining peer stays longer than joining takes", async () => {
    const listener = await federation.listen(joiningHandlers, { admitsJoining: true });
    await federation.connect(listener, joiningIdentity()).unary("Provisioning.Join", {});
    expect(listener.connectionCount()).toBe(1);
    await federation.clock.advance(MAX_JOINING_CONNECTION_MS);
    await until(() => listener.connectionCount() === 0);
  });
});

describe("certificates are rotated", () => {
  test("by the listener: standing calls go on, new connections see the new one", async () => {
    const old = federation.identity("combiner", "old");
    const listener = await federation.listen(handlers, { identity: old });
    const standing = federation.connect(listener, federation.identity("client", "c"));
    const stream = await attendOn(standing);
    listener.rotate(federation.identity("combiner", "new"));
    const later = federation.connect(listener, federation.identity("client", "d"));
    await attendOn(later);
    expect([standing.peer()?.member, later.peer()?.member]).toEqual(["old", "new"]);
    await stream.write({ taskStarted: {} });
    expect((await stream.read())?.kind).toBe("welcome");
  });

  test("by the caller: a lost connection is made again with the newest", async () => {
    const listener = await federation.listen(handlers);
    let own = federation.identity("client", "c", { lifetimeMs: 60_000 });
    const identity = vi.fn(() => own);
    const connection = federation.connect(listener, own, { identity });
    const stream = await attendOn(connection);
    own = federation.identity("client", "c");
    await federation.clock.advance(61_000);
    await stream.read().catch(() => {});
    await attendOn(connection);
    expect(identity).toHaveBeenCalledTimes(2);
  });
});

test("TLS sessions are not resumed", async () => {
  const { host, port } = await federation.listen(handlers);
  const target = { host, port, identity: federation.identity("client", "c") };
  const first = await openTls(target);
  const sessions: Buffer[] = [];
  first.on("session", (session) => sessions.push(session));
  // The listener's SETTINGS come after any tickets.
  await new Promise((resolve) => first.once("data", resolve));
  first.destroy();
  for (const session of sessions) {
    const again = await openTls(target, { session });
    expect(again.isSessionReused()).toBe(false);
    again.destroy();
  }
});

describe("a listener closes", () => {
  test("after its calls have finished", async () => {
    const listener = await federation.listen(handlers);
    const stream = await attendOn(federation.connect(listener, federation.identity("client", "c")));
    const closing = listener.close(5000);
    await stream.write({ taskStarted: {} });
    expect((await stream.read())?.kind).toBe("welcome");
    stream.endWrites();
    expect(await stream.read()).toBeUndefined();
    await closing;
    expect(listener.connectionCount()).toBe(0);
  });

  test("by force when the grace is over, and says so to the handlers", async () => {
    let reason: unknown;
    const listener = await federation.listen({
      "Tasks.Attend": {
        callers: ["client"],
        handle: async (stream) => {
          await stream.read();
          await stream.write({});
          await new Promise((resolve) => stream.signal.addEventListener("abort", resolve));
          reason = stream.signal.reason;
        },
      },
    });
    const stream = federation
      .connect(listener, federation.identity("client", "c"))
      .bidi("Tasks.Attend");
    await stream.write({ hello: {} });
    await stream.read();
    const before = federation.clock.timerCount();
    const closing = listener.close(5000);
    await until(() => federation.clock.timerCount() > before);
    await federation.clock.advance(4999);
    expect(reason).toBeUndefined();
    await federation.clock.advance(1);
    await closing;
    expect(reason).toMatchObject({ refusals: [{ code: "shutting-down" }] });
    expect(listener.connectionCount()).toBe(0);
  });

  test("without waiting for a handshake, and leaves no timer", async () => {
    const listener = await federation.listen(handlers);
    await openTcp({ host: listener.host, port: listener.port });
    await until(() => listener.connectionCount() === 1);
    await listener.close(1000);
    expect(federation.clock.pendingDelaysMs()).toEqual([]);
  });
});

describe("a caller", () => {
  test("that closes its connection ends its calls and leaves nothing behind", async () => {
    const listener = await federation.listen(handlers);
    const connection = federation.connect(listener, federation.identity("client", "c"));
    const stream = await attendOn(connection);
    connection.close();
    await expect(stream.read()).rejects.toMatchObject({ code: "closed" });
    await expect(connection.unary("Provisioning.Join", {})).rejects.toMatchObject({
      code: "closed",
    });
    await until(() => listener.connectionCount() === 0);
  });

  test("gets no answer in time, or leaves, and the handler learns of it", async () => {
    const aborted: unknown[] = [];
    let startedCount = 0;
    const listener = await federation.listen({
      "Provisioning.Join": {
        callers: ["client"],
        handle: (_request, _peer, signal) =>
          new Promise((_resolve, reject) => {
            startedCount += 1;
            signal.addEventListener("abort", () => {
              aborted.push(signal.reason);
              reject(signal.reason);
            });
          }),
      },
    });
    const connection = federation.connect(listener, federation.identity("client", "c"));
    const leaving = new AbortController();
    const left = connection.unary("Provisioning.Join", {}, { signal: leaving.signal });
    const late = connection.unary("Provisioning.Join", {}, { timeoutMs: 5000 });
    await until(() => startedCount === 2);
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: "closed" });
    await until(() => aborted.length === 1);
    const lateOutcome = expect(late).rejects.toMatchObject({ code: "timeout" });
    await federation.clock.advance(5000);
    await lateOutcome;
    await until(() => aborted.length === 2);
  });

  test("is not led through a proxy by the environment", async () => {
    vi.stubEnv("http_proxy", "http://127.0.0.1:9");
    vi.stubEnv("grpc_proxy", "http://127.0.0.1:9");
    const listener = await federation.listen(handlers);
    await attendOn(federation.connect(listener, federation.identity("client", "c")));
    vi.unstubAllEnvs();
  });
});
