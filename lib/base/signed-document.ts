/**
 * Signed documents: DSSE v1 envelopes as canonical JSON, `{payload, payloadType, signatures: [{keyid, sig}]}`, with
 * ECDSA P-256 signatures over the pre-authentication encoding. A payload is handed out only once it is verified.
 */
import * as z from "zod/mini";
import { fromBase64, toBase64 } from "./base64.ts";
import { DocumentError, parseJson, parseShape, writeDocument } from "./document.ts";
import { type Digest, parseDigest } from "./ids.ts";
import {
  SIGNATURE_BYTES,
  type SigningKey,
  signDetached,
  spkiDigest,
  verifyDetached,
} from "./keys.ts";
import { MAX_SIGNED_DOCUMENT_BYTES } from "./limits.ts";
import { assertInvariant, CodedError } from "./refusal.ts";

export class SignedDocumentError extends CodedError<
  "wrong-type" | "bad-encoding" | "repeated-signer" | "bad-signature" | "not-signed"
> {}

/** An envelope whose signatures nobody has checked yet. */
export type UnverifiedEnvelope = {
  readonly payloadType: string;
  readonly unverifiedPayload: Uint8Array;
  /** Each signer once, in the order of the document. */
  readonly signatures: readonly { readonly keyId: Digest; readonly signature: Uint8Array }[];
};

/** A payload and who signed it, by the digests of their SubjectPublicKeyInfo. */
export type VerifiedDocument = {
  readonly payload: Uint8Array;
  readonly signers: readonly Digest[];
};

const MAX_SIGNATURES = 64;

const envelopeSchema = z.strictObject({
  payload: z.string(),
  payloadType: z.string(),
  signatures: z
    .array(z.strictObject({ keyid: z.string(), sig: z.string() }))
    .check(z.minLength(1), z.maxLength(MAX_SIGNATURES)),
});

/**
 * The bytes of an envelope around the payload.
 * @param keys  1 to 64, distinct; the keyid of each signature is the digest of its SubjectPublicKeyInfo
 */
export function signDocument(
  payloadType: string,
  payload: Uint8Array,
  keys: readonly SigningKey[],
): Uint8Array {
  return addSignatures({ payloadType, unverifiedPayload: payload, signatures: [] }, keys);
}

/**
 * The bytes of an envelope with further signatures after those it has, which are kept as they are.
 * @param keys  that have not signed yet; 1 to 64 signatures in all
 * @throws SignedDocumentError "repeated-signer"
 */
export function addSignatures(
  { payloadType, unverifiedPayload, signatures }: UnverifiedEnvelope,
  keys: readonly SigningKey[],
): Uint8Array {
  const added = keys.map(({ privateKey, spkiDigest: keyId }) => ({
    keyId,
    signature: signDetached(privateKey, payloadType, unverifiedPayload),
  }));
  const all = [...signatures, ...added];
  checkSigners(all);
  assertInvariant(all.length >= 1 && all.length <= MAX_SIGNATURES, "1 to 64 keys sign");
  return writeDocument({
    payload: toBase64(unverifiedPayload),
    payloadType,
    signatures: all.map(({ keyId, signature }) => ({ keyid: keyId, sig: toBase64(signature) })),
  });
}

/**
 * Reads an envelope without checking a signature; for looking up whose key should have signed.
 * @throws DocumentError "too-large" | "not-canonical" | "bad-shape"
 * @throws SignedDocumentError "wrong-type" | "bad-encoding" | "repeated-signer"
 */
export function parseEnvelope(
  bytes: Uint8Array,
  payloadType: string,
  maxBytes = MAX_SIGNED_DOCUMENT_BYTES,
): UnverifiedEnvelope {
  if (bytes.byteLength > maxBytes) {
    throw new DocumentError("too-large", `a ${payloadType} is limited to ${maxBytes} bytes`);
  }
  const json = parseJson(bytes, "the signed document");
  const envelope = parseShape(json, "the signed document", envelopeSchema);
  if (envelope.payloadType !== payloadType) {
    throw new SignedDocumentError("wrong-type", `the signed document is no ${payloadType}`);
  }
  const signatures = envelope.signatures.map(parseSignature);
  checkSigners(signatures);
  const unverifiedPayload = fromBase64(envelope.payload);
  if (unverifiedPayload === undefined) throw badEncoding("payload");
  return { payloadType, unverifiedPayload, signatures };
}

/**
 * The payload, if enough trusted keys signed it. Signatures by other keys count for nothing; a wrong signature in
 * the name of a trusted key spoils the document.
 * @param trustedKeys  SubjectPublicKeyInfo DER, P-256
 * @param threshold  how many distinct ones must have signed; ≥ 1
 * @throws SignedDocumentError "bad-signature" | "not-signed" and, like DocumentError, as parseEnvelope
 */
export function verifySignedDocument(
  bytes: Uint8Array,
  payloadType: string,
  trustedKeys: readonly Uint8Array[],
  threshold = 1,
): VerifiedDocument {
  return verifyEnvelope(parseEnvelope(bytes, payloadType), trustedKeys, threshold);
}

/** As verifySignedDocument, for an envelope that was parsed before. */
export function verifyEnvelope(
  envelope: UnverifiedEnvelope,
  trustedKeys: readonly Uint8Array[],
  threshold = 1,
): VerifiedDocument {
  assertInvariant(Number.isInteger(threshold) && threshold >= 1, "a threshold is at least 1");
  const { payloadType, unverifiedPayload } = envelope;
  const trusted = new Map(trustedKeys.map((key) => [spkiDigest(key), key]));
  const signers: Digest[] = [];
  for (const { keyId, signature } of envelope.signatures) {
    const key = trusted.get(keyId);
    if (key === undefined) continue;
    if (!verifyDetached(key, payloadType, unverifiedPayload, signature)) {
      throw new SignedDocumentError("bad-signature", `the signature of key ${keyId} is wrong`);
    }
    signers.push(keyId);
  }
  if (signers.length < threshold) {
    throw new SignedDocumentError(
      "not-signed",
      `${signers.length} of ${threshold} signatures needed are by keys trusted for this`,
    );
  }
  return { payload: unverifiedPayload, signers };
}

function checkSigners(signatures: UnverifiedEnvelope["signatures"]): void {
  if (new Set(signatures.map((each) => each.keyId)).size === signatures.length) return;
  throw new SignedDocumentError("repeated-signer", "one key signed the document twice");
}

function parseSignature(entry: { keyid: string; sig: string }): {
  readonly keyId: Digest;
  readonly signature: Uint8Array;
} {
  const keyId = parseDigest(entry.keyid);
  if (keyId === undefined) throw badEncoding("keyid");
  const signature = fromBase64(entry.sig);
  if (signature?.byteLength !== SIGNATURE_BYTES) throw badEncoding("signature");
  return { keyId, signature };
}

const badEncoding = (what: string): SignedDocumentError =>
  new SignedDocumentError("bad-encoding", `a ${what} of the signed document is not well encoded`);
