/** A caller before listeners that do not keep to the protocol. The experimental hook of grpc-js is exercised here. */
import http2, { type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_MESSAGE_BYTES } from "../../base/limits.ts";
import type { Connection } from "../connect.ts";
import { HANDSHAKE_TIMEOUT_MS, WINDOW_BYTES } from "../limits.ts";
import { serverCodec } from "../rpcs.ts";
import { grpcFrame, noise } from "../testing/hostile-client.ts";
import { type TestFederation, testFederation } from "../testing/test-federation.ts";
import { tlsOptions } from "../tls-identity.ts";

let federation: TestFederation;
let server: Http2SecureServer;
let connection: Connection;
/** What the listener does with a call. */
let answer: (stream: ServerHttp2Stream) => void;

const OK = { ":status": 200, "content-type": "application/grpc+proto" };
const trailers = (
  stream: ServerHttp2Stream,
  sent: http2.OutgoingHttpHeaders,
  ...frames: Buffer[]
) => {
  stream.respond(OK, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(sent));
  stream.end(Buffer.concat(frames));
};

beforeEach(async () => {
  federation = testFederation();
  server = http2.createSecureServer(tlsOptions(federation.identity("combiner", "combiner-1")));
  server.on("sessionError", () => {});
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.resume();
    answer(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  connection = federation.connect({ port }, federation.identity("client", "c"));
});
afterEach(async () => {
  await federation.close();
  await new Promise((resolve) => server.close(resolve));
});

const good = grpcFrame(serverCodec("Provisioning.Join").encode({ expiresAtMs: 7 }));

test("an answer as any gRPC server gives it is taken", async () => {
  answer = (stream) => trailers(stream, { "grpc-status": "0" }, good);
  expect(await connection.unary("Provisioning.Join", {})).toMatchObject({ expiresAtMs: 7 });
  expect(connection.peer()).toMatchObject({ role: "combiner", member: "combiner-1" });
});

test("a caller announces its windows", async () => {
  answer = (stream) => {
    const { session } = stream;
    stream.on("end", () => {
      expect(session?.remoteSettings.initialWindowSize).toBe(WINDOW_BYTES);
      expect(session?.state.remoteWindowSize).toBe(WINDOW_BYTES);
      trailers(stream, { "grpc-status": "0" }, good);
    });
  };
  await connection.unary("Provisioning.Join", {});
});

describe("a caller outlives", () => {
  test.each<[string, (stream: ServerHttp2Stream) => void, string]>([
    [
      "a page instead of an answer",
      (s) => s.respond({ ":status": 404 }, { endStream: true }),
      "failed",
    ],
    ["no status", (s) => s.respond(OK, { endStream: true }), "failed"],
    ["a status that is none", (s) => trailers(s, { "grpc-status": "x" }, good), "failed"],
    [
      "a good status without an answer",
      (s) => trailers(s, { "grpc-status": "0" }),
      "unexpected-message",
    ],
    ["two answers", (s) => trailers(s, { "grpc-status": "0" }, good, good), "unexpected-message"],
    [
      "an answer that is no message",
      (s) => trailers(s, { "grpc-status": "0" }, grpcFrame(noise(100))),
      "malformed-message",
    ],
    [
      "an answer longer than any may be",
      (s) =>
        trailers(
          s,
          { "grpc-status": "0" },
          grpcFrame(noise(9), { declaredBytes: MAX_MESSAGE_BYTES + 1 }),
        ),
      "failed",
    ],
    [
      "refusals that are none",
      (s) => trailers(s, { "grpc-status": "9", "fedclave-refusals-bin": "////" }),
      "failed",
    ],
    ["a reset", (s) => s.close(http2.constants.NGHTTP2_INTERNAL_ERROR), "failed"],
    [
      "an answer cut off",
      (s) => {
        s.respond(OK);
        s.write(good);
        s.session?.destroy();
      },
      "closed",
    ],
    ["a lost connection", (s) => s.session?.destroy(), "closed"],
  ])("%s", async (_what, given, code) => {
    answer = given;
    await expect(connection.unary("Provisioning.Join", {})).rejects.toMatchObject({
      name: "TransportError",
      code,
    });
    answer = (stream) => trailers(stream, { "grpc-status": "0" }, good);
    expect(await connection.unary("Provisioning.Join", {})).toMatchObject({ expiresAtMs: 7 });
  });

  test("messages that nobody asked for, without keeping them all", async () => {
    const frame = grpcFrame(serverCodec("Tasks.Attend").encode({ reassign: {} }));
    const many = Buffer.concat(Array(20_000).fill(frame));
    let writtenBytes = 0;
    answer = (stream) => {
      stream.respond(OK);
      const more = (): void => {
        if (stream.destroyed || writtenBytes > 20 * WINDOW_BYTES) return;
        writtenBytes += many.byteLength;
        stream.write(many, more);
      };
      more();
    };
    const stream = connection.bidi("Tasks.Attend");
    let before = -1;
    while (writtenBytes === 0 || before !== writtenBytes) {
      before = writtenBytes;
      for (let i = 0; i < 200; i += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(writtenBytes).toBeLessThan(2 * WINDOW_BYTES);
    stream.cancel();
  });
});

describe("what is no Fedclave listener", () => {
  let tcp: Server;
  afterEach(() => tcp.close());

  test.each<[string, Buffer | undefined, string]>([
    ["answers with something else than TLS", noise(100), "handshake-failed"],
    ["closes at once", undefined, "handshake-failed"],
  ])("%s", async (_what, bytes, code) => {
    tcp = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(bytes ?? new Uint8Array());
    });
    await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
    const { port } = tcp.address() as AddressInfo;
    const other = federation.connect({ port }, federation.identity("client", "c"));
    await expect(other.unary("Provisioning.Join", {})).rejects.toMatchObject({ code });
  });

  test("is silent, and is given up in time", async () => {
    tcp = createServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
    const { port } = tcp.address() as AddressInfo;
    const other = federation.connect({ port }, federation.identity("client", "c"));
    const outcome = expect(other.unary("Provisioning.Join", {})).rejects.toMatchObject({
      code: "timeout",
    });
    while (!federation.clock.pendingDelaysMs().includes(HANDSHAKE_TIMEOUT_MS)) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await federation.clock.advance(HANDSHAKE_TIMEOUT_MS);
    await outcome;
  });
});
