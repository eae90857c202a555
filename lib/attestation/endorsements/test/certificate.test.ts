import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../base/bytes.ts";
import { certificatePem, readCertificate } from "../../../base/certificate.ts";
import { findPemBlocks } from "../../encoding/pem.ts";
import { cuts } from "../../testing/damage.ts";
import {
  EXTENSIONS_TAG,
  GOOD_CERTIFICATE,
  hex,
  RAW_PUBLIC_KEY,
  type RawCertificate,
  rawCertificate,
  rawExtension,
  rawName,
  rawTime,
  SEQUENCE,
  tlv,
} from "../../testing/raw-der.ts";
import { hasTestdata, readTestdata } from "../../testing/testdata.ts";
import { MAX_CERTIFICATE_BYTES, parseCertificate } from "../certificate.ts";

const NONE = new Uint8Array();
const extensions = (...list: readonly Uint8Array[]): Partial<RawCertificate> => ({
  extensions: tlv(EXTENSIONS_TAG, tlv(SEQUENCE, ...list)),
});
const KEY_USAGE = "551d0f";
const BASIC_CONSTRAINTS = "551d13";
const TRUE = hex("0101ff");
const keyUsage = (value: string) => extensions(rawExtension(KEY_USAGE, hex(value), TRUE));
const constraints = (value: string) => extensions(rawExtension(BASIC_CONSTRAINTS, hex(value)));
const validity = (...times: readonly Uint8Array[]) => ({ validity: tlv(SEQUENCE, ...times) });
const bothAlgorithms = (value: string) => ({ signedAs: hex(value), algorithm: hex(value) });
const read = (deviation: Partial<RawCertificate>) =>
  parseCertificate(rawCertificate({ ...GOOD_CERTIFICATE, ...deviation }));

