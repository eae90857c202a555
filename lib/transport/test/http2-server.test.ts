/** What we rely on inside grpc-js: if a new version works differently, this is where it shows. */
import { readFileSync } from "node:fs";
import http2, { type ClientHttp2Session } from "node:http2";
import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  MAX_CONCURRENT_STREAMS,
  MAX_FRAMES_PER_MESSAGE,
  MAX_HEADER_LIST_BYTES,
  WINDOW_BYTES,
} from "../limits.ts";
import type { Handlers, Listener } from "../listen.ts";
import { clientCodec, rpcPath } from "../rpcs.ts";
import {
  type CallOutcome,
  callOutcome,
  grpcFrame,
  noise,
  openHttp2,
  rawCall,
} from "../testing/hostile-client.ts";
import { joiningIdentity, testFederation } from "../testing/test-federation.ts";
import type { TlsIdentity } from "../tls-identity.ts";

const DEFAULT_WINDOW_BYTES = 65_535;
const ATTEND = rpcPath("Tasks.Attend");

const federation = testFederation();
let listener: Listener;
let holdReading: Promise<void> = Promise.resolve();

const handlers: Handlers = {
  "Tasks.Attend": {
    callers: ["client"],
    handle: async (stream) => {
      await holdReading;
      while ((await stream.read()) !== undefined) await stream.write({ welcome: { version: 1 } });
    },
  },
  "Provisioning.Join": { callers: ["joining"], handle: async () => ({}) },
};

beforeAll(async () => {
  listener = await federation.listen(handlers, { admitsJoining: true });
});
afterAll(() => federation.close());

async function openSession(
  identity: TlsIdentity = federation.identity("client", "c"),
): Promise<ClientHttp2Session> {
  const session = await openHttp2({ host: listener.host, port: listener.port, identity });
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  return session;
}

/** Until the listener has answered a PING, so that everything it sent before has arrived. */
const roundTrip = (session: ClientHttp2Session) =>
  new Promise<void>((resolve) => session.ping(() => resolve()));

test("grpc-js is the version that was looked into, in package.json and on disk", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));
  const installed = createRequire(import.meta.url)("@grpc/grpc-js/package.json");
  expect([manifest.dependencies["@grpc/grpc-js"], installed.version]).toEqual(["1.14.7", "1.14.7"]);
});

test("the module's own createServer is back in place", () => {
  expect(http2.createServer.name).toBe("createServer");
});

describe("a listener announces", () => {
  test("its windows and limits", async () => {
    const session = await openSession();
    expect(session.remoteSettings).toMatchObject({
      initialWindowSize: WINDOW_BYTES,
      maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
      maxHeaderListSize: MAX_HEADER_LIST_BYTES,
    });
    await roundTrip(session);
    expect(session.state.remoteWindowSize).toBe(WINDOW_BYTES);
    session.destroy();
  });

  test("no more than the default window to a joining peer", async () => {
    const session = await openSession(joiningIdentity());
    await roundTrip(session);
    expect(session.state.remoteWindowSize).toBe(DEFAULT_WINDOW_BYTES);
    session.destroy();
  });
});

describe("a call is cut off", () => {
  test("whose message comes in too many frames", async () => {
    const session = await openSession();
    const stream = rawCall(session, ATTEND);
    const outcome = callOutcome(stream);
    const frame = grpcFrame(noise(3 * MAX_FRAMES_PER_MESSAGE));
    for (let at = 0; at < frame.byteLength && !stream.destroyed; at += 1) {
      // One write at a time: Node would join those that wait into one frame.
      await new Promise((resolve) => stream.write(frame.subarray(at, at + 1), resolve));
    }
    expect((await outcome).resetCode).toBe(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.destroy();
  });

  test("whose headers are longer than they may be", async () => {
    const session = await openSession();
    const stream = rawCall(session, ATTEND, { "x-long": "x".repeat(2 * MAX_HEADER_LIST_BYTES) });
    const outcome = await callOutcome(stream);
    expect(outcome.grpcStatus).toBeUndefined();
    session.destroy();
  });
});

test("many messages on one long stream are not mistaken for a split one", async () => {
  const connection = federation.connect(listener, federation.identity("client", "e"));
  const stream = connection.bidi("Tasks.Attend");
  for (let i = 0; i < MAX_FRAMES_PER_MESSAGE + 10; i += 1) {
    await stream.write({ hello: {} });
    expect((await stream.read())?.kind).toBe("welcome");
  }
  stream.cancel();
});

test("what a handler does not read stays with the sender, within the window", async () => {
  let release = (): void => {};
  holdReading = new Promise((resolve) => {
    release = resolve;
  });
  const connection = federation.connect(listener, federation.identity("client", "f"));
  const stream = connection.bidi("Tasks.Attend");
  const message = { taskFailed: { refusals: Array(2000).fill({ seen: "x".repeat(256) }) } };
  const sizeBytes = clientCodec("Tasks.Attend").encode(message).byteLength;
  let acceptedCount = 0;
  const sending = (async () => {
    for (let i = 0; i < 64; i += 1) {
      await stream.write(message);
      acceptedCount += 1;
    }
  })();
  let before = -1;
  while (before !== acceptedCount || acceptedCount * sizeBytes < WINDOW_BYTES / 2) {
    before = acceptedCount;
    for (let i = 0; i < 200; i += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(acceptedCount * sizeBytes).toBeLessThan(WINDOW_BYTES + 4 * sizeBytes);
  release();
  holdReading = Promise.resolve();
  for (let i = 0; i < 64; i += 1) expect((await stream.read())?.kind).toBe("welcome");
  await sending;
  stream.cancel();
});

describe("a peer's headers", () => {
  test.each<[string, Record<string, string>]>([
    ["cannot name another call", { "fedclave-call": "1" }],
    ["are not repeated", { "x-secret": "value" }],
    ["cannot set a deadline", { "grpc-timeout": "1n" }],
  ])("%s", async (_what, headers) => {
    const session = await openSession();
    const stream = rawCall(session, ATTEND, headers);
    const outcome: Promise<CallOutcome> = callOutcome(stream);
    const hello = clientCodec("Tasks.Attend").encode({ hello: { version: 1 } });
    stream.end(grpcFrame(hello));
    expect(await outcome).toMatchObject({ grpcStatus: 0 });
    session.destroy();
  });
});
