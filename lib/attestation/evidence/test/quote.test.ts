import { describe, expect, test } from "vitest";
import { concatBytes, toHex } from "../../../base/bytes.ts";
import {
  certificationPart,
  type QuoteBodyKind,
  signedPart,
  writeQuote,
} from "../../attester/simulated/formats/quote-writer.ts";
import { BLANK_SGX_MEASUREMENTS } from "../../attester/simulated/formats/sgx-report-writer.ts";
import { BLANK_TDX_MEASUREMENTS } from "../../attester/simulated/formats/td-report-writer.ts";
import { EvidenceError } from "../../evidence-error.ts";
import { cuts } from "../../testing/damage.ts";
import { hasTestdata, readTestdata, readTestdataText } from "../../testing/testdata.ts";
import { MAX_QUOTE_BYTES, parseQuote } from "../quote.ts";
import { isDebugEnclave, SGX_REPORT_BYTES } from "../sgx-report.ts";
import { isDebugTd, TD_REPORT_BYTES } from "../td-report.ts";

/** Bytes of which each tells its place. */
const counting = (length: number, start = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => ((index + start) * 7) & 0xff);

const BODY_BYTES: Readonly<Record<QuoteBodyKind, number>> = {
  sgx: SGX_REPORT_BYTES,
  "td-1.0": TD_REPORT_BYTES["1.0"],
  "td-1.5": TD_REPORT_BYTES["1.5"],
};

/** A quote that nobody signed, with 5 bytes of authentication data and 9 of certification data. */
function quoteOf(version: 3 | 4 | 5, body: QuoteBodyKind): Uint8Array {
  const header = {
    version,
    body,
    qeSvn: 8,
    pceSvn: 13,
    qeVendorId: counting(16, 100),
    userData: counting(20, 200),
  };
  const certification = certificationPart(version, {
    attestationKey: counting(64, 3),
    report: counting(SGX_REPORT_BYTES, 5),
    reportSignature: counting(64, 11),
    authenticationData: counting(5, 17),
    certificationType: 1,
    certificationData: counting(9, 23),
  });
  const signed = signedPart(header, counting(BODY_BYTES[body]));
  return writeQuote(signed, counting(64, 31), certification);
}

const KINDS: readonly (readonly [3 | 4 | 5, QuoteBodyKind])[] = [
  [3, "sgx"],
  [4, "sgx"],
  [4, "td-1.0"],
  [5, "sgx"],
  [5, "td-1.0"],
  [5, "td-1.5"],
];

const failure = (bytes: Uint8Array): unknown => {
  try {
    parseQuote(bytes);
  } catch (error) {
    return error instanceof EvidenceError ? error.code : error;
  }
  return undefined;
};

/** A copy with other bytes at an offset, negative ones from the end. */
function patched(bytes: Uint8Array, offset: number, ...values: readonly number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, offset < 0 ? copy.byteLength + offset : offset);
  return copy;
}

