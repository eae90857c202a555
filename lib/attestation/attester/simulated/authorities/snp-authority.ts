/** ARK, ASK and ASVK of one product: AMD's structure and common names under RSA keys of our own. */
import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import type { UnixMs } from "../../../../base/ids.ts";
import type { SnpProduct } from "../../../evidence/snp-tcb.ts";
import { type Certified, type Holder, holderOf, WRONG_COMMON_NAME } from "./holder.ts";
import {
  authorityExtensions,
  type CertificateKnob,
  type CertificateKnobs,
  issueCertificate,
  validForYears,
} from "./issue-certificate.ts";

/** Keys of 4096 bits; the ASK's is the ASVK's too. */
export type SnpAuthorityKeys = { readonly ark: KeyObject; readonly ask: KeyObject };

/** Certificates of an installation, DER; made once. */
export type SnpCertificates = Readonly<Record<"ark" | "ask" | "asvk", Uint8Array>>;

/** What an installation keeps for a product. */
export type SnpAuthorityMaterial = {
  readonly keys: SnpAuthorityKeys;
  readonly certificates: SnpCertificates;
};

/** Who issues signers' certificates: the ASK issues VCEKs, the ASVK issues VLEKs. */
export type SnpAuthority = { readonly ark: Certified; readonly ask: Certified };

const RSA_BITS = 4096;
/** Of ARK and ASK, as AMD's. */
const AUTHORITY_YEARS = 25;
/** Of a VCEK, as AMD's; a VLEK lives one year there, which would end development roots early. */
export const SNP_LEAF_YEARS = 7;

/** Makes the keys of a product, which takes a second or more, off the event loop. */
export async function generateSnpKeys(): Promise<SnpAuthorityKeys> {
  const generate = promisify(generateKeyPair);
  const [ark, ask] = await Promise.all([
    generate("rsa", { modulusLength: RSA_BITS }),
    generate("rsa", { modulusLength: RSA_BITS }),
  ]);
  return { ark: ark.privateKey, ask: ask.privateKey };
}

/** Issues the certificates of a product for the first time. */
export function createSnpAuthority(
  keys: SnpAuthorityKeys,
  product: SnpProduct,
  createdAtMs: UnixMs,
): SnpAuthorityMaterial {
  const { ark, ask } = issueSnpAuthority(keys, product, "vcek", createdAtMs, {});
  const asvk = issueSnpAuthority(keys, product, "vlek", createdAtMs, {}).ask;
  return { keys, certificates: { ark: ark.der, ask: ask.der, asvk: asvk.der } };
}

/** The authority as it is, with the certificates that were made for it. */
export function honestSnpAuthority(
  { keys, certificates }: SnpAuthorityMaterial,
  product: SnpProduct,
  signingKey: "vcek" | "vlek",
): SnpAuthority {
  const { ark, ask } = holders(keys, product, signingKey, {});
  return {
    ark: { ...ark, der: certificates.ark },
    ask: { ...ask, der: signingKey === "vcek" ? certificates.ask : certificates.asvk },
  };
}

/** Issues an authority anew, with faults; what is below a fault is issued to fit it. */
export function issueSnpAuthority(
  keys: SnpAuthorityKeys,
  product: SnpProduct,
  signingKey: "vcek" | "vlek",
  createdAtMs: UnixMs,
  knobs: CertificateKnobs,
): SnpAuthority {
  const { ark, ask } = holders(keys, product, signingKey, knobs);
  const dates = validForYears(createdAtMs, AUTHORITY_YEARS);
  const arkPlan = {
    holder: ark,
    issuer: ark,
    ...dates,
    extensions: authorityExtensions(ark, ark, undefined),
  };
  const askPlan = {
    holder: ask,
    issuer: ark,
    ...dates,
    extensions: authorityExtensions(ask, ark, 0),
  };
  return {
    ark: { ...ark, der: issueCertificate(arkPlan, knobs.ark) },
    ask: { ...ask, der: issueCertificate(askPlan, knobs.ask) },
  };
}

function holders(
  keys: SnpAuthorityKeys,
  product: SnpProduct,
  signingKey: "vcek" | "vlek",
  knobs: CertificateKnobs,
): { readonly ark: Holder; readonly ask: Holder } {
  const askName = signingKey === "vcek" ? `SEV-${product}` : `SEV-VLEK-${product}`;
  const named = (name: string, key: KeyObject, knob: CertificateKnob | undefined): Holder =>
    holderOf("AMD", knob === "wrong-name" ? WRONG_COMMON_NAME : name, key, "rsa-pss-sha384");
  return {
    ark: named(`ARK-${product}`, keys.ark, knobs.ark),
    ask: named(askName, keys.ask, knobs.ask),
  };
}
