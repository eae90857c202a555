/** A simulated SGX or TDX platform: quotes in the genuine format, and the collateral that goes with them. */
import { type KeyObject, sign } from "node:crypto";
import { concatBytes } from "../../../base/bytes.ts";
import type { UnixMs } from "../../../base/ids.ts";
import { assertInvariant } from "../../../base/refusal.ts";
import type { DcapCollateral } from "../../endorsements/dcap-collateral.ts";
import { honestAuthority, issueAuthority, type PckCa } from "./authorities/dcap-authority.ts";
import { otherSignature } from "./authorities/derived-key.ts";
import { spoiled } from "./authorities/issue-certificate.ts";
import { exactly } from "./formats/byte-layout.ts";
import { signedPart, writeQuote } from "./formats/quote-writer.ts";
import type { QuoteKnobs, SimulatorKnobs } from "./knobs/simulator-knobs.ts";
import { issuePckChain } from "./pck-chain.ts";
import type { DcapSettings } from "./platform-settings.ts";
import { type DcapMeasurement, quoteBody, quoteHeader } from "./quote-body.ts";
import { openQuotingEnclave } from "./quoting-enclave.ts";
import type { DevelopmentRoot } from "./root/development-root.ts";
import { issueCollateral } from "./simulated-collateral.ts";

/** A platform that was started. */
export type SimulatedDcap = {
  /** The root certificate under which everything verifies, DER. */
  readonly anchor: Uint8Array;
  /** A quote over 64 bytes. */
  readonly quote: (measurement: DcapMeasurement, reportData: Uint8Array) => Uint8Array;
  readonly collateral: (nowMs: UnixMs) => DcapCollateral;
};

/** Starts a platform: all that its quotes have in common is made here. */
export function simulateDcap(
  root: DevelopmentRoot,
  settings: DcapSettings,
  knobs: SimulatorKnobs,
): SimulatedDcap {
  const { seed, createdAtMs } = root;
  const authorityOf = (pckCa: PckCa) =>
    Object.keys(knobs.faults.certificates).length === 0
      ? honestAuthority(seed, pckCa, root.dcap)
      : issueAuthority(seed, createdAtMs, pckCa, knobs.faults.certificates);
  const authority = authorityOf(settings.pckCa);
  const chain = issuePckChain({ seed, createdAtMs, authority, settings, knobs });
  const { qe, quote } = knobs;
  const enclave = openQuotingEnclave({ seed, settings, chain, qe, quote });
  const otherCa = settings.pckCa === "platform" ? "processor" : "platform";
  return {
    anchor: authority.root.der,
    quote: (measurement, reportData) => {
      assertInvariant(measurement.tee === settings.tee, "what is measured runs on this platform");
      const body = quoteBody(settings, knobs, measurement, exactly(64, reportData));
      const signed = signedPart(quoteHeader(settings, knobs), body);
      const signature = quoteSignature(signed, enclave.attestationKey, quote.signature);
      return concatBytes(
        writeQuote(signed, signature, enclave.certification),
        new Uint8Array(quote.paddingBytes),
        new Uint8Array(quote.trailingBytes).fill(1),
      );
    },
    collateral: (nowMs) => {
      const served = knobs.chain.pckCa === "same" ? authority : authorityOf(otherCa);
      return issueCollateral({ settings, knobs, served, chain }, nowMs);
    },
  };
}

function quoteSignature(
  signed: Uint8Array,
  key: KeyObject,
  kind: QuoteKnobs["signature"],
): Uint8Array {
  if (kind === "zero") return new Uint8Array(64);
  const signature = new Uint8Array(sign("sha256", signed, { key, dsaEncoding: "ieee-p1363" }));
  switch (kind) {
    case "right":
      return signature;
    case "other-s":
      return otherSignature(signature);
    case "spoiled":
      return spoiled(signature);
  }
}
