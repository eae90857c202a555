/** TCP and TLS at the listening end: caps, deadlines, our verdict on the peer, and cutting it off when due. */
import type { AddressInfo, Socket, Server as TcpServer } from "node:net";
import { createServer as createTcpServer } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { CancelTimer, Clock } from "../base/clock.ts";
import { describeError, type Log } from "../base/log.ts";
import { InvariantError } from "../base/refusal.ts";
import type { FederationTrust } from "../provisioning/member-certificate.ts";
import { ConnectionCounts, type ConnectionPlace } from "./connection-counts.ts";
import { at, within } from "./deadline.ts";
import { type FirstContact, meet } from "./first-contact.ts";
import {
  type ConnectionLimits,
  HANDSHAKE_TIMEOUT_MS,
  MAX_JOINING_CONNECTION_MS,
} from "./limits.ts";
import { type Caller, callerOf, type Peer, validUntilMs, verifyPeer } from "./peer.ts";
import { ALPN, type TlsIdentity, tlsOptions } from "./tls-identity.ts";
import { TransportError } from "./transport-error.ts";

export type AcceptOptions = {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly identity: TlsIdentity;
  readonly trust: FederationTrust;
  /** Whom some rpc serves; nobody else gets past the handshake. */
  readonly callers: ReadonlySet<Caller>;
  readonly limits: ConnectionLimits;
  readonly firstContact: FirstContact;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes over a socket whose peer is verified. */
  readonly onPeer: (socket: TLSSocket, peer: Peer) => void;
};

export type Acceptor = {
  readonly host: string;
  readonly port: number;
  /** Connections of all kinds, unfinished handshakes included. */
  readonly connectionCount: () => number;
  /** New connections see this identity; those that stand are left alone. */
  readonly rotate: (identity: TlsIdentity) => void;
  /** Accepts no more and drops unfinished handshakes. */
  readonly stop: () => void;
  /** Drops every connection; resolves when all are gone. */
  readonly destroy: () => Promise<void>;
};

/** A connection whose peer is not known yet. */
type Handshake = {
  readonly socket: Socket;
  readonly place: ConnectionPlace;
  readonly cancelTimer: CancelTimer;
};

/** @throws TransportError "cannot-listen" */
export async function accept(options: AcceptOptions): Promise<Acceptor> {
  const { clock, log } = options;
  const counts = new ConnectionCounts(options.limits);
  const sockets = new Set<Socket>();
  const handshakes = new Map<string, Handshake>();
  // Never listens itself: it only speaks TLS on the sockets we admit.
  const tls = createTlsServer({
    ...tlsOptions(options.identity),
    requestCert: true,
    // Every certificate passes here, for the verdict is ours: see verifyPeer.
    rejectUnauthorized: false,
    ALPNProtocols: [ALPN],
    // Our own timer below is the one that counts; Node's is there in case of a mistake in it.
    handshakeTimeout: 2 * HANDSHAKE_TIMEOUT_MS,
  });
  const tcp = createTcpServer({ noDelay: true });

  tcp.on("connection", (socket) => {
    socket.on("error", ignore);
    const key = endpointKey(socket);
    const place = handshakes.has(key) ? undefined : counts.enter(socket.remoteAddress ?? "");
    if (place === undefined) {
      log.debug("peer.turned-away", { address: socket.remoteAddress });
      return void socket.destroy();
    }
    sockets.add(socket);
    const cancelTimer = clock.after(HANDSHAKE_TIMEOUT_MS, () => socket.destroy());
    const handshake = { socket, place, cancelTimer };
    handshakes.set(key, handshake);
    socket.once("close", () => {
      cancelTimer();
      place.leave();
      sockets.delete(socket);
      if (handshakes.get(key) === handshake) handshakes.delete(key);
    });
    tls.emit("connection", socket);
  });
  tls.on("tlsClientError", (error, socket) => {
    log.debug("peer.handshake-failed", { error: describeError(error) });
    socket.destroy();
  });
  tls.on("secureConnection", (socket) => {
    socket.on("error", ignore);
    const key = endpointKey(socket);
    const handshake = handshakes.get(key);
    if (handshake === undefined) return void socket.destroy();
    admitPeer(socket, handshake, options).then(
      () => handshakes.delete(key),
      (error: unknown) => {
        const address = handshake.socket.remoteAddress;
        log.info("peer.refused", { address, error: describeError(error) });
        socket.destroy();
        if (error instanceof InvariantError) throw error;
      },
    );
  });

  const address = await startListening(tcp, options.host, options.port);
  return {
    host: address.address,
    port: address.port,
    connectionCount: () => sockets.size,
    rotate: (identity) => tls.setSecureContext(tlsOptions(identity)),
    stop: () => {
      tcp.close();
      for (const { socket } of handshakes.values()) socket.destroy();
    },
    destroy: async () => {
      tcp.close();
      await Promise.all([...sockets].map(destroySocket));
    },
  };
}

/** From the end of TLS to HTTP/2. Everything that may be slow here runs against the handshake's timer. */
async function admitPeer(
  socket: TLSSocket,
  handshake: Handshake,
  options: AcceptOptions,
): Promise<void> {
  const { clock, log, callers } = options;
  const peer = verifyPeer(socket, options.trust, callers.has("joining"), clock.untrustedNowMs());
  const caller = callerOf(peer);
  if (!callers.has(caller)) {
    throw new TransportError("role-not-served", `nothing here serves a ${caller}`);
  }
  await within(
    clock,
    HANDSHAKE_TIMEOUT_MS,
    meet(options.firstContact, socket, "listener"),
    () => new TransportError("timeout", "first contact took too long"),
  );
  if (socket.destroyed) return;
  if (!handshake.place.verified(peer)) {
    throw new TransportError("too-many-connections", `no place is left for this ${caller}`);
  }
  handshake.cancelTimer();
  const endMs = validUntilMs(peer) ?? clock.untrustedNowMs() + MAX_JOINING_CONNECTION_MS;
  const cancelEnd = at(clock, endMs, () => {
    log.info("peer.expired", { address: peer.remoteAddress, caller });
    socket.destroy();
  });
  socket.once("close", cancelEnd);
  options.onPeer(socket, peer);
}

async function startListening(tcp: TcpServer, host: string, port: number): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    tcp.once("error", (cause) => {
      const why = `cannot listen on ${host}:${port} (${cause.message}); choose another address`;
      reject(new TransportError("cannot-listen", why, { cause }));
    });
    tcp.listen({ host, port }, resolve);
  });
  // Running out of file descriptors is reported here; the next connection may find one again.
  tcp.on("error", ignore);
  return tcp.address() as AddressInfo;
}

function destroySocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    socket.destroy();
  });
}

/**
 * Finds the TCP socket under a TLS socket, which Node does not tell. Unique among unfinished handshakes, since a second
 * one is turned away; a host that lies about addresses can only make connections fail.
 */
const endpointKey = (socket: Socket): string =>
  [socket.localAddress, socket.localPort, socket.remoteAddress, socket.remotePort].join(" ");

/** Errors of a socket are followed by its close, which is what we act on. */
function ignore(): void {}
