import { lengthPrefixed, sha256, toBase32, utf8 } from "../base/bytes.ts";
import { type Digest, digestBytes, type FederationId } from "../base/ids.ts";

const DOMAIN = utf8("fedclave/genesis/1\0");

/**
 * A federation is the hash of how it began: its CA key and its first manifest. Nobody can keep the name and
 * exchange either.
 * @param caPublicKeyDer  SubjectPublicKeyInfo of the CA, DER
 */
export function federationIdOf(caPublicKeyDer: Uint8Array, manifest: Digest): FederationId {
  const genesis = sha256(DOMAIN, lengthPrefixed(caPublicKeyDer), digestBytes(manifest));
  return toBase32(genesis) as FederationId;
}
