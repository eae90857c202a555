/** Who is at the other end of a connection, as TLS proved it. */
import type { TLSSocket } from "node:tls";
import type { Digest, Role, UnixMs } from "../base/ids.ts";
import {
  type FederationTrust,
  isSelfSigned,
  joiningKey,
  type MemberIdentity,
  verifyMemberCertificate,
} from "../provisioning/member-certificate.ts";
import { ALPN } from "./tls-identity.ts";
import { TransportError } from "./transport-error.ts";

export type MemberPeer = { readonly kind: "member" } & MemberIdentity & Remote;

/** Holds a key, and has no certificate for it yet. */
export type JoiningPeer = {
  readonly kind: "joining";
  /** SubjectPublicKeyInfo, DER, 91 bytes. */
  readonly publicKeyDer: Uint8Array;
  readonly spkiDigest: Digest;
} & Remote;

type Remote = {
  /** For people and logs; the network says so, nobody proved it. */
  readonly remoteAddress: string;
};

export type Peer = MemberPeer | JoiningPeer;

/** Who may call an rpc. */
export type Caller = Role | "joining";

/** What a peer counts as in the tables of who may call. */
export const callerOf = (peer: Peer): Caller => (peer.kind === "member" ? peer.role : "joining");

/** The first instant at which the peer's certificate no longer counts; undefined for a joining peer. */
export const validUntilMs = (peer: Peer): number | undefined =>
  // The last second counts in full (RFC 5280 §4.1.2.5).
  peer.kind === "member" ? peer.notAfterMs + 1000 : undefined;

/**
 * The verdict on a peer after the TLS handshake. TLS itself accepted any certificate, so nothing may happen on the
 * socket before this returns. Call it once per connection: on the client's end Node gives the certificate only once.
 *
 * @param admitsJoining  whether a self-signed certificate is enough to be a joining peer
 * @throws TransportError "wrong-protocol" | "no-certificate"
 * @throws ProvisioningError the reason why the certificate is not one of this federation
 */
export function verifyPeer(
  socket: TLSSocket,
  trust: FederationTrust,
  admitsJoining: boolean,
  untrustedNowMs: UnixMs,
): Peer {
  if (socket.alpnProtocol !== ALPN) {
    throw new TransportError("wrong-protocol", "the peer does not offer HTTP/2 inside TLS");
  }
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) {
    throw new TransportError("no-certificate", "the peer presented no certificate");
  }
  const remoteAddress = socket.remoteAddress ?? "unknown";
  if (admitsJoining && !certificate.ca && isSelfSigned(certificate)) {
    return { kind: "joining", ...joiningKey(certificate), remoteAddress };
  }
  const identity = verifyMemberCertificate(certificate, trust, untrustedNowMs);
  return { kind: "member", ...identity, remoteAddress };
}
