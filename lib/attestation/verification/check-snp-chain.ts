/** AMD's chain above a VCEK or VLEK, as one of the product that its root is for, and what the root revoked. */
import type { UnixMs } from "../../base/ids.ts";
import { type Certificate, parseCertificate } from "../endorsements/certificate.ts";
import { type Crl, parseCrl } from "../endorsements/crl.ts";
import type { SnpEndorsements } from "../endorsements/snp-endorsements.ts";
import { productOf, type SnpSigner } from "../endorsements/vcek.ts";
import { checkChain } from "./chains/certificate-chain.ts";
import { type ChainProfile, snpChain } from "./chains/certificate-profile.ts";
import type { Validity } from "./chains/check-dates.ts";
import { checkCrl, checkNotRevoked } from "./chains/check-revocation.ts";
import type { Checklist } from "./checklist.ts";
import type { CertificatePart, DatedObject } from "./codes.ts";
import { readOrNote } from "./read-or-note.ts";

/** What is wanted of whatever cannot be read. */
const AS_SPECIFIED = "as AMD specifies it";

/** Certificates by their place; nothing in them is verified. */
export type SnpChain = {
  readonly leaf: Certificate;
  readonly ask: Certificate;
  readonly ark: Certificate;
};

/** Reads the three certificates; notes "chain-length" or "chain-malformed". @returns undefined if it was refused */
export function readSnpChain(checklist: Checklist, given: SnpEndorsements): SnpChain | undefined {
  const isWhole = checklist.note(
    given.chain.length === 2,
    "chain-length",
    "AMD chain: ASK or ASVK, and ARK",
    `${given.chain.length} certificates above the leaf`,
    "2: ASK or ASVK, then ARK",
  );
  if (!isWhole) return undefined;
  // Copies: what is kept after verification must not change with the caller's buffers.
  const all = [given.leaf, ...given.chain].map((der) => new Uint8Array(der));
  const [leaf, ask, ark] =
    readOrNote(checklist, "chain-malformed", "AMD chain: readable", AS_SPECIFIED, () =>
      all.map(parseCertificate),
    ) ?? [];
  if (leaf === undefined || ask === undefined || ark === undefined) return undefined;
  return { leaf, ask, ark };
}

/** Something that is valid from one time to another, both included. */
export type DatedEndorsement = {
  readonly object: CertificatePart | DatedObject;
  readonly title: string;
  readonly validity: Validity;
};

/** Checks the chain as one of the product that the root is for. @returns undefined if the root is for none */
export function checkSnpChain(
  checklist: Checklist,
  { leaf, ask, ark }: SnpChain,
  signer: SnpSigner | undefined,
  crlDer: Uint8Array | undefined,
  nowMs: UnixMs,
): readonly DatedEndorsement[] | undefined {
  const product = productOf(ark.commonName?.replace(/^ARK-/, "") ?? "");
  checklist.note(
    product !== undefined,
    "snp-product-unknown",
    "ARK: the root of a product line",
    ark.commonName ?? "no common name",
    "ARK-Milan, ARK-Genoa or ARK-Turin",
  );
  if (product === undefined) return undefined;
  const chain = [leaf, ask, ark];
  const profile = snpChain(product, leaf.commonName === "SEV-VLEK" ? "vlek" : "vcek");
  checkChain(checklist, chain, profile, nowMs);
  if (signer !== undefined) {
    checklist.note(
      signer.product === product,
      "snp-product-mismatch",
      "leaf: for a product of that root",
      signer.productName,
      product,
    );
  }
  const crl = crlDer && checkRevocation(checklist, { leaf, ask, ark }, crlDer, profile, nowMs);
  return [
    ...profile.flatMap(({ part, title }, index) => {
      const certificate = chain[index];
      return certificate
        ? [dated(part, title, certificate.notBeforeMs, certificate.notAfterMs)]
        : [];
    }),
    ...(crl ? [dated("ark-crl", "ARK CRL", crl.thisUpdateMs, crl.nextUpdateMs)] : []),
  ];
}

const dated = (
  object: CertificatePart | DatedObject,
  title: string,
  fromMs: UnixMs,
  toMs: UnixMs,
): DatedEndorsement => ({ object, title, validity: { fromMs, toMs } });

/** Checks the list, then the certificates above the leaf; AMD publishes no list of leaves. */
function checkRevocation(
  checklist: Checklist,
  { ask, ark }: SnpChain,
  crlDer: Uint8Array,
  profile: ChainProfile,
  nowMs: UnixMs,
): Crl | undefined {
  const crl = readOrNote(checklist, "ark-crl-malformed", "ARK CRL: readable", AS_SPECIFIED, () =>
    parseCrl(crlDer),
  );
  const [, askProfile, arkProfile] = profile;
  if (crl === undefined || askProfile === undefined || arkProfile === undefined) return undefined;
  // A list that does not hold could also revoke what nobody revoked: its entries say nothing.
  if (!checkCrl(checklist, crl, "ark-crl", "ARK CRL", ark, arkProfile, nowMs)) return undefined;
  checkNotRevoked(checklist, ask, askProfile, crl);
  checkNotRevoked(checklist, ark, arkProfile, crl);
  return crl;
}
