/** Endorsements of a simulated SGX or TDX platform, dated around a given instant. */
import { type KeyObject, sign } from "node:crypto";
import { utf8 } from "../../../base/bytes.ts";
import { certificatePem } from "../../../base/certificate.ts";
import type { UnixMs } from "../../../base/ids.ts";
import type { DcapCollateral } from "../../endorsements/dcap-collateral.ts";
import type { CertificatePart, DatedObjectFault } from "../../verification/codes.ts";
import type { DcapAuthority } from "./authorities/dcap-authority.ts";
import type { Holder } from "./authorities/holder.ts";
import { issueCrl } from "./authorities/issue-crl.ts";
import { qeIdentityText, tcbInfoText } from "./intel-documents.ts";
import type { SimulatorKnobs } from "./knobs/simulator-knobs.ts";
import type { PckChain } from "./pck-chain.ts";
import type { DcapSettings } from "./platform-settings.ts";

/**
 * Issued an hour ago, for 30 days, and signed now: about 1 ms.
 * @param served  the authority whose PCK CA the collateral is for
 */
export function issueCollateral(
  given: {
    readonly settings: DcapSettings;
    readonly knobs: SimulatorKnobs;
    readonly served: DcapAuthority;
    readonly chain: PckChain;
  },
  nowMs: UnixMs,
): DcapCollateral {
  const { settings, knobs, served, chain } = given;
  const { root, pckCa, tcbSigning } = served;
  const { documents } = knobs.faults;
  const { documentSigner } = knobs.chain;
  const signer = documentSigner === "tcb-signer" ? tcbSigning : chain.pck;
  const signerChain = pemChain(
    documentSigner === "pck-with-its-chain" ? chain.certificates : [signer.der, root.der],
  );
  const tcbInfo = signedText(
    tcbInfoText(settings, knobs, nowMs),
    signer.signer.privateKey,
    documents["tcb-info"],
  );
  const qeIdentity = signedText(
    qeIdentityText(settings, knobs, nowMs),
    signer.signer.privateKey,
    documents["qe-identity"],
  );
  const revokedOf = (...parts: readonly (readonly [CertificatePart, Holder])[]) =>
    parts
      .filter(([part]) => knobs.faults.certificates[part] === "revoked")
      .map(([, holder]) => holder);
  const list = { number: knobs.tcb.crlNumber, nowMs };
  return {
    pckCrlIssuerChain: pemChain([pckCa.der, root.der]),
    rootCaCrl: issueCrl(
      {
        ...list,
        issuer: root,
        revoked: revokedOf(["root", root], ["pck-ca", pckCa], ["tcb-signing", tcbSigning]),
      },
      documents["root-crl"],
    ),
    pckCrl: issueCrl(
      { ...list, issuer: pckCa, revoked: revokedOf(["pck", chain.pck]) },
      documents["pck-crl"],
    ),
    tcbInfoIssuerChain: signerChain,
    tcbInfo: tcbInfo.text,
    tcbInfoSignature: tcbInfo.signature,
    qeIdentityIssuerChain: signerChain,
    qeIdentity: qeIdentity.text,
    qeIdentitySignature: qeIdentity.signature,
    ...(knobs.quote.certificationType === 1 &&
      knobs.chain.isPckChainServed && { pckCertificateChain: pemChain(chain.certificates) }),
  };
}

/** A text with its signature; one whose signature is to be wrong has a space too many, where nobody would see it. */
function signedText(
  text: string,
  privateKey: KeyObject,
  fault: DatedObjectFault | undefined,
): { readonly text: string; readonly signature: Uint8Array } {
  const signature = sign("sha256", utf8(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return {
    text: fault === "signature-invalid" ? `${text} ` : text,
    signature: new Uint8Array(signature),
  };
}

const pemChain = (certificates: readonly Uint8Array[]): string =>
  certificates.map(certificatePem).join("");
