/** Whether Intel signed TCB info or QE identity, and whether it is current. */
import type { UnixMs } from "../../base/ids.ts";
import type { KeyedCertificate } from "../endorsements/keyed-certificate.ts";
import { checkDates, type Validity } from "./chains/check-dates.ts";
import type { Checklist } from "./checklist.ts";
import { verifyRaw } from "./raw-signature.ts";
import { readOrNote } from "./read-or-note.ts";

/** What every document of Intel's says of itself. */
type Dated = { readonly issueDateMs: UnixMs; readonly nextUpdateMs: UnixMs };

/** A document as it came. */
export type SignedDocument<Document extends Dated> = {
  readonly object: "tcb-info" | "qe-identity";
  /** For people: "TCB info". */
  readonly title: string;
  /** The exact text that is signed, UTF-8. */
  readonly text: string;
  /** r ‖ s. */
  readonly signature: Uint8Array;
  /** @throws EvidenceError */
  readonly parse: (text: string) => Document;
};

/** When a document counts. */
export const validityOf = ({ issueDateMs, nextUpdateMs }: Dated): Validity => ({
  fromMs: issueDateMs,
  toMs: nextUpdateMs,
});

/**
 * Checks a document; it is read whether or not the signature holds, so that every reason is found.
 *
 * @param signer  undefined if its chain could not be read, which was noted there
 * @returns undefined if it is unreadable
 */
export function checkSignedDocument<Document extends Dated>(
  checklist: Checklist,
  { object, title, text, signature, parse }: SignedDocument<Document>,
  signer: KeyedCertificate | undefined,
  nowMs: UnixMs,
): Document | undefined {
  const claim = `${title}: readable`;
  const document = readOrNote(checklist, `${object}-malformed`, claim, "its one form", () =>
    parse(text),
  );
  if (signer !== undefined) {
    checklist.note(
      verifyRaw(signer.publicKey, Buffer.from(text, "utf8"), signature),
      `${object}-signature-invalid`,
      `${title}: signed by the TCB signing certificate`,
      "a signature that does not verify",
      "a signature over exactly these bytes",
    );
  }
  if (document !== undefined) checkDates(checklist, object, title, validityOf(document), nowMs);
  return document;
}
