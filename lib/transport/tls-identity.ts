/** What TLS presents, and the settings both ends share. */
import { constants } from "node:crypto";
import type { SecureContextOptions } from "node:tls";
import { certificatePem } from "../base/certificate.ts";
import { privateKeyPem } from "../base/keys.ts";
import type { CertifiedKey } from "../provisioning/member-certificate.ts";

/** A member's key and certificate chain, or the self-signed certificate of a joining peer. */
export type TlsIdentity = CertifiedKey;

/** The one protocol we speak inside TLS. First contact with evidence will have its own (DESIGN §3). */
export const ALPN = "h2";

/**
 * TLS 1.3 only; no authorities, since the verdict on a peer is ours alone (peer.ts). Sessions are never resumed, for
 * that would carry an old verdict: without tickets Node looks them up by events that nobody handles.
 */
export function tlsOptions(identity: TlsIdentity): SecureContextOptions {
  return {
    key: privateKeyPem(identity.privateKey).reveal(),
    cert: identity.certificateChain.map(certificatePem).join(""),
    ca: [],
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
