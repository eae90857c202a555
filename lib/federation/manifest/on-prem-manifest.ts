import { toBase64 } from "../../base/base64.ts";
import type { Name } from "../../base/ids.ts";
import type {
  Environment,
  Manifest,
  NamedKey,
  Organization,
  OrganizationRole,
} from "./manifest.ts";

/** A party and its key: SubjectPublicKeyInfo DER, P-256. */
export type Party = { readonly name: Name; readonly publicKeyDer: Uint8Array };

/** Who takes part in a federation without enclaves. */
export type OnPremFederation = {
  readonly name: Name;
  readonly environment: Environment;
  /** Of the federation's CA: SubjectPublicKeyInfo DER, P-384. */
  readonly reducerKeyDer: Uint8Array;
  readonly admins: readonly Party[];
  readonly organizations: readonly (Party & { readonly mayEnrol: readonly OrganizationRole[] })[];
  /** Most examples of one update that any session can ask for. */
  readonly weightCap: number;
};

const ON_PREM = "on-premises" as Name;

/**
 * The first manifest of a federation without enclaves, in which nothing is promised that this release does not hold:
 * sessions may be of one client, packages are not signed, and every member may fetch every model.
 */
export function onPremManifest(given: OnPremFederation): Manifest {
  const organizations = given.organizations.map(
    (each): Organization => ({ ...namedKey(each), mayEnrol: each.mayEnrol }),
  );
  const enrolling = (role: OrganizationRole) =>
    organizations.filter(({ mayEnrol }) => mayEnrol.includes(role)).map(({ name }) => name);
  const accepted = (role: OrganizationRole) =>
    [{ kind: "onprem", name: ON_PREM, organizations: enrolling(role) }] as const;
  return {
    name: given.name,
    environment: given.environment,
    epoch: 1,
    previousDigest: null,
    admins: { keys: given.admins.map(namedKey), threshold: 1 },
    organizations,
    roles: {
      reducer: [{ kind: "onprem", name: ON_PREM, publicKey: toBase64(given.reducerKeyDer) }],
      combiner: accepted("combiner"),
      client: accepted("client"),
    },
    packages: {
      publishers: {
        any: true,
        because:
          "packages are not signed yet: whatever an admin uploads and the gate passes is run",
      },
    },
    release: {
      minOrganizations: 1,
      minClients: 1,
      weightCap: given.weightCap,
      clientMetrics: [],
      models: [
        { kind: "admins" },
        ...organizations.map(({ name }) => ({ kind: "organization", name }) as const),
      ],
      privacy: { kind: "none", because: "noise is not added yet" },
    },
    witnesses: { keys: [], quorum: 0 },
  };
}

const namedKey = ({ name, publicKeyDer }: Party): NamedKey => ({
  name,
  publicKey: toBase64(publicKeyDer),
});
