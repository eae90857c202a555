import { SignedDocumentError, type UnverifiedEnvelope } from "../../lib/base/signed-document.ts";
import type { Manifest } from "../../lib/federation/manifest/manifest.ts";
import { adminOf, verifyManifestSigners } from "../../lib/federation/manifest/sign-manifest.ts";
import { counted } from "../rendering/units.ts";
import type { CheckProblem } from "./inline-references.ts";

/** Who signed, and whether that is enough. */
export type SignatureCheck = {
  /** Names of the admins who signed. */
  readonly signers: readonly string[];
  readonly threshold: number;
  /** A wrong signature, or too few where enough are demanded. */
  readonly problems: readonly CheckProblem[];
};

/**
 * Who signed a manifest.
 * @param admins  whose signatures count: those of the manifest it replaces, of the first one its own
 * @param demanded  whether too few are a problem, or only not enough yet
 */
export function checkSignatures(
  envelope: UnverifiedEnvelope | undefined,
  admins: Manifest["admins"],
  demanded: boolean,
): SignatureCheck {
  const { threshold } = admins;
  const problem = (code: string, message: string): SignatureCheck => ({
    signers: [],
    threshold,
    problems: [{ code, place: "", message }],
  });
  if (envelope === undefined) {
    return demanded
      ? problem("not-signed", `not signed, and ${counted(threshold, "admin")} must have`)
      : { signers: [], threshold, problems: [] };
  }
  const listed = envelope.signatures.flatMap(({ keyId }) => adminOf(admins, keyId) ?? []);
  try {
    if (listed.length > 0) verifyManifestSigners(envelope, admins, 1);
  } catch (error) {
    if (!(error instanceof SignedDocumentError)) throw error;
    return problem(error.code, error.message);
  }
  if (!demanded || listed.length >= threshold) return { signers: listed, threshold, problems: [] };
  const message = `signed by ${listed.length} of ${threshold} admins needed`;
  return { ...problem("not-signed", message), signers: listed };
}
