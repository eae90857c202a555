/** Looks through a set of DCAP endorsements and notes whatever is wrong with them. */
import { equalBytes } from "../../base/bytes.ts";
import type { UnixMs } from "../../base/ids.ts";
import type { Certificate } from "../endorsements/certificate.ts";
import { checkChain, readChain } from "../endorsements/certificate-chain.ts";
import {
  type ChainProfile,
  PCK_CRL_CHAIN,
  TCB_SIGNING_CHAIN,
} from "../endorsements/certificate-profile.ts";
import { checkDates, type Validity } from "../endorsements/check-dates.ts";
import { type CrlObject, checkCrl, checkNotRevoked } from "../endorsements/check-revocation.ts";
import { type Crl, parseCrl } from "../endorsements/crl.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import { parseQeIdentity, type QeIdentity } from "../endorsements/qe-identity.ts";
import { readPublicKey } from "../endorsements/signature-algorithm.ts";
import { parseTcbInfo, type TcbInfo } from "../endorsements/tcb-info.ts";
import { EvidenceError } from "../evidence-error.ts";
import type { Checklist } from "./checklist.ts";
import type { CertificatePart, DatedObject } from "./codes.ts";
import { verifyRaw } from "./raw-signature.ts";

/** An object of the set with its dates. */
export type DatedPart = {
  readonly object: CertificatePart | DatedObject;
  /** For people: "TCB info". */
  readonly title: string;
  readonly validity: Validity;
};

/** What could be read, whether or not it holds: so that a quote can be held against it and every reason found. */
export type CollateralParts = {
  /** The root of the first chain, trusted or not. */
  readonly root: Certificate | undefined;
  readonly pckCa: Certificate | undefined;
  readonly rootCrl: Crl | undefined;
  readonly pckCrl: Crl | undefined;
  readonly tcbInfo: TcbInfo | undefined;
  readonly qeIdentity: QeIdentity | undefined;
  readonly dated: readonly DatedPart[];
};

/**
 * Checks chains up to a trusted root, revocation lists and who is on them, signatures, dates, and that both documents
 * are about the same TEE.
 *
 * @param anchors  roots that are trusted, DER
 */
export function examineCollateral(
  checklist: Checklist,
  given: DcapCollateral,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): CollateralParts {
  const examined = new Examination(checklist, anchors, nowMs);
  const rootCrl = examined.crl(given.rootCaCrl, "Intel root's CRL");
  const pckCrl = examined.crl(given.pckCrl, "PCK CRL");
  const pckCa = examined.chain(given.pckCrlIssuerChain, PCK_CRL_CHAIN, "PCK CRL chain", rootCrl);
  const tcbSigner = examined.signer(given.tcbInfoIssuerChain, "TCB info chain", rootCrl);
  const qeSigner = examined.signer(given.qeIdentityIssuerChain, "QE identity chain", rootCrl);
  const { root } = examined;
  const [pckCaProfile, rootProfile] = PCK_CRL_CHAIN;
  if (rootCrl !== undefined && root !== undefined && rootProfile !== undefined) {
    checkCrl(checklist, rootCrl, "root-crl", "Intel root's CRL", root, rootProfile, nowMs);
  }
  if (pckCrl !== undefined && pckCa !== undefined && pckCaProfile !== undefined) {
    checkCrl(checklist, pckCrl, "pck-crl", "PCK CRL", pckCa, pckCaProfile, nowMs);
  }
  const tcbInfo = examined.document("tcb-info", "TCB info", given.tcbInfo, parseTcbInfo, {
    signer: tcbSigner,
    signature: given.tcbInfoSignature,
  });
  const qeIdentity = examined.document(
    "qe-identity",
    "QE identity",
    given.qeIdentity,
    parseQeIdentity,
    { signer: qeSigner, signature: given.qeIdentitySignature },
  );
  if (tcbInfo !== undefined && qeIdentity !== undefined) {
    checklist.note(
      qeIdentity.tee === tcbInfo.tee,
      "qe-identity-wrong-tee",
      "QE identity: of the TEE that TCB info is about",
      qeIdentity.tee,
      tcbInfo.tee,
    );
  }
  return { root, pckCa, rootCrl, pckCrl, tcbInfo, qeIdentity, dated: examined.dated };
}

/** Signed JSON: by whom, if that could be read. */
type SignedBy = { readonly signer: Certificate | undefined; readonly signature: Uint8Array };