describe("refused as unreadable", () => {
  const sgx3 = quoteOf(3, "sgx");
  const sgx4 = quoteOf(4, "sgx");
  const td4 = quoteOf(4, "td-1.0");
  const td5 = quoteOf(5, "td-1.5");
  const signatureLength = 48 + SGX_REPORT_BYTES;
  /** Where certification begins, after the length, signature and attestation key. */
  const outer4 = signatureLength + 4 + 128;

  test.each([
    ["nothing", new Uint8Array()],
    ["version 2", patched(sgx3, 0, 2)],
    ["version 6", patched(td5, 0, 6)],
    ["version 0x0103", patched(sgx3, 1, 1)],
    ["an attestation key of P-384", patched(sgx3, 2, 3)],
    ["a key type above 255", patched(sgx3, 3, 1)],
    ["an unknown TEE", patched(sgx3, 4, 1)],
    ["TDX in version 3", patched(sgx3, 4, 0x81)],
    ["SGX in a quote whose body is TDX's", patched(td4, 4, 0)],
    ["TDX in a quote whose body is SGX's", patched(sgx4, 4, 0x81)],
    ["a description of another TEE", patched(td5, 4, 0)],
    ["an unknown body type", patched(td5, 48, 4)],
    ["body type 0", patched(td5, 48, 0)],
    ["a body type that does not go with its size", patched(td5, 48, 2)],
    ["a body size that does not go with its type", patched(td5, 50, 0x48)],
    ["a signature that ends one byte early", patched(sgx3, signatureLength, sgx3.length)],
    ["a signature of 4 GiB", patched(sgx3, signatureLength, 0xff, 0xff, 0xff, 0xff)],
    ["a signature of no bytes", patched(sgx3, signatureLength, 0, 0, 0, 0)],
    ["an outer certification type of 5", patched(sgx4, outer4, 5)],
    ["an outer length one short", patched(sgx4, outer4 + 2, (sgx4[outer4 + 2] ?? 0) - 1)],
    ["an outer length one over", patched(sgx4, outer4 + 2, (sgx4[outer4 + 2] ?? 0) + 1)],
    ["certification type 0", patched(sgx3, -15, 0)],
    ["certification type 6 inside", patched(sgx3, -15, 6)],
    ["certification type 7", patched(sgx3, -15, 7)],
    ["certification data one short", patched(sgx3, -13, 8)],
    ["certification data one over", patched(sgx3, -13, 10)],
    ["authentication data that takes all", patched(sgx3, -22, 0xff, 0xff)],
    ["something after the end", concatBytes(sgx3, Uint8Array.of(0, 0, 1, 0))],
  ])("%s", (_, bytes) => {
    expect(failure(bytes)).toBe("malformed-quote");
  });

  test("more bytes than any quote has, even if they are zero", () => {
    const padded = (length: number) => concatBytes(sgx3, new Uint8Array(length - sgx3.length));
    expect(failure(padded(MAX_QUOTE_BYTES))).toBeUndefined();
    expect(failure(padded(MAX_QUOTE_BYTES + 1))).toBe("too-large");
  });

  test.each(KINDS)("a quote of version %i of %s that is cut at any byte", (version, body) => {
    const codes = new Set([...cuts(quoteOf(version, body))].map(({ bytes }) => failure(bytes)));
    expect([...codes]).toEqual(["malformed-quote"]);
  });
});

describe("a quote that reads well", () => {
  test.each(KINDS)("of version %i of %s gives back every field", (version, body) => {
    const quote = parseQuote(quoteOf(version, body));
    const header = version === 5 ? 54 : 48;
    const { report, signature, authData, certification } = quote.quotingEnclave;
    expect({
      version: quote.version,
      tee: quote.body.tee,
      qeVendorId: toHex(quote.qeVendorId),
      signedBytes: toHex(quote.toBeSigned),
      signature: toHex(quote.signature),
      attestationKey: toHex(quote.attestationKey),
      qeReport: toHex(report.bytes),
      qeReportSignature: toHex(signature),
      qeAuthData: toHex(authData),
      certificationType: certification.type,
      certificationData: toHex(certification.data),
      paddingBytes: quote.paddingBytes,
    }).toEqual({
      version,
      tee: body === "sgx" ? "sgx" : "tdx",
      qeVendorId: toHex(counting(16, 100)),
      signedBytes: toHex(quoteOf(version, body).subarray(0, header + BODY_BYTES[body])),
      signature: toHex(counting(64, 31)),
      attestationKey: toHex(counting(64, 3)),
      qeReport: toHex(counting(SGX_REPORT_BYTES, 5)),
      qeReportSignature: toHex(counting(64, 11)),
      qeAuthData: toHex(counting(5, 17)),
      certificationType: 1,
      certificationData: toHex(counting(9, 23)),
      paddingBytes: 0,
    });
  });

  test("has the fields of an SGX report where Intel puts them", () => {
    const { body, reportData } = parseQuote(quoteOf(5, "sgx"));
    if (body.tee !== "sgx") throw new Error("not of an enclave");
    const bytes = counting(SGX_REPORT_BYTES);
    const little16 = (offset: number) => (bytes[offset] ?? 0) + 256 * (bytes[offset + 1] ?? 0);
    expect(hexed(body.report.measurements)).toEqual({
      miscSelect: little16(16) + 65536 * little16(18),
      isvExtProdId: hexAt(32, 16),
      attributes: hexAt(48, 16),
      mrEnclave: hexAt(64, 32),
      mrSigner: hexAt(128, 32),
      configId: hexAt(192, 64),
      isvProdId: little16(256),
      isvSvn: little16(258),
      configSvn: little16(260),
      isvFamilyId: hexAt(304, 16),
    });
    expect(toHex(body.report.cpuSvn)).toBe(hexAt(0, 16));
    expect(toHex(reportData)).toBe(hexAt(320, 64));
  });

  test("has the fields of a TD report where Intel puts them", () => {
    const quote = parseQuote(quoteOf(5, "td-1.5"));
    const common = {
      teeTcbSvn: hexAt(0, 16),
      mrSeam: hexAt(16, 48),
      mrSignerSeam: hexAt(64, 48),
      seamAttributes: hexAt(112, 8),
      tdAttributes: hexAt(120, 8),
      xfam: hexAt(128, 8),
      mrTd: hexAt(136, 48),
      mrConfigId: hexAt(184, 48),
      mrOwner: hexAt(232, 48),
      mrOwnerConfig: hexAt(280, 48),
      rtmrs: [hexAt(328, 48), hexAt(376, 48), hexAt(424, 48), hexAt(472, 48)],
    };
    expect(hexed(quote.body.report.measurements)).toEqual({
      ...common,
      mrServiceTd: hexAt(600, 48),
    });
    const { measurements } = parseQuote(quoteOf(4, "td-1.0")).body.report;
    expect(hexed(measurements)).toEqual(common);
    expect(toHex(quote.reportData)).toBe(hexAt(520, 64));
  });

  test("may be padded with zeros", () => {
    const bytes = concatBytes(quoteOf(4, "td-1.0"), new Uint8Array(3000));
    const { paddingBytes, ...quote } = parseQuote(bytes);
    expect(paddingBytes).toBe(3000);
    expect(parseQuote(quoteOf(4, "td-1.0"))).toEqual({ ...quote, paddingBytes: 0 });
  });
});

