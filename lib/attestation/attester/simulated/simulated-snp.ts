/** A simulated SEV-SNP platform: reports in the genuine format, and the endorsements that go with them. */
import { sign } from "node:crypto";
import { concatBytes } from "../../../base/bytes.ts";
import type { UnixMs } from "../../../base/ids.ts";
import type { SnpEndorsements } from "../../endorsements/snp-endorsements.ts";
import type { SnpMeasurements } from "../../evidence/snp-report.ts";
import type { Certified, Holder } from "./authorities/holder.ts";
import { spoiled } from "./authorities/issue-certificate.ts";
import { issueCrl } from "./authorities/issue-crl.ts";
import { honestSnpAuthority, issueSnpAuthority } from "./authorities/snp-authority.ts";
import { exactly } from "./formats/byte-layout.ts";
import {
  BLANK_SNP_MEASUREMENTS,
  SNP_DEBUG_BIT,
  SNP_MIGRATION_AGENT_BIT,
  writeSnpReportBody,
  writeSnpSignature,
} from "./formats/snp-report-writer.ts";
import type { SimulatorKnobs, SnpKnobs } from "./knobs/simulator-knobs.ts";
import type { SnpSettings } from "./platform-settings.ts";
import type { DevelopmentRoot } from "./root/development-root.ts";
import { issueSnpSigner } from "./snp-signer.ts";

/** What is measured of a guest; what is left out is blank. */
export type SnpMeasurement = { readonly tee: "sev-snp" } & Partial<SnpMeasurements>;

/** A platform that was started. */
export type SimulatedSnp = {
  /** The ARK under which everything verifies, DER. */
  readonly anchor: Uint8Array;
  /** DER, as a host hands them to its guests: VCEK or VLEK, ASK or ASVK, ARK. */
  readonly certificates: readonly Uint8Array[];
  /** A report over 64 bytes. */
  readonly report: (measurement: SnpMeasurement, reportData: Uint8Array) => Uint8Array;
  readonly endorsements: (nowMs: UnixMs) => SnpEndorsements;
};

/** Starts a platform; for the first of a product RSA keys are made. */
export async function simulateSnp(
  root: DevelopmentRoot,
  settings: SnpSettings,
  knobs: SimulatorKnobs,
): Promise<SimulatedSnp> {
  const { product, signingKey } = settings;
  const { certificates: faults, documents } = knobs.faults;
  const material = await root.snp(product);
  const authority =
    Object.keys(faults).length === 0
      ? honestSnpAuthority(material, product, signingKey)
      : issueSnpAuthority(material.keys, product, signingKey, root.createdAtMs, faults);
  const signer = issueSnpSigner(root, settings, knobs, authority);
  const { ark, ask } = authority;
  return {
    anchor: ark.der,
    certificates: [signer.der, ask.der, ark.der],
    report: (measurement, reportData) =>
      signedReport(settings, knobs.snp, measurement, reportData, signer),
    endorsements: (nowMs) => {
      const revoked: Holder[] = [];
      if (faults.ask === "revoked") revoked.push(ask);
      if (faults.ark === "revoked") revoked.push(ark);
      const list = { issuer: ark, revoked, number: knobs.tcb.crlNumber, nowMs };
      const crl = issueCrl(list, documents["ark-crl"]);
      return { leaf: signer.der, chain: [ask.der, ark.der], crl };
    },
  };
}

function signedReport(
  settings: SnpSettings,
  snp: SnpKnobs,
  measurement: SnpMeasurement,
  reportData: Uint8Array,
  signer: Certified,
): Uint8Array {
  const { tcb, chipId, signingKey } = settings;
  const { tee: _, ...given } = measurement;
  const measurements = { ...BLANK_SNP_MEASUREMENTS, ...given };
  const otherKey = signingKey === "vcek" ? "vlek" : "vcek";
  const isChipHidden = signingKey === "vlek" || snp.chipId === "masked";
  const body = writeSnpReportBody({
    version: settings.reportVersion,
    product: settings.product,
    measurements: {
      ...measurements,
      policy:
        measurements.policy |
        (snp.isDebug ? SNP_DEBUG_BIT : 0n) |
        (snp.hasMigrationAgent ? SNP_MIGRATION_AGENT_BIT : 0n),
    },
    signatureAlgorithm: snp.signatureAlgorithm,
    signingKey: snp.signingKey === "same" ? signingKey : otherKey,
    chipId: isChipHidden
      ? new Uint8Array(64)
      : snp.chipId === "certified"
        ? chipId
        : chipId.with(0, (chipId[0] ?? 0) ^ 0xff),
    currentTcb: tcb,
    reportedTcb: snp.reportedTcb === "certified" ? tcb : { ...tcb, microcode: tcb.microcode + 1 },
    committedTcb: tcb,
    launchTcb: tcb,
    reportData: exactly(64, reportData),
  });
  return concatBytes(body, signatureField(body, signer, snp));
}

function signatureField(body: Uint8Array, signer: Certified, snp: SnpKnobs): Uint8Array {
  const key = signer.signer.privateKey;
  const signature = new Uint8Array(sign("sha384", body, { key, dsaEncoding: "ieee-p1363" }));
  const shown = {
    right: signature,
    spoiled: spoiled(signature),
    zero: new Uint8Array(signature.byteLength),
  }[snp.signature];
  const field = writeSnpSignature(shown);
  return field.with(field.byteLength - 1, snp.signaturePadding);
}
