import { describe, expect, test } from "vitest";
import { concatBytes, toHex } from "../../../base/bytes.ts";
import { toDer } from "../../../base/der-writer.ts";
import type { UnixMs } from "../../../base/ids.ts";
import {
  type SgxExtensionFields,
  sgxExtension,
} from "../../attester/simulated/formats/sgx-extension-writer.ts";
import { parsePemChain } from "../../encoding/pem.ts";
import { parseQuote } from "../../evidence/quote.ts";
import { EvidenceError } from "../../evidence-error.ts";
import { cuts } from "../../testing/damage.ts";
import { hex, SEQUENCE, tlv } from "../../testing/raw-der.ts";
import { hasTestdata, readTestdata, readTestdataText } from "../../testing/testdata.ts";
import { type Certificate, parseCertificate } from "../certificate.ts";
import { readSgxExtension, SGX_EXTENSION } from "../sgx-extension.ts";

const GOOD: SgxExtensionFields = {
  ppid: Uint8Array.from({ length: 16 }, (_, index) => 0xa0 + index),
  components: Array.from({ length: 16 }, (_, index) => 255 - index),
  pceSvn: 300,
  cpuSvn: new Uint8Array(16).fill(7),
  pceId: Uint8Array.of(1, 2),
  fmspc: Uint8Array.of(0, 0x90, 0x6e, 0xd5, 0, 0),
  instance: {
    id: new Uint8Array(16).fill(0x1d),
    dynamicPlatform: true,
    cachedKeys: false,
    smtEnabled: true,
  },
};
const { instance: _, ...PROCESSOR } = GOOD;

/** The least of a certificate that the reader looks at. */
const certificateWith = (value: Uint8Array): Certificate => ({
  ...BLANK,
  extensions: new Map([[SGX_EXTENSION, { critical: false, value }]]),
});
const NOTHING = new Uint8Array();
const BLANK: Certificate = {
  der: NOTHING,
  toBeSigned: NOTHING,
  signature: NOTHING,
  signatureAlgorithm: "ecdsa-sha256",
  serial: NOTHING,
  issuer: NOTHING,
  subject: NOTHING,
  commonName: undefined,
  notBeforeMs: 0 as UnixMs,
  notAfterMs: 0 as UnixMs,
  publicKeyDer: NOTHING,
  publicKeyKind: "ec-p256",
  authority: { isAuthority: false },
  keyUsage: undefined,
  extensions: new Map(),
};

function encode(fields: SgxExtensionFields): Uint8Array {
  const { value } = sgxExtension(fields);
  return value instanceof Uint8Array ? value : toDer(value);
}
const WHOLE = encode(GOOD);

/** OID below the extension's, as it is written: "2.17". */
const oidBytes = (arcs: string): Uint8Array =>
  concatBytes(hex("2a864886f84d010d01"), Uint8Array.from(arcs.split(".").map(Number)));
const field = (arcs: string, value: Uint8Array): Uint8Array =>
  tlv(SEQUENCE, tlv(0x06, oidBytes(arcs)), value);
/** The parts of a good extension of the processor CA, one after another. */
const FIELDS = {
  ppid: field("1", tlv(0x04, GOOD.ppid)),
  tcb: field(
    "2",
    tlv(
      SEQUENCE,
      ...GOOD.components.map((_, index) => field(`2.${index + 1}`, hex("020105"))),
      field("2.17", hex("02010d")),
      field("2.18", tlv(0x04, GOOD.cpuSvn)),
    ),
  ),
  pceId: field("3", hex("04020000")),
  fmspc: field("4", hex("040600906ed50000")),
  sgxType: field("5", hex("0a0100")),
};
const built = (change: Partial<typeof FIELDS>, ...more: readonly Uint8Array[]): Uint8Array =>
  tlv(SEQUENCE, ...Object.values({ ...FIELDS, ...change }), ...more);
const tcbOf = (...fields: readonly Uint8Array[]) => ({ tcb: field("2", tlv(SEQUENCE, ...fields)) });
const component = (index: number, value: string) => field(`2.${index}`, hex(value));
const sixteen = GOOD.components.map((_, index) => component(index + 1, "020105"));

function failure(value: Uint8Array): unknown {
  try {
    readSgxExtension(certificateWith(value));
  } catch (error) {
    return error instanceof EvidenceError ? error.code : error;
  }
  return undefined;
}

