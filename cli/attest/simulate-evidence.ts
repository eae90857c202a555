/** Evidence of a TEE in software, and everything that goes with it, as files for trying things. */
import type { Attester, Evidence } from "../../lib/attestation/attester/attester.ts";
import { writeRaTlsCertificate } from "../../lib/attestation/attester/ra-tls-writer.ts";
import type { Knob } from "../../lib/attestation/attester/simulated/knobs/knob.ts";
import { platformFor } from "../../lib/attestation/attester/simulated/knobs/knobs.ts";
import { measureCode } from "../../lib/attestation/attester/simulated/measure-code.ts";
import type { DevelopmentRoot } from "../../lib/attestation/attester/simulated/root/development-root.ts";
import {
  type SimulatedEndorsements,
  simulatedTee,
} from "../../lib/attestation/attester/simulated/simulated-attester.ts";
import { writeQuoteCollateral } from "../../lib/attestation/collateral/quote-collateral.ts";
import { EvidenceError } from "../../lib/attestation/evidence-error.ts";
import type { Tee } from "../../lib/attestation/verification/claims.ts";
import { utf8 } from "../../lib/base/bytes.ts";
import { certificatePem } from "../../lib/base/certificate.ts";
import type { UnixMs } from "../../lib/base/ids.ts";
import { generateSigningKey } from "../../lib/base/keys.ts";

/** A file to be written: its name, and what is in it. */
export type SimulatedFile = {
  readonly name: string;
  readonly content: Uint8Array;
  /** How `attest verify` takes it: the evidence itself, the value of an option, or evidence too. */
  readonly use: "evidence" | "--collateral" | "--root" | "--leaf" | "--chain" | "--crl" | "also";
};

/** Zero but for a word that can be seen in dumps. */
const REPORT_DATA = new Uint8Array(64);
REPORT_DATA.set(utf8("fedclave simulation"));
const CODE = utf8("simulated code");

/** One machine with the knob turned, a quote or report of it, and for quotes an RA-TLS certificate. */
export async function simulateEvidence(given: {
  readonly root: DevelopmentRoot;
  readonly tee: Tee;
  readonly knob: Knob;
  readonly nowMs: UnixMs;
}): Promise<readonly SimulatedFile[]> {
  const { root, tee, knob, nowMs } = given;
  const machine = simulatedTee({ root, platform: platformFor(knob, tee), knobs: knob.knobs });
  const attester = machine.attester(measureCode(tee, [CODE]));
  const evidence = await attester.attest(REPORT_DATA);
  const endorsements = await machine.endorsements(nowMs);
  return [
    evidenceFile(evidence),
    ...endorsementFiles(endorsements),
    ...(evidence.kind === "dcap-quote" ? await certificateFiles(attester) : []),
  ];
}

const evidenceFile = ({ kind, bytes }: Evidence): SimulatedFile => ({
  name: kind === "dcap-quote" ? "quote.bin" : "report.bin",
  content: bytes,
  use: "evidence",
});

function endorsementFiles(given: SimulatedEndorsements): SimulatedFile[] {
  const root: SimulatedFile = { name: "root.der", content: given.anchor, use: "--root" };
  if (given.kind === "dcap") {
    const content = utf8(writeQuoteCollateral(given.collateral));
    return [{ name: "collateral.json", content, use: "--collateral" }, root];
  }
  const { leaf, chain, crl } = given.endorsements;
  return [
    { name: "leaf.der", content: leaf, use: "--leaf" },
    { name: "chain.pem", content: utf8(chain.map(certificatePem).join("")), use: "--chain" },
    ...(crl === undefined ? [] : [{ name: "crl.der", content: crl, use: "--crl" } as const]),
    root,
  ];
}

/** A quote that a knob made unreadable goes into no certificate. */
async function certificateFiles(attester: Attester): Promise<SimulatedFile[]> {
  const { privateKey } = generateSigningKey();
  try {
    const der = await writeRaTlsCertificate({ attester, privateKey, nonce: undefined });
    return [{ name: "ra-tls.pem", content: utf8(certificatePem(der)), use: "also" }];
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return [];
  }
}
