/** Files that hold a manifest in its exact bytes: bare, signed, or within federation.json. */
import { CanonicalJsonError, parseCanonicalJson } from "../../lib/base/canonical-json.ts";
import type { UnverifiedEnvelope } from "../../lib/base/signed-document.ts";
import { parseDescriptor } from "../../lib/federation/descriptor.ts";
import { MANIFEST_DOCUMENT } from "../../lib/federation/manifest/manifest-schema.ts";
import { MANIFEST_TYPE, parseSignedManifest } from "../../lib/federation/manifest/sign-manifest.ts";

/** A manifest as it was built, signed or not. */
export type ExactManifest = {
  /** What is signed and compared. Nothing about it has been checked. */
  readonly bytes: Uint8Array;
  /** If the file is a signed manifest. */
  readonly envelope?: UnverifiedEnvelope;
};

/**
 * Finds the manifest in a file; undefined for anything else, such as one that an author is still writing.
 * @throws DocumentError | SignedDocumentError | FederationError for a file that is of such a kind, but not well
 */
export function findExactManifest(file: Uint8Array): ExactManifest | undefined {
  const text = Buffer.from(file).toString("utf8");
  const { kind, payloadType } = headOf(text);
  if (payloadType === MANIFEST_TYPE) {
    const envelope = parseSignedManifest(file);
    return { bytes: envelope.unverifiedPayload, envelope };
  }
  if (kind === "fedclave/federation") return { bytes: parseDescriptor(file).manifestBytes };
  return kind === MANIFEST_DOCUMENT.kind && isCanonical(text) ? { bytes: file } : undefined;
}

function headOf(text: string): { readonly kind?: unknown; readonly payloadType?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

function isCanonical(text: string): boolean {
  try {
    parseCanonicalJson(text);
    return true;
  } catch (error) {
    if (!(error instanceof CanonicalJsonError)) throw error;
    return false;
  }
}
