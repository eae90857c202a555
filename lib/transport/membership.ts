/** A member's standing in its federation: a certificate that is renewed in time, and the connection to the reducer. */

import { backoffMs, drawJitter } from "../base/backoff.ts";
import type { CancelTimer, Clock } from "../base/clock.ts";
import type { FederationId, Name, UnixMs } from "../base/ids.ts";
import type { SigningKey } from "../base/keys.ts";
import { describeError, type Log } from "../base/log.ts";
import type { Randomness } from "../base/randomness.ts";
import { RefusedError } from "../base/refusal.ts";
import { type FederationTrust, selfSignedIdentity } from "../provisioning/member-certificate.ts";
import type { EnrollableRole } from "../provisioning/statement.ts";
import { type Connection, connect } from "./connect.ts";
import { delay } from "./delay.ts";
import type { MemberHome } from "./member-home.ts";
import type { TlsIdentity } from "./tls-identity.ts";

export type Membership = {
  readonly member: Name;
  readonly role: EnrollableRole;
  readonly federationId: FederationId;
  readonly trust: FederationTrust;
  readonly key: SigningKey;
  /** The newest certificate; ask each time. */
  readonly identity: () => TlsIdentity;
  /** Calls `listener` after each renewal, for listeners that present the certificate. */
  readonly onRenewal: (listener: (identity: TlsIdentity) => void) => void;
  /** Over mutual TLS with the member's certificate. */
  readonly reducer: Connection;
  readonly close: () => void;
};

export type MembershipOptions = {
  readonly home: MemberHome;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  /** Gives up joining. */
  readonly signal?: AbortSignal;
  /** Attempts to reach the reducer before giving up; unset means for ever. */
  readonly maxAttempts?: number;
};

type Issued = { readonly identity: TlsIdentity; readonly expiresAtMs: UnixMs };

const JOIN_VERSION = 1;
/** A certificate is renewed when this part of its life is over. */
const RENEWAL_POINT = 2 / 3;
const MIN_RENEWAL_DELAY_MS = 1_000;

/**
 * Joins, waiting for a reducer that cannot be reached; a refusal is final.
 * @throws RefusedError with every reason | ProvisioningError when the reducer is not the federation's
 * @throws the signal's reason
 */
export async function joinFederation(options: MembershipOptions): Promise<Membership> {
  const { home, clock, log } = options;
  const { descriptor, key, member, role } = home;
  const { federationId, caCertificate, reducerAddress: address } = descriptor;
  const trust: FederationTrust = { federationId, caCertificate };
  let issued = await joinPatiently(options, trust);
  const renewalListeners: ((identity: TlsIdentity) => void)[] = [];
  const closing = new AbortController();
  let cancelRenewal: CancelTimer = () => {};

  const identity = () => issued.identity;
  const expect = { role: "reducer" } as const;
  const reducer = connect({ address, identity, trust, expect, clock, log });

  function scheduleRenewal(): void {
    const remainingMs = issued.expiresAtMs - clock.untrustedNowMs();
    const delayMs = Math.max(MIN_RENEWAL_DELAY_MS, remainingMs * RENEWAL_POINT);
    cancelRenewal = clock.after(delayMs, () => {
      renew().catch((error) =>
        log.error("certificate.not-renewed", { error: describeError(error) }),
      );
    });
  }

  async function renew(): Promise<void> {
    issued = await joinPatiently({ ...options, signal: closing.signal }, trust);
    log.info("certificate.renewed", { member });
    for (const listener of renewalListeners) listener(issued.identity);
    scheduleRenewal();
  }

  scheduleRenewal();
  return {
    member,
    role,
    federationId,
    trust,
    key,
    identity,
    onRenewal: (listener) => renewalListeners.push(listener),
    reducer,
    close: () => {
      cancelRenewal();
      closing.abort(new Error("the membership was closed"));
      reducer.close();
    },
  };
}

async function joinPatiently(options: MembershipOptions, trust: FederationTrust): Promise<Issued> {
  const { home, clock, randomness, log, signal, maxAttempts = Number.POSITIVE_INFINITY } = options;
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await joinOnce(options, trust);
    } catch (error) {
      if (!isWorthRetrying(error) || attempt >= maxAttempts) throw error;
      const delayMs = backoffMs(attempt, drawJitter(randomness));
      const address = home.descriptor.reducerAddress;
      log.warn("reducer.unreachable", { address, error: describeError(error), retryInMs: delayMs });
      await delay(clock, delayMs, signal);
    }
  }
}

async function joinOnce(
  { home, clock, log, signal }: MembershipOptions,
  trust: FederationTrust,
): Promise<Issued> {
  const { descriptor, key, statement } = home;
  const joining = selfSignedIdentity(key.privateKey);
  const connection = connect({
    address: descriptor.reducerAddress,
    identity: () => joining,
    trust,
    expect: { role: "reducer" },
    clock,
    log,
  });
  try {
    const request = { version: JOIN_VERSION, statement };
    const options = signal === undefined ? {} : { signal };
    const answer = await connection.unary("Provisioning.Join", request, options);
    const certificateChain = answer.certificateChain.map((der) => Uint8Array.from(der));
    return {
      identity: { privateKey: key.privateKey, certificateChain },
      expiresAtMs: answer.expiresAtMs as UnixMs,
    };
  } finally {
    connection.close();
  }
}

/** Not worth it: what the reducer refused for good, or a peer that is not our reducer. */
function isWorthRetrying(error: unknown): boolean {
  if (error instanceof RefusedError) {
    return error.refusals.every(({ code }) => code === "busy" || code === "shutting-down");
  }
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return ["unreachable", "closed", "timeout", "handshake-failed"].includes(String(code));
}
