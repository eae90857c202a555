/** Where the PCK chain of a quote is found. */
import { parsePemChain } from "../encoding/pem.ts";
import { type Certificate, parseCertificate } from "../endorsements/certificate.ts";
import type { Certification } from "../evidence/quote.ts";
import { PCK_CHAIN } from "./chains/certificate-profile.ts";
import type { Checklist } from "./checklist.ts";
import { readOrNote } from "./read-or-note.ts";

/** DER of PCK certificate, PCK CA, root. */
export type PckChainDer = readonly [Uint8Array, Uint8Array, Uint8Array];

const PCK_CHAIN_IN_PEM = 5;
const PCK_IN_PEM = 4;

/**
 * Reads the chain from the quote, or, for quotes that only name their platform, from beside the endorsements. To a
 * certificate alone belongs the chain of its revocation list.
 *
 * @param beside  the chain in PEM, and DER of [PCK CA, root] as far as there are
 * @returns undefined if there are no three certificates, which was noted
 */
export function readPckChain(
  checklist: Checklist,
  { type, data }: Certification,
  beside: {
    readonly pckCertificateChain?: string | undefined;
    readonly authorities: readonly Uint8Array[];
  },
): PckChainDer | undefined {
  const { pckCertificateChain, authorities } = beside;
  const pem = type === PCK_CHAIN_IN_PEM || type === PCK_IN_PEM ? data : pckCertificateChain;
  checklist.note(
    pem !== undefined,
    "pck-chain-missing",
    "PCK chain: at hand",
    `certification data of type ${type}`,
    "type 5, a chain, or a chain beside the endorsements",
  );
  if (pem === undefined) return undefined;
  const claim = "PCK chain: canonical PEM";
  const found = readOrNote(checklist, "chain-malformed", claim, "canonical PEM of DER", () =>
    parsePemChain(pem),
  );
  if (found === undefined) return undefined;
  const chain = type === PCK_IN_PEM ? [...found, ...authorities] : found;
  const [pck, ca, root, ...others] = chain;
  const titles = PCK_CHAIN.map(({ title }) => title).join(", ");
  const isWhole = checklist.note(
    root !== undefined && others.length === 0,
    "chain-length",
    `PCK chain: ${titles}`,
    `${chain.length} certificates`,
    `${PCK_CHAIN.length}: ${titles}`,
  );
  if (!isWhole || pck === undefined || ca === undefined || root === undefined) return undefined;
  return [pck, ca, root];
}

/** Reads certificates; notes "chain-malformed". */
export const readCertificates = (
  checklist: Checklist,
  ders: readonly Uint8Array[],
): readonly Certificate[] | undefined =>
  readOrNote(
    checklist,
    "chain-malformed",
    "PCK chain: readable certificates",
    "canonical PEM of DER",
    () => ders.map(parseCertificate),
  );
