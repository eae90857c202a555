/** A peer that does not keep to any protocol, on raw sockets. For tests of listeners, of real roles too. */
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { type Socket, connect as tcpConnect } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import { gzipSync } from "node:zlib";
import { fedclave } from "../../../proto/generated/fedclave.js";
import { REFUSALS_TRAILER } from "../failure.ts";
import { ALPN, type TlsIdentity, tlsOptions } from "../tls-identity.ts";

export type Target = {
  readonly host: string;
  readonly port: number;
  /** Undefined presents no certificate. */
  readonly identity?: TlsIdentity | undefined;
};

/** How a call ended, as it looks on the wire; fields that never came are undefined. */
export type CallOutcome = {
  readonly httpStatus: number | undefined;
  readonly grpcStatus: number | undefined;
  readonly refusalCodes: readonly string[];
  readonly responseBytes: number;
  /** RST_STREAM code; 0 for a stream that ended by itself. */
  readonly resetCode: number;
};

export async function openTcp({ host, port }: Target): Promise<Socket> {
  const socket = tcpConnect({ host, port });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** TLS established, nothing sent on it. Rejects if the listener refuses during the handshake. */
export async function openTls(target: Target, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = tlsConnect({
    ...(target.identity && tlsOptions(target.identity)),
    host: target.host,
    port: target.port,
    ALPNProtocols: [ALPN],
    servername: "",
    rejectUnauthorized: false,
    ...options,
  });
  await new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("closed during the handshake")));
  });
  return socket;
}

export async function openHttp2(
  target: Target,
  options: http2.SecureClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  const socket = await openTls(target);
  const session = http2.connect("https://fedclave", { ...options, createConnection: () => socket });
  session.on("error", () => {});
  return session;
}

/** When the socket is gone, at the latest; it is drained meanwhile. */
export async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (socket.destroyed) return;
  await new Promise((resolve) => socket.once("close", resolve));
}

/** Starts a call by hand. `headers` replace ours; undefined leaves one out. */
export function rawCall(
  session: ClientHttp2Session,
  path: string,
  headers: http2.OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const all: http2.OutgoingHttpHeaders = {
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  };
  const present = Object.entries(all).filter(([, value]) => value !== undefined);
  const stream = session.request(Object.fromEntries(present));
  stream.on("error", () => {});
  return stream;
}

/** Waits until the stream is gone. */
export function callOutcome(stream: ClientHttp2Stream): Promise<CallOutcome> {
  let responseBytes = 0;
  let last: http2.IncomingHttpHeaders = {};
  let httpStatus: number | undefined;
  stream.on("response", (headers) => {
    httpStatus = headers[":status"];
    last = { ...last, ...headers };
  });
  stream.on("trailers", (headers) => {
    last = { ...last, ...headers };
  });
  stream.on("data", (chunk: Buffer) => {
    responseBytes += chunk.byteLength;
  });
  return new Promise((resolve) => {
    stream.once("close", () => {
      const grpcStatus = last["grpc-status"];
      resolve({
        httpStatus,
        grpcStatus: grpcStatus === undefined ? undefined : Number(grpcStatus),
        refusalCodes: refusalCodes(last[REFUSALS_TRAILER]),
        responseBytes,
        resetCode: stream.rstCode ?? 0,
      });
    });
  });
}

/** A gRPC message frame; the declared length and the compression flag may be lies. */
export function grpcFrame(
  message: Uint8Array,
  { declaredBytes = message.byteLength, flag = 0 } = {},
): Buffer {
  const frame = Buffer.alloc(5 + message.byteLength);
  frame.writeUInt8(flag, 0);
  frame.writeUInt32BE(declaredBytes, 1);
  frame.set(message, 5);
  return frame;
}

/** Bytes that look random and are the same in each run. */
export function noise(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < sizeBytes; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state & 0xff;
  }
  return bytes;
}

