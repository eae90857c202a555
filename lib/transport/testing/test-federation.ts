import type { FederationId, Name, Role, UnixMs } from "../../base/ids.ts";
import { generateSigningKey, type SigningKey } from "../../base/keys.ts";
import { silentLog } from "../../base/log.ts";
import { type FakeClock, fakeClock } from "../../base/testing/fake-clock.ts";
import { type FederationTrust, selfSignedIdentity } from "../../provisioning/member-certificate.ts";
import { testAuthority } from "../../provisioning/testing/test-authority.ts";
import { type Connection, type ConnectOptions, connect } from "../connect.ts";
import { type Handlers, type Listener, type ListenOptions, listen } from "../listen.ts";
import type { TlsIdentity } from "../tls-identity.ts";

/** A federation whose members talk over loopback under one fake clock. */
export type TestFederation = {
  readonly clock: FakeClock;
  readonly trust: FederationTrust;
  /** A member's certificate, valid for an hour unless told otherwise. */
  readonly identity: (role: Role, member: string, options?: IdentityOptions) => TlsIdentity;
  readonly listen: (handlers: Handlers, options?: Partial<ListenOptions>) => Promise<Listener>;
  /** A connection to a listener of the role "combiner" unless told otherwise. */
  readonly connect: (
    listener: Pick<Listener, "port">,
    identity: TlsIdentity,
    options?: Partial<ConnectOptions>,
  ) => Connection;
  /** Closes all that was opened. */
  readonly close: () => Promise<void>;
};

export type IdentityOptions = { readonly lifetimeMs?: number; readonly key?: SigningKey };

const LIFETIME_MS = 3_600_000;

export function testFederation(federationId?: FederationId, clock = fakeClock()): TestFederation {
  const { authority, trust } = testAuthority(clock.untrustedNowMs(), federationId);
  const listeners: Listener[] = [];
  const connections: Connection[] = [];

  const identity: TestFederation["identity"] = (role, member, options = {}) => {
    const key = options.key ?? generateSigningKey();
    const { certificateChain } = authority.issueCertificate({
      role,
      member: member as Name,
      publicKeyDer: key.publicKeyDer,
      lifetimeMs: options.lifetimeMs ?? LIFETIME_MS,
      untrustedNowMs: clock.untrustedNowMs() as UnixMs,
    });
    return { privateKey: key.privateKey, certificateChain };
  };
  return {
    clock,
    trust,
    identity,
    listen: async (handlers, options = {}) => {
      const listener = await listen({
        host: "127.0.0.1",
        port: 0,
        identity: identity("combiner", "combiner-1"),
        trust,
        admitsJoining: false,
        handlers,
        clock,
        log: silentLog,
        ...options,
      });
      listeners.push(listener);
      return listener;
    },
    connect: (listener, own, options = {}) => {
      const connection = connect({
        address: `127.0.0.1:${listener.port}`,
        identity: () => own,
        trust,
        expect: { role: "combiner" },
        clock,
        log: silentLog,
        ...options,
      });
      connections.push(connection);
      return connection;
    },
    close: async () => {
      for (const connection of connections) connection.close();
      await Promise.all(listeners.map((listener) => listener.close(0)));
    },
  };
}

/** A fresh self-signed certificate, as a joining peer has. */
export const joiningIdentity = (): TlsIdentity =>
  selfSignedIdentity(generateSigningKey().privateKey);