/** One pass over a set; remembers the root of its first chain, under which all others must be, and what has dates. */
class Examination {
  readonly dated: DatedPart[] = [];
  root: Certificate | undefined;
  readonly #checklist: Checklist;
  readonly #anchors: readonly Uint8Array[];
  readonly #nowMs: UnixMs;

  constructor(checklist: Checklist, anchors: readonly Uint8Array[], nowMs: UnixMs) {
    this.#checklist = checklist;
    this.#anchors = anchors;
    this.#nowMs = nowMs;
  }

  /** @returns the first certificate of a chain of two */
  chain(
    pem: string,
    profile: ChainProfile,
    title: string,
    rootCrl: Crl | undefined,
  ): Certificate | undefined {
    const chain = readChain(this.#checklist, pem, profile, title);
    const [end, root] = chain ?? [];
    const [endProfile] = profile;
    if (chain === undefined || end === undefined || root === undefined) return undefined;
    this.#checkRoot(root, title);
    checkChain(this.#checklist, chain, profile, this.#nowMs);
    chain.forEach(({ notBeforeMs: fromMs, notAfterMs: toMs }, index) => {
      const its = profile[index];
      if (its === undefined) return;
      this.dated.push({ object: its.part, title: its.title, validity: { fromMs, toMs } });
    });
    if (rootCrl !== undefined && endProfile !== undefined) {
      checkNotRevoked(this.#checklist, end, endProfile, rootCrl);
    }
    return end;
  }

  signer(pem: string, title: string, rootCrl: Crl | undefined): Certificate | undefined {
    return this.chain(pem, TCB_SIGNING_CHAIN, title, rootCrl);
  }

  crl(der: Uint8Array, title: string): Crl | undefined {
    const object: CrlObject = title === "PCK CRL" ? "pck-crl" : "root-crl";
    const crl = this.#read(object, title, () => parseCrl(der));
    if (crl !== undefined) {
      const validity = { fromMs: crl.thisUpdateMs, toMs: crl.nextUpdateMs };
      this.dated.push({ object, title, validity });
    }
    return crl;
  }

  /** A document that its signer vouches for; it is read whether or not the signature holds. */
  document<T extends { readonly issueDateMs: UnixMs; readonly nextUpdateMs: UnixMs }>(
    object: "tcb-info" | "qe-identity",
    title: string,
    text: string,
    parse: (text: string) => T,
    { signer, signature }: SignedBy,
  ): T | undefined {
    if (signer !== undefined) {
      this.#checklist.note(
        isSignedBy(signer, text, signature),
        `${object}-signature-invalid`,
        `${title}: signed by the TCB signing certificate`,
        "a signature that does not verify",
        "a signature over exactly these bytes",
      );
    }
    const document = this.#read(object, title, () => parse(text));
    if (document === undefined) return undefined;
    const validity = { fromMs: document.issueDateMs, toMs: document.nextUpdateMs };
    checkDates(this.#checklist, object, title, validity, this.#nowMs);
    this.dated.push({ object, title, validity });
    return document;
  }

  #checkRoot(root: Certificate, title: string): void {
    const isFirst = this.root === undefined;
    this.root ??= root;
    const isTrusted = this.#anchors.some((anchor) => equalBytes(anchor, root.der));
    this.#checklist.note(
      isTrusted && (isFirst || equalBytes(this.root.der, root.der)),
      "root-not-trusted",
      `${title}: ends at a root that is trusted`,
      root.commonName ?? "a root without a name",
      "the certificate of a trusted root, byte for byte",
    );
  }

  #read<T>(object: DatedObject, title: string, parse: () => T): T | undefined {
    let value: T | undefined;
    let fault = "";
    try {
      value = parse();
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      fault = error.message;
    }
    const claim = `${title}: readable`;
    const isRead = value !== undefined;
    this.#checklist.note(isRead, `${object}-malformed`, claim, fault, "its one form");
    return value;
  }
}

function isSignedBy(signer: Certificate, text: string, signature: Uint8Array): boolean {
  try {
    const key = readPublicKey(signer.publicKeyDer);
    return verifyRaw(key, new Uint8Array(Buffer.from(text, "utf8")), signature);
  } catch {
    // OpenSSL throws for a key that is no point of its curve.
    return false;
  }
}