/** What a hostile peer does with a whole connection. Each ends with the socket closed. */
export const CONNECTION_ATTACKS: readonly {
  readonly name: string;
  readonly run: (target: Target) => Promise<void>;
}[] = [
  { name: "random bytes instead of TLS", run: (target) => tcpAttack(target, noise(4096)) },
  { name: "HTTP/1 instead of TLS", run: (target) => tcpAttack(target, "GET / HTTP/1.1\r\n\r\n") },
  {
    name: "a TLS record that declares more than TLS allows",
    run: (target) => tcpAttack(target, Buffer.from([22, 3, 1, 255, 255, 1, 2, 3])),
  },
  { name: "random bytes instead of HTTP/2", run: (target) => tlsAttack(target, noise(65_536)) },
  {
    name: "random bytes after the HTTP/2 preface",
    run: (target) => tlsAttack(target, Buffer.concat([PREFACE, noise(65_536)])),
  },
  {
    name: "an HTTP/2 frame longer than announced settings allow",
    run: (target) => tlsAttack(target, Buffer.concat([PREFACE, http2Frame(0, 1, noise(100_000))])),
  },
  {
    name: "DATA on a stream that was never opened",
    run: (target) =>
      tlsAttack(target, Buffer.concat([PREFACE, SETTINGS, http2Frame(0, 7, noise(10))])),
  },
  {
    name: "a header block that is not HPACK",
    run: (target) =>
      tlsAttack(target, Buffer.concat([PREFACE, SETTINGS, http2Frame(1, 1, noise(1000), 4)])),
  },
  {
    name: "endless CONTINUATION frames",
    run: async (target) => {
      const frames = Array.from({ length: 2000 }, () => http2Frame(9, 1, Buffer.alloc(1000, 0x40)));
      const opening = http2Frame(1, 1, Buffer.alloc(0));
      await tlsAttack(target, Buffer.concat([PREFACE, SETTINGS, opening, ...frames]));
    },
  },
  {
    name: "calls that are reset in the packet that opens them",
    run: (target) => {
      const calls = Array.from({ length: 60 }, (_, i) => {
        const path = i % 3 === 0 ? "/fedclave.v1.Sessions/List" : "/unknown";
        const type = i % 3 === 1 ? "text/html" : "application/grpc";
        const reset = http2Frame(3, 2 * i + 1, Buffer.from([0, 0, 0, 8]));
        return Buffer.concat([headersFrame(2 * i + 1, path, type), reset]);
      });
      return tlsAttack(target, Buffer.concat([PREFACE, SETTINGS, ...calls]));
    },
  },
  {
    name: "calls in the packet that ends the connection",
    run: (target) => {
      const calls = Array.from({ length: 30 }, (_, i) => {
        const path = i % 3 === 0 ? "/fedclave.v1.Sessions/List" : "/unknown";
        const type = i % 3 === 1 ? "text/html" : "application/grpc";
        return headersFrame(2 * i + 1, path, type);
      });
      const ending = http2Frame(6, 1, noise(3));
      return tlsAttack(target, Buffer.concat([PREFACE, SETTINGS, ...calls, ending]));
    },
  },
  {
    name: "peers that leave at any point of the handshake",
    run: async (target) => {
      for (let turns = 0; turns < 40; turns += 1) {
        const socket = tlsConnect({
          ...(target.identity && tlsOptions(target.identity)),
          host: target.host,
          port: target.port,
          ALPNProtocols: [ALPN],
          servername: "",
          rejectUnauthorized: false,
        });
        socket.on("error", () => {});
        for (let i = 0; i < turns; i += 1) await new Promise((resolve) => setImmediate(resolve));
        if (turns % 2 === 0) socket.destroy();
        else socket.end(PREFACE);
        await closed(socket);
      }
    },
  },
  {
    name: "a flood of PING",
    run: (target) => {
      const pings = Array.from({ length: 20_000 }, () => http2Frame(6, 0, noise(8)));
      return tlsAttack(target, Buffer.concat([PREFACE, SETTINGS, ...pings]));
    },
  },
];

