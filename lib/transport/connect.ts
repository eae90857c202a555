/** The calling end: a connection to one peer that is made when needed and again when lost, and calls on it. */
import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  logVerbosity,
  Metadata,
  type StatusObject,
  setLogVerbosity,
  status,
} from "@grpc/grpc-js";
import type { Clock } from "../base/clock.ts";
import { MAX_MESSAGE_BYTES } from "../base/limits.ts";
import { describeError, type Log } from "../base/log.ts";
import { RefusedError } from "../base/refusal.ts";
import type { FederationTrust } from "../provisioning/member-certificate.ts";
import { formatTarget, parseAddress } from "./address.ts";
import { within } from "./deadline.ts";
import { failureOf } from "./failure.ts";
import { type FirstContact, plainFirstContact } from "./first-contact.ts";
import {
  KEEPALIVE_INTERVAL_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_RECONNECT_MS,
  MIN_RECONNECT_MS,
  UNARY_TIMEOUT_MS,
  WINDOW_BYTES,
} from "./limits.ts";
import type { MemberPeer } from "./peer.ts";
import {
  clientCodec,
  type Decoded,
  type ReceivedResponseOf,
  type RpcName,
  type RpcNameOf,
  rpcPath,
  type SentRequestOf,
} from "./rpcs.ts";
import { type ExpectedPeer, FederationCredentials } from "./secure-connector.ts";
import { CallStream, type MessageStream } from "./stream.ts";
import type { TlsIdentity } from "./tls-identity.ts";
import { TransportError } from "./transport-error.ts";

export type ConnectOptions = {
  /** "host:port"; an IPv6 address in brackets. */
  readonly address: string;
  /** Asked at each handshake: return the newest certificate. */
  readonly identity: () => TlsIdentity;
  readonly trust: FederationTrust;
  readonly expect: ExpectedPeer;
  readonly firstContact?: FirstContact;
  readonly clock: Clock;
  readonly log: Log;
};

/** The calling end of a stream. Its reader and writer throw RefusedError or TransportError when the call fails. */
export type ClientStream<In, Out> = MessageStream<In, Out> & {
  /** Sends no more; reading goes on. */
  readonly endWrites: () => void;
  /** Ends the call at once; harmless when it is over. */
  readonly cancel: () => void;
};

/**
 * Every method throws RefusedError with the peer's reasons, or TransportError "unreachable" | "handshake-failed" |
 * "wrong-peer" | "closed" | "timeout" | "malformed-message" | "failed", or ProvisioningError if the peer's
 * certificate is none of this federation.
 */
export type Connection = {
  readonly address: string;
  /** Who answers, once a call has been answered. */
  readonly peer: () => MemberPeer | undefined;
  readonly unary: <N extends RpcNameOf<"unary">>(
    name: N,
    request: SentRequestOf<N>,
    options?: CallOptions,
  ) => Promise<ReceivedResponseOf<N>>;
  readonly serverStream: <N extends RpcNameOf<"server-stream">>(
    name: N,
    request: SentRequestOf<N>,
  ) => ClientStream<ReceivedResponseOf<N>, never>;
  readonly bidi: <N extends RpcNameOf<"bidi">>(
    name: N,
  ) => ClientStream<ReceivedResponseOf<N>, SentRequestOf<N>>;
  /** Cancels what is open and frees everything; later calls throw TransportError "closed". */
  readonly close: () => void;
};

