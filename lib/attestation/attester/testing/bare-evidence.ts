/** Evidence that reads well and that nobody vouches for: attesters look at its form and report data only. */
import {
  certificationPart,
  type QuoteBodyKind,
  signedPart,
  writeQuote,
} from "../simulated/formats/quote-writer.ts";
import { BLANK_SGX_MEASUREMENTS, writeSgxReport } from "../simulated/formats/sgx-report-writer.ts";
import { BLANK_TDX_MEASUREMENTS, writeTdReport } from "../simulated/formats/td-report-writer.ts";

const PEM = Buffer.from("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

/** An SGX quote, version 3. */
export const bareSgxQuote = (reportData: Uint8Array): Uint8Array =>
  bareQuote(
    3,
    "sgx",
    writeSgxReport({ ...BLANK_SGX_MEASUREMENTS, cpuSvn: new Uint8Array(16), reportData }),
  );

/** A TDX quote, version 4 (TDX 1.0) or 5 (TDX 1.5). */
export const bareTdxQuote = (reportData: Uint8Array, version: 4 | 5 = 4): Uint8Array => {
  const form = version === 4 ? "1.0" : "1.5";
  return bareQuote(
    version,
    `td-${form}`,
    writeTdReport({ ...BLANK_TDX_MEASUREMENTS, reportData }, form),
  );
};

/** An SNP report, version 3. @param signingKey  0 is VCEK, 1 is VLEK */
export function bareSnpReport(reportData: Uint8Array, signingKey: 0 | 1 = 0): Uint8Array {
  const report = new Uint8Array(1184);
  report[0] = 3;
  report[0x34] = 1;
  report[0x48] = signingKey << 2;
  report.set(reportData, 0x50);
  return report;
}

function bareQuote(version: 3 | 4 | 5, body: QuoteBodyKind, report: Uint8Array): Uint8Array {
  const header = {
    version,
    body,
    qeSvn: 0,
    pceSvn: 0,
    qeVendorId: Buffer.from("939a7233f79c4ca9940a0db3957f0607", "hex"),
    userData: new Uint8Array(20),
  };
  const certification = certificationPart(version, {
    attestationKey: new Uint8Array(64),
    report: writeSgxReport({
      ...BLANK_SGX_MEASUREMENTS,
      cpuSvn: new Uint8Array(16),
      reportData: new Uint8Array(64),
    }),
    reportSignature: new Uint8Array(64),
    authenticationData: new Uint8Array(),
    certificationType: 5,
    certificationData: PEM,
  });
  return writeQuote(signedPart(header, report), new Uint8Array(64), certification);
}