/** What a hostile peer does with one call. Each ends with the stream closed. */
export const CALL_ATTACKS: readonly {
  readonly name: string;
  /** Whether the handler may legitimately finish well, as with an unused compression header. */
  readonly mayEndWell?: true;
  readonly run: (session: ClientHttp2Session, path: string) => Promise<CallOutcome>;
}[] = [
  {
    name: "random bytes as a message",
    run: (session, path) => send(session, path, grpcFrame(noise(1000))),
  },
  {
    name: "an empty body",
    run: (session, path) => send(session, path, Buffer.alloc(0)),
  },
  {
    name: "a frame cut in its header",
    run: (session, path) => send(session, path, grpcFrame(noise(100)).subarray(0, 3)),
  },
  {
    name: "a frame cut in its message",
    run: (session, path) => send(session, path, grpcFrame(noise(100)).subarray(0, 50)),
  },
  {
    name: "a declared length of 4 GiB",
    run: (session, path) =>
      send(session, path, grpcFrame(noise(10), { declaredBytes: 2 ** 32 - 1 })),
  },
  {
    name: "a field that declares more than the message has",
    run: (session, path) => send(session, path, grpcFrame(Buffer.from([0x0a, 0xff, 0xff, 0x7f]))),
  },
  {
    name: "groups nested without end",
    run: (session, path) => send(session, path, grpcFrame(Buffer.alloc(100_000, 0x0b))),
  },
  {
    name: "a compressed message",
    run: (session, path) =>
      send(session, path, grpcFrame(gzipSync(Buffer.alloc(1_000_000)), { flag: 1 }), {
        "grpc-encoding": "gzip",
      }),
  },
  {
    name: "a body of one-byte DATA frames",
    run: async (session, path) => {
      const stream = rawCall(session, path);
      const outcome = callOutcome(stream);
      const frame = grpcFrame(noise(20_000));
      for (let i = 0; i < 10_000 && !stream.destroyed; i += 1) {
        if (!stream.write(frame.subarray(i, i + 1))) await nextDrain(stream);
      }
      if (!stream.destroyed) stream.end();
      return outcome;
    },
  },
  {
    name: "another content type",
    run: (session, path) => send(session, path, noise(100), { "content-type": "text/html" }),
  },
  {
    name: "a timeout header that is no timeout",
    mayEndWell: true,
    run: (session, path) =>
      send(session, path, grpcFrame(noise(100)), { "grpc-timeout": "99999999999999H\u00e9" }),
  },
  {
    name: "metadata that pretends to be ours",
    run: (session, path) =>
      send(session, path, grpcFrame(noise(100)), {
        "fedclave-call": "1",
        "fedclave-refusals-bin": "%%%",
        "x-bin": "not base64 \u00ff",
      }),
  },
  {
    name: "a reset right after the headers",
    run: (session, path) => {
      const stream = rawCall(session, path);
      const outcome = callOutcome(stream);
      stream.close(http2.constants.NGHTTP2_CANCEL);
      return outcome;
    },
  },
  {
    name: "a path that does not exist",
    run: (session, path) => send(session, `${path}\u00e9/../x`, grpcFrame(noise(10))),
  },
];

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS = http2Frame(4, 0, Buffer.alloc(0));

function http2Frame(type: number, streamId: number, payload: Uint8Array, flags = 0): Buffer {
  const frame = Buffer.alloc(9 + payload.byteLength);
  frame.writeUIntBE(payload.byteLength, 0, 3);
  frame.writeUInt8(type, 3);
  frame.writeUInt8(flags, 4);
  frame.writeUInt32BE(streamId, 5);
  frame.set(payload, 9);
  return frame;
}

/** A whole header block without end of stream; HPACK literals, not indexed, not compressed. */
function headersFrame(streamId: number, path: string, contentType: string): Buffer {
  const fields = [
    [":method", "POST"],
    [":scheme", "https"],
    [":authority", "fedclave"],
    [":path", path],
    ["content-type", contentType],
    ["te", "trailers"],
  ];
  const literal = (text: string) => Buffer.from([text.length, ...Buffer.from(text)]);
  const block = fields.map(([name = "", value = ""]) =>
    Buffer.concat([Buffer.from([0]), literal(name), literal(value)]),
  );
  return http2Frame(1, streamId, Buffer.concat(block), 4);
}

async function tcpAttack(target: Target, bytes: Uint8Array | string): Promise<void> {
  const socket = await openTcp(target);
  socket.end(bytes);
  await closed(socket);
}

async function tlsAttack(target: Target, bytes: Uint8Array): Promise<void> {
  const socket = await openTls(target);
  socket.removeAllListeners("error").on("error", () => {});
  socket.end(bytes);
  await closed(socket);
}

function send(
  session: ClientHttp2Session,
  path: string,
  body: Uint8Array,
  headers: http2.OutgoingHttpHeaders = {},
): Promise<CallOutcome> {
  const stream = rawCall(session, path, headers);
  const outcome = callOutcome(stream);
  stream.end(body);
  return outcome;
}

function nextDrain(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    stream.once("drain", resolve);
    stream.once("close", resolve);
  });
}

function refusalCodes(trailer: string | string[] | undefined): string[] {
  if (typeof trailer !== "string") return [];
  const { refusals } = fedclave.v1.Refusals.decode(Buffer.from(trailer, "base64"));
  return refusals.map(({ code }) => code ?? "");
}
