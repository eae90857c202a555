/**
 * DCAP quotes of versions 3, 4 and 5 (Intel SGX ECDSA quote library reference, appendix A; TDX DCAP quoting library,
 * appendix A). Everything is bounded by the bytes at hand; what nobody signs must have its one permitted value.
 */
import { ByteReader } from "../encoding/byte-reader.ts";
import { EvidenceError } from "../evidence-error.ts";
import { readSgxReport, type SgxReport } from "./sgx-report.ts";
import { readTdReport, type TdReport, type TdxVersion } from "./td-report.ts";

/** Largest quote that is read; those of today have 4 to 8 KiB. */
export const MAX_QUOTE_BYTES = 64 * 1024;

/**
 * How the PCK is given that signed the quoting enclave's report: 5 is its chain in PEM, 4 its certificate alone; 1 to 3
 * name the platform only, with the PPID in plain, under RSA-2048 or under RSA-3072.
 */
export type Certification = { readonly type: 1 | 2 | 3 | 4 | 5; readonly data: Uint8Array };

/** What is signed by the PCK of the platform: the quoting enclave, and with it the attestation key. */
export type QuotingEnclave = {
  readonly report: SgxReport;
  /** 64 bytes, r ‖ s, by the PCK over the report. */
  readonly signature: Uint8Array;
  /** Any length; hashed into the report together with the attestation key. */
  readonly authData: Uint8Array;
  readonly certification: Certification;
};

/** Whom a quote is about. */
export type QuoteBody =
  | { readonly tee: "sgx"; readonly report: SgxReport }
  | { readonly tee: "tdx"; readonly report: TdReport };

/** A quote that reads well; nothing in it is verified. Byte strings are views of one copy of the input. */
export type Quote = {
  readonly version: 3 | 4 | 5;
  /** 16 bytes. */
  readonly qeVendorId: Uint8Array;
  readonly body: QuoteBody;
  /** Of the body, 64 bytes. */
  readonly reportData: Uint8Array;
  /** Header and body, as the attestation key signs them. */
  readonly toBeSigned: Uint8Array;
  /** 64 bytes, r ‖ s. */
  readonly signature: Uint8Array;
  /** 64 bytes, x ‖ y of a point that may not be on P-256. */
  readonly attestationKey: Uint8Array;
  readonly quotingEnclave: QuotingEnclave;
  /** Zeros after the quote: device files of fixed size fill up with them. */
  readonly paddingBytes: number;
};

const ECDSA_P256 = 2;
const TEE_SGX = 0;
const TEE_TDX = 0x81;
/** Certification data that wraps the quoting enclave's report, from version 4 on. */
const QE_REPORT_CERTIFICATION = 6;

/**
 * Reads one quote, with nothing after it but zeros.
 * @throws EvidenceError "malformed-quote" | "too-large" (past 64 KiB)
 */
export function parseQuote(bytes: Uint8Array): Quote {
  if (bytes.byteLength > MAX_QUOTE_BYTES) {
    throw new EvidenceError("too-large", `quote of ${bytes.byteLength} bytes`);
  }
  // A copy: what is claimed later must not change with the caller's buffer.
  const whole = new Uint8Array(bytes);
  const reader = new ByteReader(whole, "malformed-quote", "quote");
  const { version, tee, qeVendorId } = readHeader(reader);
  const body = readBody(reader, version, tee);
  const toBeSigned = whole.subarray(0, reader.offset);
  const authentication = reader.within(reader.uint32("length of signature data"), "signature data");
  const signature = authentication.bytes(64, "signature");
  const attestationKey = authentication.bytes(64, "attestation key");
  const quotingEnclave =
    version === 3
      ? readQuotingEnclave(authentication)
      : readQuotingEnclave(readWrapped(authentication));
  authentication.end();
  const paddingBytes = reader.remaining;
  reader.zeros(paddingBytes, "padding");
  return {
    version,
    qeVendorId,
    body,
    reportData: body.report.reportData,
    toBeSigned,
    signature,
    attestationKey,
    quotingEnclave,
    paddingBytes,
  };
}

function readHeader(reader: ByteReader) {
  const version = reader.uint16("version");
  if (version !== 3 && version !== 4 && version !== 5) {
    throw reader.error("version", 0, `${version} is none of 3, 4 and 5`);
  }
  const keyType = reader.uint16("attestation key type");
  if (keyType !== ECDSA_P256) {
    throw reader.error("attestation key type", 2, `${keyType} is not ECDSA P-256 (2)`);
  }
  const tee = reader.uint32("TEE type");
  // Version 3 knows SGX only, and keeps these four bytes reserved.
  if (tee !== TEE_SGX && (tee !== TEE_TDX || version === 3)) {
    throw reader.error("TEE type", 4, `0x${tee.toString(16)} does not go with version ${version}`);
  }
  reader.uint16("QE SVN");
  reader.uint16("PCE SVN");
  const qeVendorId = reader.bytes(16, "QE vendor");
  reader.bytes(20, "user data");
  return { version, tee, qeVendorId } as const;
}

function readBody(reader: ByteReader, version: 3 | 4 | 5, tee: number): QuoteBody {
  if (version === 5) return readDescribedBody(reader, tee);
  return tee === TEE_SGX
    ? { tee: "sgx", report: readSgxReport(reader) }
    : { tee: "tdx", report: readTdReport(reader, "1.0") };
}

/** Bodies of version 5 by type; type and size stand before each. */
const TDX_BODIES: ReadonlyMap<number, TdxVersion> = new Map([
  [2, "1.0"],
  [3, "1.5"],
]);
const SGX_BODY = 1;

function readDescribedBody(reader: ByteReader, tee: number): QuoteBody {
  const start = reader.offset;
  const type = reader.uint16("body type");
  const body = reader.within(reader.uint32("body size"), "body");
  const tdxVersion = TDX_BODIES.get(type);
  let found: QuoteBody;
  if (type === SGX_BODY && tee === TEE_SGX) {
    found = { tee: "sgx", report: readSgxReport(body) };
  } else if (tdxVersion !== undefined && tee === TEE_TDX) {
    found = { tee: "tdx", report: readTdReport(body, tdxVersion) };
  } else {
    throw reader.error("body type", start, `${type} does not go with TEE 0x${tee.toString(16)}`);
  }
  body.end();
  return found;
}

function readWrapped(authentication: ByteReader): ByteReader {
  const start = authentication.offset;
  const type = authentication.uint16("certification data type");
  if (type !== QE_REPORT_CERTIFICATION) {
    const wanted = `${QE_REPORT_CERTIFICATION}, the report of the QE`;
    throw authentication.error("certification data type", start, `${type} is not ${wanted}`);
  }
  const size = authentication.uint32("certification data size");
  return authentication.within(size, "certification data");
}

const CERTIFICATION_TYPES = [1, 2, 3, 4, 5] as const;

function readQuotingEnclave(reader: ByteReader): QuotingEnclave {
  const report = readSgxReport(reader);
  const signature = reader.bytes(64, "signature of the QE report");
  const authData = reader.bytes(reader.uint16("length of QE data"), "QE data");
  const start = reader.offset;
  const number = reader.uint16("certification data type");
  const type = CERTIFICATION_TYPES.find((each) => each === number);
  if (type === undefined) throw reader.error("certification data type", start, `${number}`);
  const data = reader.bytes(reader.uint32("certification data size"), "certification data");
  reader.end();
  return { report, signature, authData, certification: { type, data } };
}
