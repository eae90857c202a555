/**
 * TLS at the calling end, under grpc-js's channel. The hook it uses is experimental in grpc-js 1.14.7; the version is
 * pinned and test/connect.test.ts fails if a new one works differently.
 */
import type { Socket } from "node:net";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { CallCredentials, ChannelCredentials, type experimental } from "@grpc/grpc-js";
import type { Clock } from "../base/clock.ts";
import type { Digest, Name, Role } from "../base/ids.ts";
import type { FederationTrust } from "../provisioning/member-certificate.ts";
import { at, within } from "./deadline.ts";
import { type FirstContact, meet } from "./first-contact.ts";
import { HANDSHAKE_TIMEOUT_MS } from "./limits.ts";
import { type MemberPeer, validUntilMs, verifyPeer } from "./peer.ts";
import { ALPN, type TlsIdentity, tlsOptions } from "./tls-identity.ts";
import { TransportError } from "./transport-error.ts";

/** Whom the caller wants at the other end; everything that is set must match. */
export type ExpectedPeer = {
  readonly role: Role;
  /** The very key, as a signed assignment or a descriptor names it. */
  readonly spkiDigest?: Digest;
  readonly member?: Name;
};

export type ConnectorOptions = {
  /** Asked at each handshake, so that a renewed certificate is used without a new connection object. */
  readonly identity: () => TlsIdentity;
  readonly trust: FederationTrust;
  readonly expect: ExpectedPeer;
  readonly firstContact: FirstContact;
  readonly clock: Clock;
  /** For messages: host:port. */
  readonly address: string;
};

/** Channel credentials that connect and judge as we do; they remember how the last attempt went. */
export class FederationCredentials extends ChannelCredentials {
  readonly #options: ConnectorOptions;
  readonly #sockets = new Set<Socket>();
  #lastFailure: Error | undefined;
  #peer: MemberPeer | undefined;

  constructor(options: ConnectorOptions) {
    super();
    this.#options = options;
  }

  /** Why the newest attempt failed after TCP had connected; undefined if it did not. */
  get lastFailure(): Error | undefined {
    return this.#lastFailure;
  }

  /** The verified peer of the newest connection. */
  get peer(): MemberPeer | undefined {
    return this.#peer;
  }

  /** Drops every connection made with these credentials. */
  destroySockets(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    _target: unknown,
    _options: unknown,
    callCredentials?: CallCredentials,
  ): experimental.SecureConnector {
    return {
      connect: async (tcp) => ({ socket: await this.#connect(tcp), secure: true }),
      // Called at the start of each attempt, before TCP.
      waitForReady: async () => {
        this.#lastFailure = undefined;
        this.#peer = undefined;
      },
      getCallCredentials: () => callCredentials ?? CallCredentials.createEmpty(),
      destroy: () => {},
    };
  }

  async #connect(tcp: Socket): Promise<TLSSocket> {
    this.#sockets.add(tcp);
    tcp.once("close", () => this.#sockets.delete(tcp));
    tcp.on("error", ignore);
    try {
      const { socket, peer } = await within(
        this.#options.clock,
        HANDSHAKE_TIMEOUT_MS,
        this.#handshake(tcp),
        () => new TransportError("timeout", `${this.#options.address} does not finish TLS`),
      );
      this.#peer = peer;
      return socket;
    } catch (error) {
      tcp.destroy();
      this.#lastFailure = error instanceof Error ? error : new Error("not an Error");
      throw error;
    }
  }

  async #handshake(tcp: Socket): Promise<{ socket: TLSSocket; peer: MemberPeer }> {
    const { clock, firstContact } = this.#options;
    const socket = await this.#startTls(tcp);
    const peer = this.#verify(socket);
    await meet(firstContact, socket, "connector");
    if (socket.destroyed) throw this.#failed("the connection was closed");
    const cancelExpiry = at(clock, validUntilMs(peer) ?? 0, () => socket.destroy());
    socket.once("close", cancelExpiry);
    return { socket, peer };
  }

  #startTls(tcp: Socket): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const socket = tlsConnect({
        ...tlsOptions(this.#options.identity()),
        socket: tcp,
        ALPNProtocols: [ALPN],
        // No name is asked for or checked: the peer is who its certificate says (verifyPeer), wherever it is reached.
        servername: "",
        rejectUnauthorized: false,
      });
      // Stays for the life of the socket: an error that nobody listens for would stop the process.
      socket.on("error", (error) => reject(this.#failed(error.message, error)));
      socket.once("close", () => reject(this.#failed("the peer closed the connection")));
      socket.once("secureConnect", () => resolve(socket));
    });
  }

  #verify(socket: TLSSocket): MemberPeer {
    const { trust, expect, clock, address } = this.#options;
    const peer = verifyPeer(socket, trust, false, clock.untrustedNowMs());
    const mismatch = (what: string, seen: string, wanted: string): TransportError =>
      new TransportError(
        "wrong-peer",
        `${address} is not the peer it should be: its ${what} is ${seen}, wanted ${wanted}`,
      );
    if (peer.kind !== "member") throw mismatch("certificate", "self-signed", "a member's");
    if (peer.role !== expect.role) throw mismatch("role", peer.role, expect.role);
    if (expect.member !== undefined && peer.member !== expect.member) {
      throw mismatch("name", peer.member, expect.member);
    }
    if (expect.spkiDigest !== undefined && peer.spkiDigest !== expect.spkiDigest) {
      throw mismatch("key", peer.spkiDigest, expect.spkiDigest);
    }
    return peer;
  }

  #failed(why: string, cause?: Error): TransportError {
    const text = `no TLS 1.3 with ${this.#options.address}: ${why}; is it a Fedclave listener?`;
    return new TransportError("handshake-failed", text, { cause });
  }
}

function ignore(): void {}
