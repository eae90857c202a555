import type { FederationId, UnixMs } from "../../base/ids.ts";
import { systemRandomness } from "../../base/randomness.ts";
import {
  type Authority,
  type AuthorityKey,
  createAuthority,
  generateAuthorityKey,
} from "../authority.ts";
import type { FederationTrust } from "../member-certificate.ts";

/** The id of the test federation; not the hash of anything. */
export const TEST_FEDERATION_ID = `${"a".repeat(51)}q` as FederationId;

export type TestAuthority = {
  readonly authority: Authority & { readonly nowMs: UnixMs };
  readonly trust: FederationTrust;
  readonly key: AuthorityKey;
};

/** A fresh authority of a federation that no descriptor names. @param nowMs  when it is born */
export function testAuthority(nowMs: number, federationId = TEST_FEDERATION_ID): TestAuthority {
  const key = generateAuthorityKey();
  const authority = createAuthority({
    federationId,
    key,
    randomness: systemRandomness,
    untrustedNowMs: nowMs as UnixMs,
  });
  return {
    authority: { ...authority, nowMs: nowMs as UnixMs },
    trust: { federationId, caCertificate: authority.caCertificate },
    key,
  };
}