test.each([
  [0x00, false],
  [0x05, false],
  [0x02, true],
  [0x07, true],
])("flags %i of an enclave mean debug: %s", (flags, isDebug) => {
  expect(
    isDebugEnclave({ ...BLANK_SGX_MEASUREMENTS, attributes: Uint8Array.of(flags, 2, 2) }),
  ).toBe(isDebug);
});

test.each([
  [[0x00, 0xff, 0xff, 0xff], false],
  [[0x01, 0, 0, 0], true],
  [[0x20, 0, 0, 0], true],
  [[0x80, 0, 0, 0], true],
])("TD attributes %j mean debug: %s", (attributes, isDebug) => {
  expect(isDebugTd({ ...BLANK_TDX_MEASUREMENTS, tdAttributes: Uint8Array.from(attributes) })).toBe(
    isDebug,
  );
});

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("quotes of real machines (needs ../shared/testdata)", () => {
  type QuoteCase = { readonly file: string; readonly [fact: string]: unknown };
  const cases = hasTestdata
    ? (JSON.parse(readTestdataText("cases.json")) as QuoteCase[]).filter(
        ({ quoteVersion }) => quoteVersion !== undefined,
      )
    : [];
  const rows = [...new Map(cases.map((each) => [each.file, each]))];

  test.each(rows)("%s reads as it is described", (file, wanted) => {
    const { version, body, reportData, paddingBytes } = parseQuote(readTestdata(file));
    const measurements = hexed(body.report.measurements);
    const isDebug =
      body.tee === "sgx"
        ? isDebugEnclave(body.report.measurements)
        : isDebugTd(body.report.measurements);
    const fields = body.tee === "sgx" ? SGX_FIELDS : TDX_FIELDS;
    expect(wanted).toMatchObject({
      quoteVersion: version,
      tee: body.tee.toUpperCase(),
      debug: isDebug,
      reportData: toHex(reportData),
      trailingBytes: paddingBytes,
      ...Object.fromEntries(fields.map(([theirs, ours]) => [theirs, measurements[ours]])),
      ...(version === 5 && { mr_service_td: measurements.mrServiceTd }),
    });
  });

  test.each(rows)("%s reads to its end only: cut at any byte it does not", (file, wanted) => {
    const whole = readTestdata(file);
    const end = whole.byteLength - Number(wanted.trailingBytes);
    const codes = new Set([...cuts(whole.subarray(0, end))].map(({ bytes }) => failure(bytes)));
    expect([...codes]).toEqual(["malformed-quote"]);
  });
});

const SGX_FIELDS = [
  ["mrenclave", "mrEnclave"],
  ["mrsigner", "mrSigner"],
  ["isvprodid", "isvProdId"],
  ["isvsvn", "isvSvn"],
  ["attributes", "attributes"],
] as const;
const TDX_FIELDS = [
  ["mrtd", "mrTd"],
  ["rtmr", "rtmrs"],
  ["tee_tcb_svn", "teeTcbSvn"],
  ["td_attributes", "tdAttributes"],
] as const;

const hexAt = (offset: number, length: number): string => toHex(counting(length, offset));

/** Byte strings as hex, other fields as they are. */
const hexed = (fields: object): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, hexedValue(value)]));

const hexedValue = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return toHex(value);
  return Array.isArray(value) ? value.map(hexedValue) : value;
};
