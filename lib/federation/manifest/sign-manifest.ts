/** Signed manifests: a DSSE envelope around the exact bytes, with the keys of those who agree. */
import type { Digest } from "../../base/ids.ts";
import { type SigningKey, spkiDigest } from "../../base/keys.ts";
import { MAX_SIGNED_DOCUMENT_BYTES } from "../../base/limits.ts";
import {
  addSignatures,
  parseEnvelope,
  type UnverifiedEnvelope,
  verifyEnvelope,
} from "../../base/signed-document.ts";
import type { Manifest } from "./manifest.ts";
import { publicKeyOf } from "./statement-issuers.ts";

/** Payload type of a signed manifest (DSSE). */
export const MANIFEST_TYPE = "application/vnd.fedclave.manifest.v2+json";
/** A manifest in base64, and 64 signatures. */
const MAX_SIGNED_MANIFEST_BYTES = 2 * MAX_SIGNED_DOCUMENT_BYTES;

/**
 * Reads the envelope; nobody's signature is checked.
 * @throws DocumentError | SignedDocumentError as parseEnvelope
 */
export const parseSignedManifest = (bytes: Uint8Array): UnverifiedEnvelope =>
  parseEnvelope(bytes, MANIFEST_TYPE, MAX_SIGNED_MANIFEST_BYTES);

/** An envelope without a signature, for the first one to be added. @param manifestBytes  exact */
export const unsignedManifest = (manifestBytes: Uint8Array): UnverifiedEnvelope => ({
  payloadType: MANIFEST_TYPE,
  unverifiedPayload: manifestBytes,
  signatures: [],
});

/**
 * The bytes of a signed manifest with one signature more.
 * @throws SignedDocumentError "repeated-signer"
 */
export const signManifest = (envelope: UnverifiedEnvelope, key: SigningKey): Uint8Array =>
  addSignatures(envelope, [key]);

/**
 * Checks that enough of these admins signed. A change is signed by the admins of the manifest it replaces; the first
 * manifest by its own.
 * @param threshold  unset: the admins' own
 * @returns who signed, by the digests of their keys
 * @throws SignedDocumentError "bad-signature" | "not-signed"
 */
export const verifyManifestSigners = (
  envelope: UnverifiedEnvelope,
  { keys, threshold: own }: Manifest["admins"],
  threshold = own,
): readonly Digest[] => verifyEnvelope(envelope, keys.map(publicKeyOf), threshold).signers;

/** Name of the admin with this key. */
export const adminOf = ({ keys }: Manifest["admins"], keyId: Digest): string | undefined =>
  keys.find((each) => spkiDigest(publicKeyOf(each)) === keyId)?.name;
