/** Certificates that sign more than one thing: reading a key takes as long as verifying with it. */
import type { KeyObject } from "node:crypto";
import type { Certificate } from "./certificate.ts";
import { readPublicKey } from "./signature-algorithm.ts";

/** A certificate with its key; undefined if it is none, such as a point off its curve. */
export type KeyedCertificate = Certificate & { readonly publicKey: KeyObject | undefined };

/** Reads the key. */
export function withPublicKey(certificate: Certificate): KeyedCertificate {
  try {
    return { ...certificate, publicKey: readPublicKey(certificate.publicKeyDer) };
  } catch {
    // OpenSSL throws for hostile bytes; no signature verifies with what cannot be read.
    return { ...certificate, publicKey: undefined };
  }
}
