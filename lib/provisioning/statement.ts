/** A member statement: an organization's signed word that a key is its member's, in one role, to an epoch. */
import * as z from "zod/mini";
import { type DocumentType, parseDocument, writeDocument } from "../base/document.ts";
import type { Digest, FederationId, Name } from "../base/ids.ts";
import type { SigningKey } from "../base/keys.ts";
import { parseEnvelope, signDocument, type UnverifiedEnvelope } from "../base/signed-document.ts";

/** Roles that a statement can give. A reducer proves itself by the CA key it holds, never by a statement. */
export const ENROLLABLE_ROLES = ["combiner", "client", "admin"] as const;
export type EnrollableRole = (typeof ENROLLABLE_ROLES)[number];

export type MemberStatement = {
  readonly federationId: FederationId;
  readonly member: Name;
  readonly role: EnrollableRole;
  /** Who signs: an organization of the manifest or, for the role admin, the name of an admin key. */
  readonly organization: Name;
  /** SHA-256 of the member's SubjectPublicKeyInfo. */
  readonly spkiDigest: Digest;
  /** The last manifest epoch in which the statement counts; ≥ 1. */
  readonly expiryEpoch: number;
};

/** The same fields as someone wrote them: not checked beyond their types, not verified. */
export type UnverifiedStatement = {
  readonly [field in keyof Omit<MemberStatement, "expiryEpoch">]: string;
} & { readonly expiryEpoch: number };

/** Payload type of a member statement (DSSE). */
export const STATEMENT_TYPE = "application/vnd.fedclave.member-statement.v1+json";
/** A statement file; about 800 bytes in practice. */
export const MAX_STATEMENT_BYTES = 16 * 1024;

const DOCUMENT: DocumentType = {
  kind: "fedclave/member-statement",
  version: 1,
  maxBytes: MAX_STATEMENT_BYTES,
};

const statementSchema = z.strictObject({
  kind: z.literal(DOCUMENT.kind),
  version: z.literal(DOCUMENT.version),
  federationId: z.string(),
  member: z.string(),
  role: z.string(),
  organization: z.string(),
  spkiDigest: z.string(),
  expiryEpoch: z.int().check(z.gte(1)),
});

/**
 * The bytes of a statement file.
 * @param organizationKey  of the organization named, or of the admin for the role admin
 */
export function createStatement(
  statement: MemberStatement,
  organizationKey: SigningKey,
): Uint8Array {
  const { federationId, member, role, organization, spkiDigest, expiryEpoch } = statement;
  const payload = writeDocument({
    kind: DOCUMENT.kind,
    version: DOCUMENT.version,
    federationId,
    member,
    role,
    organization,
    spkiDigest,
    expiryEpoch,
  });
  return signDocument(STATEMENT_TYPE, payload, [organizationKey]);
}

/**
 * What a statement file claims, for showing it and for finding the key that should have signed it.
 * @throws DocumentError | SignedDocumentError as parseEnvelope and parseDocument
 */
export function parseStatement(bytes: Uint8Array): {
  readonly statement: UnverifiedStatement;
  readonly envelope: UnverifiedEnvelope;
} {
  const envelope = parseEnvelope(bytes, STATEMENT_TYPE, MAX_STATEMENT_BYTES);
  const statement = parseDocument(envelope.unverifiedPayload, DOCUMENT, statementSchema);
  return { statement, envelope };
}