describe("refused", () => {
  test.each([
    ["nothing", NOTHING],
    ["an empty sequence", hex("3000")],
    ["something after it", concatBytes(built({}), hex("0500"))],
    ["no PPID", built({ ppid: NOTHING })],
    ["no TCB", built({ tcb: NOTHING })],
    ["no PCEID", built({ pceId: NOTHING })],
    ["no FMSPC", built({ fmspc: NOTHING })],
    ["no SGX type", built({ sgxType: NOTHING })],
    ["a PPID of 15 bytes", built({ ppid: field("1", tlv(0x04, GOOD.ppid.subarray(1))) })],
    ["a PPID that is no OCTET STRING", built({ ppid: field("1", tlv(0x03, GOOD.ppid)) })],
    ["a PCEID of 3 bytes", built({ pceId: field("3", hex("0403000000")) })],
    ["an FMSPC of 5 bytes", built({ fmspc: field("4", hex("0405906ed50000")) })],
    ["an SGX type of 3", built({ sgxType: field("5", hex("0a0103")) })],
    ["an SGX type that is an INTEGER", built({ sgxType: field("5", hex("020100")) })],
    ["a field twice", built({}, FIELDS.fmspc)],
    ["a field with two values", built({ pceId: field("3", hex("04020000 0500")) })],
    ["a field without a value", built({ pceId: field("3", NOTHING) })],
    ["15 components", built(tcbOf(...sixteen.slice(1), component(17, "02010d")))],
    ["no PCESVN", built(tcbOf(...sixteen, field("2.18", tlv(0x04, GOOD.cpuSvn))))],
    ["no CPUSVN", built(tcbOf(...sixteen, component(17, "02010d")))],
    [
      "a component twice",
      built(tcbOf(...sixteen, component(1, "020105"), component(17, "02010d"))),
    ],
    [
      "a component past 255",
      built(tcbOf(...sixteen.slice(1), component(1, "02020100"), component(17, "02010d"))),
    ],
    [
      "a negative component",
      built(tcbOf(...sixteen.slice(1), component(1, "0201ff"), component(17, "02010d"))),
    ],
    [
      "a component that is not minimal",
      built(tcbOf(...sixteen.slice(1), component(1, "02020005"), component(17, "02010d"))),
    ],
    ["a PCESVN past 65535", built(tcbOf(...sixteen, component(17, "0203010000")))],
    ["a platform instance of 15 bytes", built({}, field("6", tlv(0x04, GOOD.ppid.subarray(1))))],
    [
      "a flag that is neither true nor false",
      built({}, field("7", tlv(SEQUENCE, field("7.1", hex("010101"))))),
    ],
    ["a flag that is a number", built({}, field("7", tlv(SEQUENCE, field("7.2", hex("0201ff")))))],
  ])("%s", (_title, value) => {
    expect(failure(value)).toBe("malformed-sgx-extension");
  });

  test("an extension that is cut at any byte", () => {
    const codes = new Set([...cuts(WHOLE)].map(({ bytes }) => failure(bytes)));
    expect([...codes]).toEqual(["malformed-sgx-extension"]);
  });

  test("a certificate without one", () => {
    expect(() => readSgxExtension(BLANK)).toThrow(EvidenceError);
  });
});

const textOf = (value: unknown): unknown => (value instanceof Uint8Array ? toHex(value) : value);
const read = (value: Uint8Array) =>
  Object.fromEntries(
    Object.entries(readSgxExtension(certificateWith(value))).map(([key, each]) => [
      key,
      textOf(each),
    ]),
  );

describe("read", () => {
  const common = {
    ppid: toHex(GOOD.ppid),
    componentSvns: GOOD.components,
    pceSvn: 300,
    cpuSvn: "07".repeat(16),
    pceId: "0102",
    fmspc: "00906ed50000",
  };

  test("what the platform CA certifies", () => {
    expect(read(WHOLE)).toEqual({
      ...common,
      platformInstanceId: "1d".repeat(16),
      dynamicPlatform: true,
      cachedKeys: false,
      smtEnabled: true,
    });
  });

  test("what the processor CA certifies, which names no instance", () => {
    expect(read(encode(PROCESSOR))).toEqual(common);
  });

  test("what Intel may add, without a meaning", () => {
    const more = field("9", hex("0500"));
    expect(read(built({}, more))).toEqual(read(built({})));
  });
});

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("PCKs of real machines (needs ../shared/testdata)", () => {
  test.each([
    ["sgx/v3-phala-00a067110000.bin", "00a067110000", false],
    ["sgx/v3-tlsn-quotedev-00906ed50000.bin", "00906ed50000", false],
    ["sgx/v3-debug-occlum-00606a000000.bin", "00606a000000", true],
    ["tdx/v4-cos113-00806f050000.bin", "00806f050000", true],
    ["tdx/v5-oe-seamldr-90c06f000000.bin", "90c06f000000", true],
  ])("%s is of a platform %s", (file, fmspc, hasInstance) => {
    const { certification } = parseQuote(readTestdata(file)).quotingEnclave;
    const [der = NOTHING] = parsePemChain(certification.data);
    const platform = readSgxExtension(parseCertificate(der));
    expect(toHex(platform.fmspc)).toBe(fmspc);
    expect(toHex(platform.pceId)).toBe("0000");
    expect(platform.platformInstanceId !== undefined).toBe(hasInstance);
    expect(platform.smtEnabled !== undefined).toBe(hasInstance);
    expect(platform.pceSvn).toBeGreaterThanOrEqual(11);
  });

  test("Intel's test root certifies one too", () => {
    const set = JSON.parse(readTestdataText("testroot/intelqvl-collateral.json")) as {
      readonly pck_certificate_chain: string;
    };
    const [der = NOTHING] = parsePemChain(set.pck_certificate_chain);
    expect(toHex(readSgxExtension(parseCertificate(der)).fmspc)).toBe("00707f000000");
  });
});
