/** Whether a chain ends where we want it to, said in digests: an impostor's root has the vendor's name. */
import { equalBytes } from "../../../base/bytes.ts";
import { digestOf } from "../../../base/ids.ts";
import type { Certificate } from "../../endorsements/certificate.ts";
import type { Checklist } from "../checklist.ts";

/**
 * Notes "root-not-trusted".
 * @param claim  for people
 * @param anchors  roots that are trusted, DER, compared byte for byte; undefined where nobody said
 * @param other  a root that this one must be, too
 * @returns whether the root is trusted
 */
export function noteRoot(
  checklist: Checklist,
  claim: string,
  root: Certificate,
  anchors: readonly Uint8Array[] | undefined,
  other?: Certificate,
): boolean {
  const isTrusted = anchors?.some((anchor) => equalBytes(anchor, root.der)) ?? true;
  const wanted = other === undefined ? (anchors ?? []) : [other.der];
  return checklist.note(
    isTrusted && (other === undefined || equalBytes(other.der, root.der)),
    "root-not-trusted",
    claim,
    () => `${root.commonName ?? "no name"}, SHA-256 ${digestOf(root.der)}`,
    () => `SHA-256 ${wanted.map((each) => digestOf(each)).join(" or ")}`,
  );
}
