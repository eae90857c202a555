/** The knobs as nobody turned them. */
import type { KnobSettings, LevelKnob, SimulatorKnobs } from "./simulator-knobs.ts";

const CURRENT_AND_OLD: readonly LevelKnob[] = [
  { ahead: 0, status: "UpToDate", advisories: [] },
  { ahead: -2, status: "OutOfDate", advisories: ["INTEL-SA-00615"] },
];

/** An honest, current platform. */
export const HONEST: SimulatorKnobs = {
  faults: { certificates: {}, documents: {} },
  chain: { pck: "honest", documentSigner: "tcb-signer", pckCa: "same", isPckChainServed: true },
  qe: {
    vendor: "intel",
    mrSigner: "known",
    isvProdId: "known",
    isvSvn: 8,
    isDebug: false,
    attributeFlags: 0x15,
    miscSelect: 0,
    authenticationBytes: 32,
    hashedAuthenticationBytes: "all",
    reportSignature: "right",
    attestationKey: "right",
    levels: CURRENT_AND_OLD,
  },
  quote: {
    isDebug: false,
    signature: "right",
    certificationType: 5,
    namedPlatform: "same",
    paddingBytes: 0,
    trailingBytes: 0,
    hasServiceTd: false,
  },
  tcb: {
    levels: CURRENT_AND_OLD,
    tcbInfoVersion: 3,
    evaluationNumber: 20,
    crlNumber: 20,
    fmspc: "same",
    pceId: "same",
    pckExtension: "right",
  },
  tdxModule: {
    isListed: true,
    mrSigner: "known",
    attributes: "known",
    levels: CURRENT_AND_OLD,
  },
  snp: {
    isDebug: false,
    hasMigrationAgent: false,
    signature: "right",
    signaturePadding: 0,
    signatureAlgorithm: 1,
    signingKey: "same",
    reportedTcb: "certified",
    chipId: "certified",
    certifiedProduct: "same",
  },
};

/** Every knob: as it was turned, honest elsewhere. */
export function allKnobs(turned: KnobSettings = {}): SimulatorKnobs {
  return {
    faults: { ...HONEST.faults, ...turned.faults },
    chain: { ...HONEST.chain, ...turned.chain },
    qe: { ...HONEST.qe, ...turned.qe },
    quote: { ...HONEST.quote, ...turned.quote },
    tcb: { ...HONEST.tcb, ...turned.tcb },
    tdxModule: { ...HONEST.tdxModule, ...turned.tdxModule },
    snp: { ...HONEST.snp, ...turned.snp },
  };
}
