import { fromBase64 } from "../../base/base64.ts";
import type { Name } from "../../base/ids.ts";
import { assertInvariant } from "../../base/refusal.ts";
import type { Manifest, NamedKey, OrganizationRole } from "./manifest.ts";

/** Whose signature on a member statement counts, and for which roles. */
export type StatementIssuer = {
  readonly name: Name;
  /** SubjectPublicKeyInfo, DER, P-256, 91 bytes. */
  readonly publicKeyDer: Uint8Array;
  readonly mayEnrol: readonly (OrganizationRole | "admin")[];
};

/** Everyone whose member statements count under this manifest: admin keys for admins, organizations for the rest. */
export const statementIssuers = ({
  admins,
  organizations,
}: Manifest): readonly StatementIssuer[] => [
  ...admins.keys.map((key) => issuer(key, ["admin"])),
  ...organizations.map((each) => issuer(each, each.mayEnrol)),
];

const issuer = (key: NamedKey, mayEnrol: StatementIssuer["mayEnrol"]): StatementIssuer => ({
  name: key.name,
  publicKeyDer: publicKeyOf(key),
  mayEnrol,
});

/** SubjectPublicKeyInfo DER of a key of a manifest that was parsed. */
export function publicKeyOf({ publicKey }: { readonly publicKey: string }): Uint8Array {
  const der = fromBase64(publicKey);
  assertInvariant(der !== undefined, "keys of a manifest are base64");
  return der;
}
