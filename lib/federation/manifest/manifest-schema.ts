/** The shape of a manifest; what its values mean together is checked beside it. */
import * as z from "zod/mini";
import type { DocumentType } from "../../base/document.ts";
import { MAX_SIGNED_DOCUMENT_BYTES } from "../../base/limits.ts";
import {
  base64,
  because,
  digest,
  exactly,
  integer,
  list,
  name,
  oneOf,
  orAnything,
  positive,
} from "./fields.ts";
import { sgxIdentity, snpIdentity, tdxIdentity } from "./identity-schema.ts";
import {
  ENVIRONMENTS,
  MAX_ACCEPTED,
  MAX_ADMIN_KEYS,
  MAX_ORGANIZATIONS,
  MAX_SIGNERS,
  type Manifest,
  type NamedKey,
  ORGANIZATION_ROLES,
  type Organization,
  type ReleaseRules,
  type Roles,
} from "./manifest.ts";

/** How a manifest names itself, and how long it may be. */
export const MANIFEST_DOCUMENT: DocumentType = {
  kind: "fedclave/manifest",
  version: 2,
  maxBytes: MAX_SIGNED_DOCUMENT_BYTES,
};

const namedKey: z.ZodMiniType<NamedKey> = z.strictObject({ name, publicKey: base64 });

const organization: z.ZodMiniType<Organization> = z.strictObject({
  name,
  publicKey: base64,
  mayEnrol: list(oneOf(...ORGANIZATION_ROLES), 0, ORGANIZATION_ROLES.length),
});

const enclaves = [sgxIdentity, tdxIdentity, snpIdentity] as const;
const onPrem = { kind: z.literal("onprem"), name };
const organizationNames = list(name, 0, MAX_ORGANIZATIONS);
const acceptedMember = z.discriminatedUnion("kind", [
  z.strictObject({ ...onPrem, organizations: organizationNames }),
  ...enclaves,
]);
const roles: z.ZodMiniType<Roles> = z.strictObject({
  reducer: list(
    z.discriminatedUnion("kind", [z.strictObject({ ...onPrem, publicKey: base64 }), ...enclaves]),
    0,
    MAX_ACCEPTED,
  ),
  combiner: list(acceptedMember, 0, MAX_ACCEPTED),
  client: list(acceptedMember, 0, MAX_ACCEPTED),
});

const admins = z.strictObject({ kind: z.literal("admins") });
const oneOrganization = z.strictObject({ kind: z.literal("organization"), name });
const ownOrganization = z.strictObject({ kind: z.literal("own-organization") });
const modelReader = z.discriminatedUnion("kind", [admins, oneOrganization]);
const metricReader = z.discriminatedUnion("kind", [admins, oneOrganization, ownOrganization]);

/** Every organization, the admins, and whoever a client belongs to. */
const MAX_READERS = MAX_ORGANIZATIONS + 2;

const release: z.ZodMiniType<ReleaseRules> = z.strictObject({
  minOrganizations: integer(1, MAX_ORGANIZATIONS),
  minClients: integer(1),
  weightCap: integer(1),
  clientMetrics: orAnything(list(metricReader, 0, MAX_READERS)),
  models: orAnything(list(modelReader, 0, MAX_READERS)),
  privacy: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("none"), because }),
    z.strictObject({
      kind: z.literal("central-noise"),
      minNoiseMultiplier: positive(Number.POSITIVE_INFINITY),
      maxClipNorm: positive(Number.POSITIVE_INFINITY),
      maxEpsilon: positive(Number.POSITIVE_INFINITY),
      maxDelta: positive(1),
    }),
  ]),
});

/** Kind and version, then the fields of a manifest, all of them. */
export type ManifestDocument = Manifest & { readonly kind: string; readonly version: number };

/** Shape of a manifest, `kind` and `version` included; what its parts mean is checked apart. */
export const manifestSchema: z.ZodMiniType<ManifestDocument> = z.strictObject({
  kind: exactly(MANIFEST_DOCUMENT.kind),
  version: exactly(MANIFEST_DOCUMENT.version),
  name,
  environment: oneOf(...ENVIRONMENTS),
  epoch: integer(1),
  previousDigest: z.nullable(digest),
  admins: z.strictObject({ keys: list(namedKey, 1, MAX_ADMIN_KEYS), threshold: integer(1) }),
  organizations: list(organization, 1, MAX_ORGANIZATIONS),
  roles,
  packages: z.strictObject({ publishers: orAnything(list(namedKey, 0, MAX_SIGNERS)) }),
  release,
  witnesses: z.strictObject({
    keys: list(namedKey, 0, MAX_SIGNERS),
    quorum: integer(0, MAX_SIGNERS),
  }),
});
