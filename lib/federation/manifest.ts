/** What all parties agree on: who administers the federation, and whose members may join it. */
import * as z from "zod/mini";
import { fromBase64, toBase64 } from "../base/base64.ts";
import { utf8 } from "../base/bytes.ts";
import { type DocumentType, parseDocument, writeDocument } from "../base/document.ts";
import { type Digest, digestOf, type Name } from "../base/ids.ts";
import { KeyError, parsePublicKey } from "../base/keys.ts";
import { MAX_SIGNED_DOCUMENT_BYTES } from "../base/limits.ts";
import { FederationError } from "./federation-error.ts";

/** Roles that an organization may give to its members; admins are named by admin keys, reducers by nobody. */
export const ORGANIZATION_ROLES = ["combiner", "client"] as const;
export type OrganizationRole = (typeof ORGANIZATION_ROLES)[number];

/** A key that signs documents. Names and keys are unique over admins and organizations together. */
export type NamedKey = {
  readonly name: Name;
  /** SubjectPublicKeyInfo, DER, P-256, 91 bytes. */
  readonly publicKeyDer: Uint8Array;
};

export type Organization = NamedKey & { readonly mayEnrol: readonly OrganizationRole[] };

export type Manifest = {
  /** The federation's name, for people; nothing rests on it. */
  readonly name: Name;
  /** 1 at genesis, higher with every change. */
  readonly epoch: number;
  readonly admins: {
    readonly keys: readonly NamedKey[];
    /** How many admin keys must sign a change; 1 to the number of keys. */
    readonly threshold: number;
  };
  readonly organizations: readonly Organization[];
};

/** Whose signature on a member statement counts, and for which roles. */
export type StatementIssuer = NamedKey & {
  readonly mayEnrol: readonly (OrganizationRole | "admin")[];
};

/** Admin keys of one manifest. */
export const MAX_ADMIN_KEYS = 64;
/** Organizations of one manifest. */
export const MAX_ORGANIZATIONS = 1000;

const DOCUMENT: DocumentType = {
  kind: "fedclave/manifest",
  version: 1,
  maxBytes: MAX_SIGNED_DOCUMENT_BYTES,
};
const DIGEST_DOMAIN = utf8("fedclave/manifest/1\0");

const name = z.string().check(z.regex(/^[a-z0-9-]{1,63}$/));
const count = z.int().check(z.gte(1));
const namedKey = { name, publicKey: z.string() };
const manifestSchema = z.strictObject({
  kind: z.literal(DOCUMENT.kind),
  version: z.literal(DOCUMENT.version),
  name,
  epoch: count,
  admins: z.strictObject({
    keys: z.array(z.strictObject(namedKey)).check(z.minLength(1), z.maxLength(MAX_ADMIN_KEYS)),
    threshold: count,
  }),
  organizations: z
    .array(z.strictObject({ ...namedKey, mayEnrol: z.array(z.enum(ORGANIZATION_ROLES)) }))
    .check(z.minLength(1), z.maxLength(MAX_ORGANIZATIONS)),
});

/**
 * Reads a manifest from its exact bytes: canonical JSON, every field present, none beyond.
 * @throws DocumentError "too-large" | "not-canonical" | "wrong-kind" | "unsupported-version" | "bad-shape"
 * @throws FederationError "bad-key" | "duplicate-name" | "duplicate-key" | "threshold-too-high"
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  const document = parseDocument(bytes, DOCUMENT, manifestSchema);
  const manifest: Manifest = {
    name: document.name as Name,
    epoch: document.epoch,
    admins: { keys: document.admins.keys.map(parseNamedKey), threshold: document.admins.threshold },
    organizations: document.organizations.map((each) => ({
      ...parseNamedKey(each),
      mayEnrol: each.mayEnrol,
    })),
  };
  checkUnique(manifest);
  if (manifest.admins.threshold > manifest.admins.keys.length) {
    throw new FederationError(
      "threshold-too-high",
      "the threshold exceeds the number of admin keys",
    );
  }
  return manifest;
}

/**
 * The bytes of a manifest. They are parsed once before they are given out.
 * @throws as parseManifest
 */
export function writeManifest(manifest: Manifest): Uint8Array {
  const { admins, organizations } = manifest;
  const bytes = writeDocument({
    kind: DOCUMENT.kind,
    version: DOCUMENT.version,
    name: manifest.name,
    epoch: manifest.epoch,
    admins: { keys: admins.keys.map(namedKeyJson), threshold: admins.threshold },
    organizations: organizations.map((each) => ({
      ...namedKeyJson(each),
      mayEnrol: each.mayEnrol,
    })),
  });
  parseManifest(bytes);
  return bytes;
}

/** Names the exact bytes of a manifest; bound into the federation id, and later into evidence. */
export function manifestDigest(bytes: Uint8Array): Digest {
  return digestOf(DIGEST_DOMAIN, bytes);
}

/** Everyone whose member statements count under this manifest: admin keys for admins, organizations for the rest. */
export function statementIssuers(manifest: Manifest): readonly StatementIssuer[] {
  return [
    ...manifest.admins.keys.map((key) => ({ ...key, mayEnrol: ["admin" as const] })),
    ...manifest.organizations,
  ];
}

function parseNamedKey(entry: { name: string; publicKey: string }): NamedKey {
  const publicKeyDer = fromBase64(entry.publicKey);
  try {
    if (publicKeyDer === undefined) throw new KeyError("unreadable-key", "it is not base64");
    parsePublicKey(publicKeyDer);
    return { name: entry.name as Name, publicKeyDer };
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause;
    throw new FederationError("bad-key", `the key of ${entry.name} is no P-256 public key`, {
      cause,
    });
  }
}

const namedKeyJson = (key: NamedKey) => ({
  name: key.name,
  publicKey: toBase64(key.publicKeyDer),
});

function checkUnique(manifest: Manifest): void {
  const entries = [...manifest.admins.keys, ...manifest.organizations];
  const names = new Set<string>();
  const keys = new Set<string>();
  for (const entry of entries) {
    if (names.has(entry.name)) {
      throw new FederationError("duplicate-name", `${entry.name} is named twice`);
    }
    const key = toBase64(entry.publicKeyDer);
    if (keys.has(key)) {
      throw new FederationError("duplicate-key", `the key of ${entry.name} is another's too`);
    }
    names.add(entry.name);
    keys.add(key);
  }
  for (const { name: organization, mayEnrol } of manifest.organizations) {
    if (new Set(mayEnrol).size !== mayEnrol.length) {
      throw new FederationError("duplicate-name", `${organization} may enrol a role twice`);
    }
  }
}
