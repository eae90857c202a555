/** Which platform a quote says it comes from: to find collateral, and to show. Nothing of it is verified. */
import type { DcapPlatformKey } from "../../lib/attestation/collateral/collateral-source.ts";
import { nameOfDcap } from "../../lib/attestation/collateral/collateral-source.ts";
import { parsePemChain } from "../../lib/attestation/encoding/pem.ts";
import { parseCertificate } from "../../lib/attestation/endorsements/certificate.ts";
import { readSgxExtension } from "../../lib/attestation/endorsements/sgx-extension.ts";
import type { Quote } from "../../lib/attestation/evidence/quote.ts";
import { EvidenceError } from "../../lib/attestation/evidence-error.ts";
import { toHex } from "../../lib/base/bytes.ts";

/** Certification data that holds the PCK chain in PEM. */
const PCK_CHAIN = 5;
const PCK_CAS = {
  "Intel SGX PCK Platform CA": "platform",
  "Intel SGX PCK Processor CA": "processor",
} as const;

/** The name under which sources keep what Intel says of the platform; undefined if the quote does not tell. */
export function platformOfQuote({ body, quotingEnclave }: Quote): DcapPlatformKey | undefined {
  const { type, data } = quotingEnclave.certification;
  if (type !== PCK_CHAIN) return undefined;
  try {
    const [pck, authority] = parsePemChain(data).map(parseCertificate);
    const pckCa = Object.entries(PCK_CAS).find(([name]) => name === authority?.commonName)?.[1];
    if (pck === undefined || pckCa === undefined) return undefined;
    return { tee: body.tee, fmspc: toHex(readSgxExtension(pck).fmspc), pckCa };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return undefined;
  }
}

/** "SGX platform 00906ed50000 (processor CA)", for people. */
export function describePlatform(quote: Quote): string {
  const key = platformOfQuote(quote);
  return key === undefined ? "not named by a PCK chain" : nameOfDcap(key);
}
