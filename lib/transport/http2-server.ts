/**
 * grpc-js's server on sockets that we accepted ourselves. All that leans on how grpc-js 1.14.7 works inside is here
 * and in secure-connector.ts; test/http2-server.test.ts fails if a new version works differently.
 */
import http2, {
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { TLSSocket } from "node:tls";
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from "@grpc/grpc-js";
import { MAX_MESSAGE_BYTES } from "../base/limits.ts";
import { assertInvariant } from "../base/refusal.ts";
import {
  KEEPALIVE_INTERVAL_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAMES_PER_MESSAGE,
  MAX_HEADER_LIST_BYTES,
  WINDOW_BYTES,
} from "./limits.ts";
import type { Peer } from "./peer.ts";

/** What grpc-js does not show a handler: the peer and the HTTP/2 stream of its call. */
export type CallBinding = {
  readonly peer: Peer;
  /** A whole message arrived: count its successor's frames anew. */
  readonly messageRead: () => void;
  /** Stops the stream at once, whatever is still queued on it. */
  readonly reset: () => void;
  /** Calls `action` once when the stream is gone. */
  readonly onClose: (action: () => void) => void;
};

export type GrpcServer = {
  readonly grpc: Server;
  /** Starts HTTP/2 on a socket whose peer is verified. The socket must have no write on its way. */
  readonly inject: (socket: TLSSocket, peer: Peer) => void;
  /** The binding of a call, by the value of its CALL_HEADER. */
  readonly takeCall: (id: string) => CallBinding | undefined;
  /** Tells every peer to start no more calls; resolves when each connection has ended with its last call. */
  readonly drain: () => Promise<void>;
  /** Ends every connection now. */
  readonly destroy: () => void;
};

/** Set by us on every call, over whatever the peer sent under this name. */
export const CALL_HEADER = "fedclave-call";
/** What grpc-js may see of a peer's headers. So a peer reaches neither its decompression nor its metadata parser. */
const PASSED_HEADERS = [":method", ":path", ":scheme", ":authority", "content-type", "te"];
const UNKNOWN_PATH = "/unknown";

/** @param paths  of the registered rpcs; others are answered UNIMPLEMENTED without repeating them */
export function createGrpcServer(paths: ReadonlySet<string>): GrpcServer {
  // By default grpc-js prints parts of what peers send to standard error, and more if the environment asks.
  setLogVerbosity(logVerbosity.NONE);
  const grpc = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.keepalive_time_ms": KEEPALIVE_INTERVAL_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.enable_channelz": 0,
  });
  const peers = new WeakMap<ServerHttp2Session, Peer>();
  const sessions = new Set<ServerHttp2Session>();
  const calls = new Map<string, CallBinding>();
  let injected: Peer | undefined;
  let callCount = 0;

  const onSession = (session: ServerHttp2Session): void => {
    if (injected === undefined) return session.destroy();
    peers.set(session, injected);
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    // A peer that only wants to join needs no large window, so thousands of them cannot make us buffer much.
    if (injected.kind === "member") session.setLocalWindowSize(WINDOW_BYTES);
    injected = undefined;
  };

  const passStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean => {
    const peer = stream.session && peers.get(stream.session as ServerHttp2Session);
    // grpc-js would answer a stream that is gone already, and Node would throw at that.
    if (peer === undefined || stream.destroyed) return false;
    for (const name of Object.keys(headers)) {
      if (!PASSED_HEADERS.includes(name)) delete headers[name];
    }
    if (!paths.has(headers[":path"] ?? "")) headers[":path"] = UNKNOWN_PATH;
    callCount += 1;
    const id = String(callCount);
    headers[CALL_HEADER] = id;
    calls.set(id, bindCall(stream, peer));
    stream.once("close", () => calls.delete(id));
    return true;
  };

  const injector = withHttp2Options(onSession, passStream, () =>
    grpc.createConnectionInjector(ServerCredentials.createInsecure()),
  );
  return {
    grpc,
    inject: (socket, peer) => {
      injected = peer;
      injector.injectConnection(socket);
      assertInvariant(injected === undefined, "injecting a socket starts its HTTP/2 session");
    },
    takeCall: (id) => calls.get(id),
    drain: async () => {
      await Promise.all([...sessions].map(closeSession));
    },
    destroy: () => {
      for (const session of sessions) session.destroy();
      grpc.forceShutdown();
    },
  };
}

function closeSession(session: ServerHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    session.once("close", resolve);
    if (!session.closed) session.close();
  });
}

/** Also counts DATA frames, which grpc-js keeps one by one until a message is whole. */
function bindCall(stream: ServerHttp2Stream, peer: Peer): CallBinding {
  let frameCount = 0;
  const reset = (): void => stream.close(http2.constants.NGHTTP2_CANCEL);
  // grpc-js pauses the stream right after this, so listening here lets nothing flow.
  stream.on("data", () => {
    frameCount += 1;
    if (frameCount > MAX_FRAMES_PER_MESSAGE) {
      stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
  });
  return {
    peer,
    messageRead: () => {
      frameCount = 0;
    },
    reset,
    onClose: (action) => {
      if (stream.closed) action();
      else stream.once("close", action);
    },
  };
}

/**
 * grpc-js 1.14.7 has no option for the windows and header limit of its HTTP/2 server, and shows neither sessions nor
 * streams. It makes that server by a call on the `http2` module object, which is ours for as long as `create` runs.
 */
function withHttp2Options<T>(
  onSession: (session: ServerHttp2Session) => void,
  passStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => boolean,
  create: () => T,
): T {
  const original = http2.createServer;
  let madeCount = 0;
  const replacement = (options: http2.ServerOptions): http2.Http2Server => {
    const server = original({
      ...options,
      settings: {
        initialWindowSize: WINDOW_BYTES,
        maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
        maxHeaderListSize: MAX_HEADER_LIST_BYTES,
        enablePush: false,
      },
    });
    // Before grpc-js adds its own listener: ours must come first.
    server.on("session", onSession);
    const emit = server.emit.bind(server) as (event: string, ...given: unknown[]) => boolean;
    const filtered: typeof emit = (event, ...given) => {
      if (event !== "stream") return emit(event, ...given);
      const [stream, headers] = given as Parameters<typeof passStream>;
      return passStream(stream, headers) && emit(event, ...given);
    };
    Object.assign(server, { emit: filtered });
    madeCount += 1;
    return server;
  };
  Object.assign(http2, { createServer: replacement });
  try {
    return create();
  } finally {
    Object.assign(http2, { createServer: original });
    assertInvariant(madeCount === 1, "grpc-js makes its HTTP/2 server by http2.createServer");
  }
}