export type CallOptions = {
  /** For the whole call; 30 s if unset. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

/**
 * A connection, made at the first call and again by later calls if it was lost. A call never waits for a peer
 * that cannot be reached: it fails, and who called decides when to try again.
 * @throws TransportError "bad-address"
 */
export function connect(options: ConnectOptions): Connection {
  const { address, clock, log } = options;
  setLogVerbosity(logVerbosity.NONE);
  const credentials = new FederationCredentials({
    firstContact: plainFirstContact,
    ...options,
  });
  const client = new Client(formatTarget(parseAddress(address)), credentials, CHANNEL_OPTIONS);
  const open = new Set<{ readonly cancel: () => void }>();
  let closed = false;

  function start<N extends RpcName>(
    name: N,
  ): ClientStream<ReceivedResponseOf<N>, SentRequestOf<N>> {
    if (closed) throw new TransportError("closed", `${name}: the connection was closed by us`);
    const { encode, decode } = clientCodec(name);
    const calling = `${name} at ${address}`;
    const call: GrpcCall = client.makeBidiStreamRequest(
      rpcPath(name),
      encode as (message: unknown) => Buffer,
      decode,
      new Metadata(),
    );
    const stream = new CallStream<ReceivedResponseOf<N>, SentRequestOf<N>>(
      call,
      (why) => new TransportError("malformed-message", `${calling}: ${why}`),
    );
    stream.startReading();
    let answered = false;
    const handle = {
      read: () => stream.read(),
      write: (message: SentRequestOf<N>) => stream.write(message),
      signal: stream.signal,
      endWrites: () => void call.end(),
      cancel: () => call.cancel(),
    };
    open.add(handle);
    call.on("metadata", () => {
      answered = true;
    });
    // The status event says the same; without a listener the error event would stop the process.
    call.on("error", () => {});
    call.on("status", (received: StatusObject) => {
      open.delete(handle);
      if (received.code === status.OK) {
        stream.finish(new TransportError("closed", `${calling}: the peer has ended the call`));
        return;
      }
      const error = answered ? failureOf(received, calling) : unanswered(received, calling);
      log.debug("call.failed", { rpc: name, address, error: describeError(error) });
      stream.fail(error);
    });
    return handle;
  }

  /** Why a call had no answer at all: often there is no connection, and the credentials know more of it. */
  function unanswered(received: StatusObject, calling: string): Error {
    const failure = failureOf(received, calling);
    if (failure instanceof RefusedError || received.code !== status.UNAVAILABLE) return failure;
    if (credentials.lastFailure !== undefined) return credentials.lastFailure;
    if (credentials.peer === undefined) {
      const why = `${calling}: cannot be reached (${received.details}); is it running there?`;
      return new TransportError("unreachable", why);
    }
    return new TransportError(
      "closed",
      `${calling}: the connection was closed before an answer; if that repeats, the peer does not accept our ` +
        `certificate (its log says why under "peer.refused")`,
    );
  }

  return {
    address,
    peer: () => credentials.peer,
    unary: async (name, request, callOptions = {}) =>
      callUnary(start(name), `${name} at ${address}`, request, callOptions, clock),
    serverStream: (name, request) => {
      const stream = start(name);
      stream.write(request).then(stream.endWrites, () => {});
      return stream;
    },
    bidi: (name) => start(name),
    close: () => {
      if (closed) return;
      closed = true;
      for (const stream of open) stream.cancel();
      client.close();
      credentials.destroySockets();
    },
  };
}

type GrpcCall = ClientDuplexStream<unknown, Decoded<unknown>>;

const CHANNEL_OPTIONS: ChannelOptions = {
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_retries": 0,
  "grpc.enable_channelz": 0,
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  "grpc-node.flow_control_window": WINDOW_BYTES,
  "grpc.keepalive_time_ms": KEEPALIVE_INTERVAL_MS,
  "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": MIN_RECONNECT_MS,
  "grpc.min_reconnect_backoff_ms": MIN_RECONNECT_MS,
  "grpc.max_reconnect_backoff_ms": MAX_RECONNECT_MS,
};

/** One request, one response, and a good status after it. */
async function callUnary<In, Out>(
  stream: ClientStream<In, Out>,
  calling: string,
  request: Out,
  { timeoutMs = UNARY_TIMEOUT_MS, signal }: CallOptions,
  clock: Clock,
): Promise<In> {
  const exchange = async (): Promise<In> => {
    await stream.write(request);
    stream.endWrites();
    const response = await stream.read();
    if (response === undefined || (await stream.read()) !== undefined) {
      throw new TransportError("unexpected-message", `${calling}: not exactly one response`);
    }
    return response;
  };
  signal?.addEventListener("abort", stream.cancel, { once: true });
  if (signal?.aborted) stream.cancel();
  try {
    return await within(
      clock,
      timeoutMs,
      exchange(),
      () => new TransportError("timeout", `${calling}: no answer within ${timeoutMs} ms`),
    );
  } finally {
    signal?.removeEventListener("abort", stream.cancel);
    stream.cancel();
  }
}
