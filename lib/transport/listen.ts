/** The listening end: TLS and verdict (accept.ts), then grpc-js on the socket (http2-server.ts), then handlers. */
import { setMaxListeners } from "node:events";
import type {
  MethodDefinition,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { assertInvariant, RefusedError, refusal } from "../base/refusal.ts";
import type { FederationTrust } from "../provisioning/member-certificate.ts";
import { accept } from "./accept.ts";
import { atMost } from "./deadline.ts";
import { type FirstContact, plainFirstContact } from "./first-contact.ts";
import { createGrpcServer } from "./http2-server.ts";
import { CONNECTION_LIMITS, type ConnectionLimits } from "./limits.ts";
import { RPC_NAMES, RPCS, type RpcName, rpcPath, serverCodec } from "./rpcs.ts";
import {
  type AnyHandler,
  type GrpcCall,
  type Handler,
  type ServingContext,
  serveCall,
} from "./serve-call.ts";
import { type StatusTable, TRANSPORT_STATUSES } from "./status-table.ts";
import type { TlsIdentity } from "./tls-identity.ts";

export type Handlers = { readonly [N in RpcName]?: Handler<N> };

export type ListenOptions = {
  /** An address of this machine, or "0.0.0.0" or "::" for all. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** What peers see until `rotate`. */
  readonly identity: TlsIdentity;
  readonly trust: FederationTrust;
  /** Whether peers with only a self-signed certificate may connect, for the rpcs that name "joining". */
  readonly admitsJoining: boolean;
  readonly handlers: Handlers;
  /** The role's own rows: code → gRPC status. */
  readonly statuses?: StatusTable;
  readonly limits?: Partial<ConnectionLimits>;
  readonly firstContact?: FirstContact;
  readonly clock: Clock;
  readonly log: Log;
};

export type Listener = {
  readonly host: string;
  readonly port: number;
  /** Presents another certificate to connections from now on; those that stand, and their calls, go on. */
  readonly rotate: (identity: TlsIdentity) => void;
  readonly connectionCount: () => number;
  /**
   * Accepts nothing new, lets calls finish for up to `graceMs`, then aborts the rest ("shutting-down") and drops every
   * connection. Long streams do not finish by themselves: whoever serves them ends them first.
   */
  readonly close: (graceMs: number) => Promise<void>;
};

/** @throws TransportError "cannot-listen" */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { clock, log } = options;
  const handlers = registered(options.handlers, options.admitsJoining);
  const server = createGrpcServer(new Set(handlers.map(({ name }) => rpcPath(name))));
  const closing = new AbortController();
  // One listener for each open call; Node would take more than ten for a leak.
  setMaxListeners(0, closing.signal);
  const open = new OpenCalls();
  const context: ServingContext = {
    clock,
    log,
    statuses: { ...TRANSPORT_STATUSES, ...options.statuses },
    takeCall: server.takeCall,
    closing: closing.signal,
  };
  const { definition, implementation } = grpcService(handlers, (handler, call) =>
    open.track(serveCall(handler, call, context)),
  );
  server.grpc.addService(definition, implementation);
  const acceptor = await accept({
    ...options,
    callers: new Set(handlers.flatMap(({ callers }) => callers)),
    limits: { ...CONNECTION_LIMITS, ...options.limits },
    firstContact: options.firstContact ?? plainFirstContact,
    onPeer: server.inject,
  });
  log.info("listener.started", { host: acceptor.host, port: acceptor.port });

  async function close(graceMs: number): Promise<void> {
    acceptor.stop();
    const drained = server.drain();
    if (graceMs > 0) await atMost(clock, graceMs, drained);
    closing.abort(new RefusedError(refusal("shutting-down", "an open call", "another peer")));
    // One turn for handlers to stop and for their last words to leave; one that does not stop is left behind.
    await Promise.race([open.none(), new Promise((resolve) => setImmediate(resolve))]);
    server.destroy();
    await acceptor.destroy();
    log.info("listener.closed", { host: acceptor.host, port: acceptor.port });
  }

  const { host, port, rotate, connectionCount } = acceptor;
  let closed: Promise<void> | undefined;
  return {
    host,
    port,
    rotate,
    connectionCount,
    close: (graceMs) => {
      closed ??= close(graceMs);
      return closed;
    },
  };
}

/** The handlers as a list. What is wrong here is wrong in our own code, so it stops the process. */
function registered(handlers: Handlers, admitsJoining: boolean): AnyHandler[] {
  return RPC_NAMES.flatMap((name) => {
    const handler = handlers[name];
    if (handler === undefined) return [];
    const { kind, callers } = RPCS[name];
    assertInvariant(handler.callers.length > 0, `somebody may call ${name}`);
    for (const caller of handler.callers) {
      assertInvariant(callers.includes(caller), `a ${caller} may call ${name}`);
      assertInvariant(caller !== "joining" || admitsJoining, `${name} needs admitsJoining`);
    }
    const handle = handler.handle as AnyHandler["handle"];
    return [{ name, kind, callers: handler.callers, handle }];
  });
}

/**
 * To grpc-js every rpc is a stream both ways: the same on the wire, and one path through our own code. Only the
 * serving half of each definition is used.
 */
function grpcService(
  handlers: readonly AnyHandler[],
  serve: (handler: AnyHandler, call: GrpcCall) => void,
): { definition: ServiceDefinition; implementation: UntypedServiceImplementation } {
  const definition: Record<string, MethodDefinition<unknown, unknown>> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const handler of handlers) {
    const { encode, decode } = serverCodec(handler.name);
    definition[handler.name] = {
      path: rpcPath(handler.name),
      requestStream: true,
      responseStream: true,
      requestSerialize: notUsed,
      requestDeserialize: decode,
      responseSerialize: encode as (message: unknown) => Buffer,
      responseDeserialize: notUsed,
    };
    implementation[handler.name] = (call: GrpcCall) => serve(handler, call);
  }
  return { definition, implementation };
}

const notUsed = (): never => {
  throw new TypeError("a listener does not call");
};

/** Calls that are being served. */
class OpenCalls {
  readonly #calls = new Set<Promise<void>>();

  track(call: Promise<void>): void {
    this.#calls.add(call);
    void call.finally(() => this.#calls.delete(call));
  }

  /** Resolves once all calls that are open now have ended. */
  async none(): Promise<void> {
    await Promise.all(this.#calls);
  }
}
