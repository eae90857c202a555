/** Issues the revocation lists of simulated authorities, each as its vendor would or with one fault. */
import { authorityKeyId, crlNumber } from "../../../../base/certificate-extensions.ts";
import { writeCrl } from "../../../../base/crl-writer.ts";
import type { UnixMs } from "../../../../base/ids.ts";
import type { DatedObjectFault } from "../../../verification/codes.ts";
import { developmentName, type Holder } from "./holder.ts";
import { spoiled } from "./issue-certificate.ts";
import { publicationDates, publicationNumber } from "./publication.ts";

/** What is served in place of a list by somebody who hopes that nobody reads it. */
const NOT_A_LIST = Uint8Array.of(0xde, 0xad, 0xbe, 0xef);

/**
 * A list, DER. Faulty ones revoke nothing: they are what an attacker would show instead of the list that does.
 * @param revoked  holders of the certificates on it
 */
export function issueCrl(
  given: {
    readonly issuer: Holder;
    readonly revoked: readonly Holder[];
    readonly number: number;
    readonly nowMs: UnixMs;
  },
  fault: DatedObjectFault | undefined,
): Uint8Array {
  if (fault === "malformed") return NOT_A_LIST;
  const { issuer, nowMs } = given;
  const { issueDateMs, nextUpdateMs } = publicationDates(nowMs, fault);
  const revoked = fault === undefined ? given.revoked : [];
  const list = writeCrl(
    {
      issuer:
        fault === "issuer-mismatch" ? developmentName("Intel", "Somebody Else's CA") : issuer.name,
      thisUpdateMs: issueDateMs,
      nextUpdateMs,
      revoked: revoked.map(({ serial }) => ({ serial, revokedAtMs: issueDateMs })),
      extensions: [
        crlNumber(publicationNumber(given.number, fault)),
        authorityKeyId(issuer.publicKeyDer),
      ],
    },
    issuer.signer,
  );
  return fault === "signature-invalid" ? spoiled(list) : list;
}
