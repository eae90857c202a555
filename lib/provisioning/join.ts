/** Whether a peer may join: its organization's statement against the federation, the manifest and the TLS key. */
import { DocumentError } from "../base/document.ts";
import { type Digest, type FederationId, type Name, parseName, type Role } from "../base/ids.ts";
import { KeyError, parsePublicKey, spkiDigest } from "../base/keys.ts";
import { type Refusal, refusal } from "../base/refusal.ts";
import {
  SignedDocumentError,
  type UnverifiedEnvelope,
  verifyEnvelope,
} from "../base/signed-document.ts";
import {
  ENROLLABLE_ROLES,
  type EnrollableRole,
  parseStatement,
  type UnverifiedStatement,
} from "./statement.ts";

export type JoinRefusalCode =
  | "malformed-statement"
  | "wrong-federation"
  | "unknown-organization"
  | "bad-signature"
  | "role-not-permitted"
  | "bad-member-name"
  | "wrong-key"
  | "wrong-curve"
  | "statement-expired";

/** Whose statements count, from the manifest in force (`statementIssuers`). */
export type JoinIssuer = {
  readonly name: Name;
  /** SubjectPublicKeyInfo, DER, P-256. */
  readonly publicKeyDer: Uint8Array;
  readonly mayEnrol: readonly Role[];
};

/** What a statement is held against. */
export type JoinRules = {
  readonly federationId: FederationId;
  /** Of the manifest in force. */
  readonly epoch: number;
  readonly issuers: readonly JoinIssuer[];
};

export type AdmittedMember = {
  readonly kind: "admitted";
  readonly member: Name;
  readonly role: EnrollableRole;
  readonly organization: Name;
  readonly spkiDigest: Digest;
  /** The last epoch in which the statement counts; a certificate says nothing beyond it. */
  readonly expiryEpoch: number;
};

export type JoinAppraisal =
  | AdmittedMember
  | { readonly kind: "refused"; readonly refusals: readonly Refusal<JoinRefusalCode>[] };

/**
 * Appraises a request to join and lists every reason against it; never throws for what the peer sent. Whether the
 * name is taken by another key is the reducer's question, which knows its members.
 * @param statement  bytes of a statement file
 * @param tlsPublicKeyDer  SubjectPublicKeyInfo of the key that TLS proved the peer holds
 */
export function appraiseJoin(
  statement: Uint8Array,
  tlsPublicKeyDer: Uint8Array,
  rules: JoinRules,
): JoinAppraisal {
  let parsed: ReturnType<typeof parseStatement>;
  try {
    parsed = parseStatement(statement);
  } catch (error) {
    if (!(error instanceof DocumentError || error instanceof SignedDocumentError)) throw error;
    return refused(refusal("malformed-statement", error.code, "a member statement, version 1"));
  }
  const claims = parsed.statement;
  const issuer = rules.issuers.find((each) => each.name === claims.organization);
  const member = parseName(claims.member);
  const role = ENROLLABLE_ROLES.find((each) => each === claims.role);
  const reasons = [
    ...appraiseIssuer(claims, parsed.envelope, issuer),
    ...appraiseKey(claims, tlsPublicKeyDer),
    ...appraiseScope(claims, rules),
  ];
  if (issuer === undefined || member === undefined || role === undefined || reasons.length > 0) {
    return refused(...reasons);
  }
  return {
    kind: "admitted",
    member,
    role,
    organization: issuer.name,
    spkiDigest: spkiDigest(tlsPublicKeyDer),
    expiryEpoch: claims.expiryEpoch,
  };
}

/** Who signed, and may it give this role? */
function appraiseIssuer(
  claims: UnverifiedStatement,
  envelope: UnverifiedEnvelope,
  issuer: JoinIssuer | undefined,
): Refusal<JoinRefusalCode>[] {
  if (issuer === undefined) {
    const wanted = "an organization or admin of the manifest";
    return [refusal("unknown-organization", claims.organization, wanted)];
  }
  const reasons: Refusal<JoinRefusalCode>[] = [];
  try {
    verifyEnvelope(envelope, [issuer.publicKeyDer]);
  } catch (error) {
    if (!(error instanceof SignedDocumentError)) throw error;
    const wanted = `a signature by ${issuer.name}, key ${spkiDigest(issuer.publicKeyDer)}`;
    reasons.push(refusal("bad-signature", error.code, wanted));
  }
  const permitted = issuer.mayEnrol.filter((role) => role !== "reducer");
  if (!permitted.some((role) => role === claims.role)) {
    const wanted = permitted.join(" or ") || "no role";
    reasons.push(refusal("role-not-permitted", claims.role, wanted));
  }
  return reasons;
}

/** Is the key that TLS proved the one that the statement is for? */
function appraiseKey(
  claims: UnverifiedStatement,
  tlsPublicKeyDer: Uint8Array,
): Refusal<JoinRefusalCode>[] {
  try {
    parsePublicKey(tlsPublicKeyDer);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    return [refusal("wrong-curve", "another kind of key", "an ECDSA P-256 key")];
  }
  const proved = spkiDigest(tlsPublicKeyDer);
  return proved === claims.spkiDigest ? [] : [refusal("wrong-key", proved, claims.spkiDigest)];
}

/** Is it for this federation, now, and for a name that can be certified? */
function appraiseScope(claims: UnverifiedStatement, rules: JoinRules): Refusal<JoinRefusalCode>[] {
  const reasons: Refusal<JoinRefusalCode>[] = [];
  if (claims.federationId !== rules.federationId) {
    reasons.push(refusal("wrong-federation", claims.federationId, rules.federationId));
  }
  if (parseName(claims.member) === undefined) {
    reasons.push(refusal("bad-member-name", claims.member, "[a-z0-9-]{1,63}"));
  }
  if (claims.expiryEpoch < rules.epoch) {
    reasons.push(refusal("statement-expired", claims.expiryEpoch, `epoch ${rules.epoch} or later`));
  }
  return reasons;
}

const refused = (...refusals: readonly Refusal<JoinRefusalCode>[]): JoinAppraisal => ({
  kind: "refused",
  refusals,
});
