/**
 * What all parties agree on, and hold in the same bytes: who administers the federation, whose members may join it, what
 * each role must prove, and on which terms a model leaves it. Every field is present; none means anything by absence.
 */
import type { OrAnything } from "../../attestation/appraisal/anything.ts";
import type { EnclaveIdentity } from "../../attestation/appraisal/identity.ts";
import type { Digest, Name } from "../../base/ids.ts";

/** Roles that an organization may give to its members; admins are named by admin keys, reducers by nobody. */
export const ORGANIZATION_ROLES = ["combiner", "client"] as const;
/** One of these roles. */
export type OrganizationRole = (typeof ORGANIZATION_ROLES)[number];

/** Production: roots are the vendors', and nothing that lets a host look inside is accepted. */
export const ENVIRONMENTS = ["production", "development"] as const;
/** One of these environments. */
export type Environment = (typeof ENVIRONMENTS)[number];

/** A key that signs documents. One name has one key and one key one name, wherever in the manifest they stand. */
export type NamedKey = {
  readonly name: Name;
  /** SubjectPublicKeyInfo, DER, P-256, 91 bytes; in base64. */
  readonly publicKey: string;
};

/** Who owns data or machines, and signs its own members in. */
export type Organization = NamedKey & { readonly mayEnrol: readonly OrganizationRole[] };

/** A reducer outside of any enclave: whoever holds this key, which is that of the federation's CA. */
export type OnPremReducer = {
  readonly kind: "onprem";
  readonly name: Name;
  /** SubjectPublicKeyInfo, DER, P-384, 120 bytes; in base64. */
  readonly publicKey: string;
};

/** A member outside of any enclave: the statement of one of these organizations is all it has to show. */
export type OnPremMember = {
  readonly kind: "onprem";
  readonly name: Name;
  readonly organizations: readonly Name[];
};

/** A reducer that is accepted. */
export type AcceptedReducer = OnPremReducer | EnclaveIdentity;
/** A combiner or client that is accepted. */
export type AcceptedMember = OnPremMember | EnclaveIdentity;

/** Who may act in each role: one that holds is enough. Members need their organization's statement besides. */
export type Roles = {
  readonly reducer: readonly AcceptedReducer[];
  readonly combiner: readonly AcceptedMember[];
  readonly client: readonly AcceptedMember[];
};

/** Who gets to see something that leaves the reducer. */
export type ModelReader =
  | { readonly kind: "admins" }
  | { readonly kind: "organization"; readonly name: Name };
/** `own-organization`: that of the client whom the figures are about. */
export type MetricReader = ModelReader | { readonly kind: "own-organization" };

/** The least that is done for the privacy of a single example. */
export type PrivacyFloor =
  | { readonly kind: "none"; readonly because: string }
  | {
      readonly kind: "central-noise";
      /** Standard deviation of the noise on a sum, in units of the clipping norm. */
      readonly minNoiseMultiplier: number;
      /** Updates are clipped to this Euclidean norm or a lower one. */
      readonly maxClipNorm: number;
      /** Budget of one session. */
      readonly maxEpsilon: number;
      readonly maxDelta: number;
    };

/** On which terms aggregates leave the enclaves. Sessions may be stricter, never laxer. */
export type ReleaseRules = {
  /** With a member whose update is in the aggregate. */
  readonly minOrganizations: number;
  readonly minClients: number;
  /** Most examples that one update may count for. */
  readonly weightCap: number;
  /** Figures of a single client; means over a cohort are for all members. */
  readonly clientMetrics: OrAnything<readonly MetricReader[]>;
  /** Who may take global models; on-premises clients hold the one they train from in any case. */
  readonly models: OrAnything<readonly ModelReader[]>;
  readonly privacy: PrivacyFloor;
};

/** What all parties of a federation agree on. */
export type Manifest = {
  /** The federation's name, for people; nothing rests on it. */
  readonly name: Name;
  readonly environment: Environment;
  /** 1 at genesis, higher with every change. */
  readonly epoch: number;
  /** Of the manifest that this one replaces; null at genesis and only there. */
  readonly previousDigest: Digest | null;
  readonly admins: {
    readonly keys: readonly NamedKey[];
    /** How many admin keys must sign a change; 1 to the number of keys. */
    readonly threshold: number;
  };
  readonly organizations: readonly Organization[];
  readonly roles: Roles;
  readonly packages: {
    /** Whose signature on a compute package counts. */
    readonly publishers: OrAnything<readonly NamedKey[]>;
  };
  readonly release: ReleaseRules;
  /** Who countersigns the ledger's heads, and how many of them must. */
  readonly witnesses: { readonly keys: readonly NamedKey[]; readonly quorum: number };
};

/** Admin keys of one manifest. */
export const MAX_ADMIN_KEYS = 64;
/** Organizations of one manifest. */
export const MAX_ORGANIZATIONS = 1000;
/** Identities that one role accepts. */
export const MAX_ACCEPTED = 64;
/** Publishers, and witnesses. */
export const MAX_SIGNERS = 64;
/** Entries of one list within an identity: platforms, advisories, statuses. */
export const MAX_LISTED = 1000;

/** Whether an accepted entry is an enclave, which must be attested. */
export const isEnclave = (
  accepted: AcceptedReducer | AcceptedMember,
): accepted is EnclaveIdentity => accepted.kind !== "onprem";