test.each<[string, string, Partial<RawCertificate>]>([
  ["version 1, left out", "body: version: tag 02 where tag a0 belongs", { version: NONE }],
  ["version 1, written out", "body: not of version 3", { version: hex("a003020100") }],
  ["version 2", "body: not of version 3", { version: hex("a003020101") }],
  ["version 4", "version: version: above 2", { version: hex("a003020103") }],
  ["two versions", "version: something follows", { version: hex("a006020102020102") }],
  ["no serial number", "body: serial number: tag 30 where tag 02 belongs", { serial: NONE }],
  ["an empty serial number", "body: serial number: not minimal", { serial: hex("0200") }],
  ["a padded serial number", "body: serial number: not minimal", { serial: hex("02020001") }],
  ["a negative serial number", "body: a negative serial number", { serial: hex("020180") }],
  [
    "a serial number of 22 bytes",
    "body: a serial number past 20 bytes",
    { serial: tlv(2, new Uint8Array(22).fill(1)) },
  ],
  [
    "another algorithm inside",
    "certificate: two signature algorithms",
    { signedAs: hex("300a06082a8648ce3d040303") },
  ],
  [
    "NULL inside alone",
    "certificate: two signature algorithms",
    { signedAs: hex("300c06082a8648ce3d0403020500") },
  ],
  [
    "NULL outside alone",
    "certificate: two signature algorithms",
    { algorithm: hex("300c06082a8648ce3d0403020500") },
  ],
  [
    "parameters of ECDSA",
    "signature algorithm: parameters of ecdsa-sha256 that it does not have",
    bothAlgorithms("300d06082a8648ce3d040302020101"),
  ],
  [
    "two parameters",
    "signature algorithm: something follows",
    bothAlgorithms("300e06082a8648ce3d04030205000500"),
  ],
  [
    "no parameters of RSA",
    "signature algorithm: parameters of rsa-sha256 that it does not have",
    bothAlgorithms("300b06092a864886f70d01010b"),
  ],
  [
    "no parameters of PSS",
    "signature algorithm: parameters of rsa-pss-sha384 that it does not have",
    bothAlgorithms("300b06092a864886f70d01010a"),
  ],
  [
    "parameters of PSS that default to SHA-1",
    "signature algorithm: parameters of rsa-pss-sha384 that it does not have",
    bothAlgorithms("300d06092a864886f70d01010a3000"),
  ],
  [
    "an issuer that is no sequence",
    "body: issuer: tag 31 where tag 30 belongs",
    { issuer: hex("3100") },
  ],
  [
    "an issuer with an empty set",
    "relative name: attribute: nothing where tag 30 belongs",
    { issuer: hex("30023100") },
  ],
  [
    "an attribute without a value",
    "attribute: value: cut off",
    { issuer: hex("30093107300506035504 03") },
  ],
  [
    "an attribute with two",
    "attribute: something follows",
    { subject: hex("300d310b3009 0603550403 0500 0500") },
  ],
  [
    "one date",
    "validity: notAfter: nothing where tag 18 belongs",
    validity(rawTime("250101000000Z")),
  ],
  [
    "three dates",
    "validity: something follows",
    validity(...Array.from({ length: 3 }, () => rawTime("250101000000Z"))),
  ],
  [
    "a date without seconds",
    "validity: notBefore: not a time",
    validity(rawTime("2501010000Z"), rawTime("260101000000Z")),
  ],
  [
    "a date with a zone",
    "validity: notAfter: not a time",
    validity(rawTime("250101000000Z"), rawTime("260101000000+0000")),
  ],
  [
    "a day that is not",
    "validity: notAfter: not a time",
    validity(rawTime("250101000000Z"), rawTime("260230000000Z")),
  ],
  ["no public key", "body: public key: tag a3 where tag 30 belongs", { publicKey: NONE }],
  ["a compressed point", "public key: not an uncompressed point", { publicKey: compressed() }],
  [
    "a point that is too short",
    "public key: not an uncompressed point",
    { publicKey: shortened() },
  ],
  [
    "a point with unused bits",
    "public key: key: not of whole bytes",
    { publicKey: swap(RAW_PUBLIC_KEY, 25, 0x01) },
  ],
  [
    "a curve that is not given by name",
    "public key: a curve that is not given by name",
    { publicKey: explicitCurve() },
  ],
  [
    "an RSA key without NULL",
    "public key: RSA wants NULL for parameters",
    { publicKey: hex("3014300b06092a864886f70d0101010305003002020100") },
  ],
  [
    "an RSA key with something after it",
    "public key, RSA key: something follows",
    { publicKey: rsaKey(hex("3006 020101 020103 0500")) },
  ],
  [
    "an RSA key with a third number",
    "public key, RSA key, RSA key: something follows",
    { publicKey: rsaKey(hex("3009 020101 020103 020100")) },
  ],
  [
    "an RSA key with a padded modulus",
    "RSA key: modulus: not minimal",
    { publicKey: rsaKey(hex("3007 02020001 020103")) },
  ],
  [
    "an RSA key with a negative modulus",
    "RSA key: modulus: negative",
    { publicKey: rsaKey(hex("3006 0201ff 020103")) },
  ],
  [
    "an RSA key without an exponent",
    "RSA key: exponent: nothing where tag 02 belongs",
    { publicKey: rsaKey(hex("3003 020101")) },
  ],
  [
    "a PSS key of SHA-1",
    "public key: PSS with other parameters than SHA-384's",
    { publicKey: hex("3016300d06092a864886f70d01010a30000305003002020100") },
  ],
  [
    "something after a public key",
    "public key: something follows",
    { publicKey: tlv(SEQUENCE, RAW_PUBLIC_KEY.slice(2), hex("0500")) },
  ],
  [
    "unique identifiers",
    "body: extensions: tag 81 where tag a3 belongs",
    { extensions: hex("810200ff") },
  ],
  [
    "extensions of another tag",
    "body: extensions: tag a2 where tag a3 belongs",
    { extensions: tlv(0xa2, hex("3000")) },
  ],
  [
    "an empty list of extensions",
    "extensions: extension: nothing where tag 30 belongs",
    { extensions: tlv(EXTENSIONS_TAG, tlv(SEQUENCE)) },
  ],
  [
    "two lists of extensions",
    "body: something follows",
    { extensions: doubled(GOOD_CERTIFICATE.extensions) },
  ],
  [
    "an extension twice",
    "extensions: extension 1.2.3 twice",
    extensions(unknownExtension("01"), unknownExtension("02")),
  ],
  [
    "critical FALSE written out",
    "extension: a default that is written out",
    extensions(rawExtension("2a03", hex("0500"), hex("010100"))),
  ],
  [
    "critical 01",
    "extension: critical: neither 00 nor FF",
    extensions(rawExtension("2a03", hex("0500"), hex("010101"))),
  ],
  [
    "an extension without a value",
    "extension: value: nothing where tag 04 belongs",
    extensions(tlv(SEQUENCE, hex("06022a03"))),
  ],
  [
    "an extension with two",
    "extension: something follows",
    extensions(tlv(SEQUENCE, hex("06022a03 0400 0400"))),
  ],
  [
    "a key usage of another type",
    "keyUsage: keyUsage: tag 05 where tag 03 belongs",
    keyUsage("0500"),
  ],
  ["a key usage that permits nothing", "keyUsage: permits nothing", keyUsage("030100")],
  ["a key usage of zero bits", "keyUsage: permits nothing", keyUsage("03020700")],
  ["a key usage without meaning", "keyUsage: a bit that has no meaning", keyUsage("0303060040")],
  ["something after a key usage", "keyUsage: something follows", keyUsage("030206c00500")],
  [
    "basic constraints that are no sequence",
    "basicConstraints: basicConstraints: tag 05 where tag 30 belongs",
    constraints("0500"),
  ],
  [
    "cA FALSE written out",
    "basicConstraints: a default that is written out",
    constraints("3003010100"),
  ],
  [
    "a path length without cA",
    "basicConstraints: cA: tag 02 where tag 01 belongs",
    constraints("3003020100"),
  ],
  [
    "a negative path length",
    "basicConstraints: pathLenConstraint: negative",
    constraints("30060101ff0201ff"),
  ],
  [
    "a path length of 256",
    "basicConstraints: pathLenConstraint: above 255",
    constraints("30070101ff02020100"),
  ],
  [
    "something after a path length",
    "basicConstraints: something follows",
    constraints("30080101ff0201000500"),
  ],
  [
    "something after basic constraints",
    "basicConstraints: something follows",
    constraints("30000500"),
  ],
  [
    "a signature that is no bit string",
    "certificate: signature: tag 04 where tag 03 belongs",
    { signature: hex("0400") },
  ],
  [
    "a signature with unused bits",
    "certificate: signature: not of whole bytes",
    { signature: hex("030201fe") },
  ],
  [
    "an empty signature value",
    "certificate: signature: not of whole bytes",
    { signature: hex("0300") },
  ],
  ["no signature", "certificate: signature: nothing where tag 03 belongs", { signature: NONE }],
  [
    "something after the signature",
    "certificate: something follows",
    { signature: hex("030100 0500") },
  ],
  ["something after the certificate", "DER: something follows", { trailing: hex("00") }],
])("a certificate with %s is malformed", (_, message, deviation) => {
  expect(() => read(deviation)).toThrow(
    expect.objectContaining({
      code: "malformed-certificate",
      message: expect.stringContaining(message),
    }),
  );
});

