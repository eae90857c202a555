/** Header and body of simulated quotes: the measured enclave or domain, with what knobs change of it. */
import { sha256, utf8 } from "../../../base/bytes.ts";
import type { SgxMeasurements } from "../../evidence/sgx-report.ts";
import type { TdxMeasurements } from "../../evidence/td-report.ts";
import { placed } from "./formats/byte-layout.ts";
import type { QuoteHeader } from "./formats/quote-writer.ts";
import {
  BLANK_SGX_MEASUREMENTS,
  SGX_DEBUG_FLAG,
  writeSgxReport,
} from "./formats/sgx-report-writer.ts";
import { BLANK_TDX_MEASUREMENTS, TD_DEBUG_BIT, writeTdReport } from "./formats/td-report-writer.ts";
import type { QuoteKnobs, SimulatorKnobs, TdxModuleKnobs } from "./knobs/simulator-knobs.ts";
import { cpuSvnOf } from "./pck-chain.ts";
import type { DcapSettings } from "./platform-settings.ts";

/** What is measured of an enclave or domain; what is left out is blank. */
export type DcapMeasurement =
  | ({ readonly tee: "sgx" } & Partial<SgxMeasurements>)
  | ({ readonly tee: "tdx" } & Partial<TdxMeasurements>);

const INTEL_QE_VENDOR = Buffer.from("939a7233f79c4ca9940a0db3957f0607", "hex");

/** What stands before the body. */
export function quoteHeader(settings: DcapSettings, { qe }: SimulatorKnobs): QuoteHeader {
  const body = settings.tee === "sgx" ? "sgx" : (`td-${settings.tdReport}` as const);
  return {
    version: settings.quoteVersion,
    body,
    qeSvn: qe.isvSvn,
    pceSvn: settings.pceSvn,
    qeVendorId: qe.vendor === "intel" ? INTEL_QE_VENDOR : new Uint8Array(16),
    userData: placed(20, [[0, sha256(utf8("qe id"), settings.ppid).subarray(0, 16)]]),
  };
}

/** Report of the enclave or domain. @param reportData  64 bytes */
export function quoteBody(
  settings: DcapSettings,
  { quote, tdxModule }: SimulatorKnobs,
  measurement: DcapMeasurement,
  reportData: Uint8Array,
): Uint8Array {
  if (measurement.tee === "sgx") {
    const { tee: _, ...given } = measurement;
    const measurements = { ...BLANK_SGX_MEASUREMENTS, ...given };
    const attributes = quote.isDebug
      ? withBits(measurements.attributes, SGX_DEBUG_FLAG)
      : measurements.attributes;
    return writeSgxReport({
      ...measurements,
      attributes,
      cpuSvn: cpuSvnOf(settings),
      reportData,
    });
  }
  const { tee: _, ...given } = measurement;
  const blank = { ...BLANK_TDX_MEASUREMENTS, teeTcbSvn: settings.teeTcbSvn };
  return writeTdReport(
    {
      ...domainUnder(quote, tdxModule, { ...blank, ...given }),
      teeTcbSvn2: settings.teeTcbSvn2,
      reportData,
    },
    settings.tdReport,
  );
}

function domainUnder(
  quote: QuoteKnobs,
  module: TdxModuleKnobs,
  domain: TdxMeasurements,
): TdxMeasurements {
  const filled = (bytes: Uint8Array) => new Uint8Array(bytes.byteLength).fill(0xee);
  return {
    ...domain,
    ...(quote.isDebug && { tdAttributes: withBits(domain.tdAttributes, TD_DEBUG_BIT) }),
    ...(quote.hasServiceTd && { mrServiceTd: new Uint8Array(48).fill(0x7d) }),
    ...(module.mrSigner === "other" && { mrSignerSeam: filled(domain.mrSignerSeam) }),
    ...(module.attributes === "other" && { seamAttributes: filled(domain.seamAttributes) }),
  };
}

const withBits = (bytes: Uint8Array, bits: number): Uint8Array =>
  bytes.with(0, (bytes[0] ?? 0) | bits);