test("a certificate is read up to 128 KiB and refused before it is read past that", () => {
  const filled = (size: number): Partial<RawCertificate> => ({ trailing: new Uint8Array(size) });
  const size = rawCertificate(GOOD_CERTIFICATE).byteLength;
  const limit = MAX_CERTIFICATE_BYTES - size;
  expect(() => read(filled(limit))).toThrow(
    expect.objectContaining({ code: "malformed-certificate" }),
  );
  expect(() => read(filled(limit + 1))).toThrow(expect.objectContaining({ code: "too-large" }));
});

test("every cut of a certificate is malformed", () => {
  for (const { bytes } of cuts(rawCertificate(GOOD_CERTIFICATE))) {
    expect(() => parseCertificate(bytes)).toThrow(
      expect.objectContaining({ code: "malformed-certificate" }),
    );
  }
});

test("the good certificate from which these deviate is read", () => {
  const certificate = read({});
  expect(certificate.commonName).toBe("subject");
  expect(certificate.issuer).toEqual(rawName("issuer"));
  expect(certificate.subject).toEqual(rawName("subject"));
  expect(certificate.notBeforeMs).toBe(Date.UTC(2025, 0, 1));
  expect(certificate.publicKeyDer).toEqual(RAW_PUBLIC_KEY);
  expect(certificate.publicKeyKind).toBe("ec-p256");
  expect(certificate.keyUsage).toEqual(new Set(["digitalSignature", "nonRepudiation"]));
  expect(certificate.authority).toEqual({ isAuthority: false });
});

describe("what other writers may do", () => {
  test("the parameters of ECDSA may be NULL, inside and outside", () => {
    const certificate = read(bothAlgorithms("300c06082a8648ce3d0403020500"));
    expect(certificate.signatureAlgorithm).toBe("ecdsa-sha256");
  });

  test("serial number zero and one of 20 bytes with a sign byte are kept as encoded", () => {
    expect(read({ serial: hex("020100") }).serial).toEqual(hex("00"));
    const long = `00${"ff".repeat(20)}`;
    expect(toHex(read({ serial: hex(`0215${long}`) }).serial)).toBe(long);
  });

  test("GeneralizedTime before 2050", () => {
    const dates = validity(hex("180f32303231303430313030303030305a"), rawTime("490101000000Z"));
    expect(read(dates).notBeforeMs).toBe(Date.UTC(2021, 3, 1));
  });

  test("no extensions at all: no authority, any use", () => {
    const certificate = read({ extensions: NONE });
    expect(certificate.authority.isAuthority).toBe(false);
    expect(certificate.keyUsage).toBeUndefined();
  });

  test("unknown algorithms and keys are named so, for others to refuse", () => {
    const ed25519 = hex("302a300506032b6570032100").slice(0, 12);
    const publicKey = tlv(SEQUENCE, ed25519.slice(2, 9), tlv(3, new Uint8Array(33)));
    const certificate = read({ ...bothAlgorithms("300506032b6570"), publicKey });
    expect([certificate.signatureAlgorithm, certificate.publicKeyKind]).toEqual([
      "unknown",
      "unknown",
    ]);
  });

  test.each<[string, Uint8Array, string | undefined]>([
    ["two common names", concatNames(rawName("a"), rawName("b")), undefined],
    ["no common name", tlv(SEQUENCE), undefined],
    ["one that is not UTF-8", hex("300d310b30090603550403 0c02ff41"), undefined],
    ["one in 16-bit characters", hex("300d310b30090603550403 1e020041"), undefined],
    ["a printable one", hex("300d310b30090603550403 13024142"), "AB"],
  ])("the common name of a subject with %s", (_, subject, wanted) => {
    expect(read({ subject }).commonName).toBe(wanted);
  });

  test("authority with and without a path length", () => {
    expect(read(constraints("30030101ff")).authority).toEqual({ isAuthority: true });
    const limited = { isAuthority: true, pathLength: 255 };
    expect(read(constraints("30070101ff020200ff")).authority).toEqual(limited);
  });
});

const REAL = [
  "collateral/intel-sgx-root-ca.der",
  "testroot/intelqvl-root.der",
  "snp/turin-vcek.der",
  "snp/milan-v3-vlek-trustee-vlek.der",
  "snp/milan-ask-ark.pem",
  "snp/genoa-ask-ark.pem",
  "snp/turin-ask-ark.pem",
  "ratls/gramine-cert.pem",
  "ratls/intel-sgxsdk-cert.pem",
  "bad/oe-sgx_cert_rsa_bad.der",
];

describe.skipIf(!hasTestdata)("real certificates (shared test data)", () => {
  test.each(REAL)("%s is read as OpenSSL reads it", (file) => {
    const bytes = readTestdata(file);
    const ders = file.endsWith(".pem") ? findPemBlocks(bytes).map(({ der }) => der) : [bytes];
    for (const der of ders) {
      const ours = parseCertificate(der);
      const theirs = readCertificate(der);
      expect(BigInt(`0x${toHex(ours.serial)}`)).toBe(BigInt(`0x${theirs.serialNumber}`));
      expect(theirs.subject.split("\n")).toContain(`CN=${ours.commonName}`);
      expect(ours.notBeforeMs).toBe(Date.parse(theirs.validFrom));
      expect(ours.notAfterMs).toBe(Date.parse(theirs.validTo));
      expect(ours.authority.isAuthority).toBe(theirs.ca);
      expect(ours.publicKeyDer).toEqual(
        new Uint8Array(theirs.publicKey.export({ type: "spki", format: "der" })),
      );
    }
  });

  test("a certificate that carries others as PEM is read as itself, unlike by Node", () => {
    const [block] = findPemBlocks(readTestdata("ratls/gramine-cert.pem"));
    const der = block?.der ?? NONE;
    expect(parseCertificate(der).commonName).toBe("RATLS");
    expect(new X509Certificate(der).subject).toContain("Intel SGX PCK");
    const carrier = read(extensions(rawExtension("2a03", Buffer.from(certificatePem(der)))));
    expect(carrier.commonName).toBe("subject");
  });
});

function swap(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[offset] = value;
  return copy;
}

function compressed(): Uint8Array {
  return tlv(
    SEQUENCE,
    RAW_PUBLIC_KEY.slice(2, 23),
    tlv(3, hex("0002"), RAW_PUBLIC_KEY.slice(27, 59)),
  );
}

function shortened(): Uint8Array {
  return tlv(
    SEQUENCE,
    RAW_PUBLIC_KEY.slice(2, 23),
    tlv(3, hex("00"), RAW_PUBLIC_KEY.slice(26, -1)),
  );
}

function explicitCurve(): Uint8Array {
  const algorithm = tlv(SEQUENCE, hex("06072a8648ce3d0201"), hex("3003020101"));
  return tlv(SEQUENCE, algorithm, RAW_PUBLIC_KEY.slice(23));
}

/** SubjectPublicKeyInfo of RSA. @param key  what stands where RSAPublicKey belongs */
function rsaKey(key: Uint8Array): Uint8Array {
  const algorithm = hex("300d06092a864886f70d0101010500");
  return tlv(SEQUENCE, algorithm, tlv(0x03, hex("00"), key));
}

function unknownExtension(value: string): Uint8Array {
  return rawExtension("2a03", hex(value));
}

function doubled(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([...bytes, ...bytes]);
}

function concatNames(...names: readonly Uint8Array[]): Uint8Array {
  return tlv(SEQUENCE, ...names.map((name) => name.slice(2)));
}
