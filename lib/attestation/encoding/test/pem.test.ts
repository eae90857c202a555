import { describe, expect, test } from "vitest";
import { certificatePem } from "../../../base/certificate.ts";
import { EvidenceError } from "../../evidence-error.ts";
import { cuts, substitutions } from "../../testing/damage.ts";
import { hasTestdata, readTestdata } from "../../testing/testdata.ts";
import { findPemBlocks, MAX_PEM_CHAIN_BYTES, MAX_PEM_FILE_BYTES, parsePemChain } from "../pem.ts";

/** Lengths that end base64 with no, one and two padding characters, the first on a full line. */
const ders = [96, 95, 94].map((size) => new Uint8Array(size).map((_, index) => index * 7 + size));
const good = ders.map(certificatePem).join("");
const crlf = good.replaceAll("\n", "\r\n");

test.each([
  ["nothing", ""],
  ["a line end", "\n"],
  ["text before", ` ${good}`],
  ["an empty line before", `\n${good}`],
  ["a byte order mark", `\uFEFF${good}`],
  ["text between", `${certificatePem(ders[0]!)}issuer\n${certificatePem(ders[1]!)}`],
  ["an empty line between", `${certificatePem(ders[0]!)}\n${certificatePem(ders[1]!)}`],
  ["text after", `${good}x`],
  ["an empty line after", `${good}\n`],
  ["two NULs after", `${good}\0\0`],
  ["a NUL inside", good.replace("-----END", "\0-----END")],
  ["a line end after a NUL", `${good}\0\n`],
  ["one CRLF among LF", good.replace("\n", "\r\n")],
  ["one LF among CRLF", crlf.replace("\r\n", "\n")],
  ["CR alone", good.replaceAll("\n", "\r")],
  ["a space at the end of a line", good.replace("\n", " \n")],
  ["lines of 76 characters", certificatePem(ders[0]!).replace(/^(.{64})\n(.{12})/m, "$1$2\n")],
  ["one line", certificatePem(ders[0]!).replace(/([A-Za-z0-9+/=])\n(?!-)/g, "$1")],
  ["an empty line inside", good.replace("\n-----END", "\n\n-----END")],
  ["no padding", good.replace("=", "")],
  ["stray bits in the last character", good.replace(/.=\n/, "/=\n")],
  ["the URL alphabet", good.replaceAll("+", "-").replaceAll("/", "_")],
  ["no BEGIN", good.slice(28)],
  ["no END", good.replace("-----END CERTIFICATE-----\n", "")],
  ["another label", good.replaceAll("CERTIFICATE", "X509 CERTIFICATE")],
  ["a revocation list", good.replaceAll("CERTIFICATE", "X509 CRL")],
  ["an empty block", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
])("a chain with %s is not canonical", (_, pem) => {
  expect(() => parsePemChain(pem)).toThrow(expect.objectContaining({ code: "malformed-pem" }));
  const bytes = new Uint8Array(Buffer.from(pem, "utf8"));
  expect(() => parsePemChain(bytes)).toThrow(expect.objectContaining({ code: "malformed-pem" }));
});

test.each([
  ["as it is written", good],
  ["without the last line end", good.slice(0, -1)],
  ["with a NUL", `${good}\0`],
  ["with a NUL for the last line end", `${good.slice(0, -1)}\0`],
  ["with CRLF", crlf],
  ["with CRLF but the last", crlf.slice(0, -2)],
])("a chain %s is read", (_, pem) => {
  expect(parsePemChain(pem)).toEqual(ders);
  expect(parsePemChain(new Uint8Array(Buffer.from(pem)))).toEqual(ders);
});

test("no two texts of one length are read as the same certificates, but for the last line end", () => {
  const pem = new Uint8Array(Buffer.from(good.slice(0, -1)));
  for (const { bytes, offset } of substitutions(pem)) {
    let seen: readonly Uint8Array[] = [];
    try {
      seen = parsePemChain(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(EvidenceError);
    }
    // Compared as text: the matcher would be asked 80 000 times.
    if (seen.map(String).join() === ders.map(String).join()) expect.fail(`byte ${offset}`);
  }
});

test("every cut but that of the last line end is refused or is a shorter chain", () => {
  const lengths = [...cuts(new Uint8Array(Buffer.from(good)))].map(({ bytes }) => {
    try {
      return parsePemChain(bytes).length;
    } catch (error) {
      expect(error).toBeInstanceOf(EvidenceError);
      return 0;
    }
  });
  const count = (wanted: number) => lengths.filter((length) => length === wanted).length;
  expect([count(1), count(2), count(3)]).toEqual([2, 2, 1]);
});

test("a chain is read up to its limit, not past it", () => {
  const long = certificatePem(new Uint8Array(48_000)).padEnd(MAX_PEM_CHAIN_BYTES + 1, "x");
  expect(() => parsePemChain(long)).toThrow(expect.objectContaining({ code: "too-large" }));
  expect(() => parsePemChain(long.slice(0, -1))).toThrow(
    expect.objectContaining({ code: "malformed-pem" }),
  );
});

describe("files that people hand us", () => {
  test.each([
    ["a block that does not end", "-----BEGIN CERTIFICATE-----\nAAAA\n"],
    ["another end", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END X509 CRL-----\n"],
    ["no base64", "-----BEGIN CERTIFICATE-----\nA!AA\n-----END CERTIFICATE-----\n"],
    ["headers", "-----BEGIN KEY-----\nProc-Type: 4\n\nAAAA\n-----END KEY-----\n"],
    ["nothing in it", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
    ["another block in it", "-----BEGIN A-----\nAAAA\n-----BEGIN B-----\nAAAA\n-----END A-----\n"],
  ])("a block with %s is refused", (_, file) => {
    expect(() => findPemBlocks(file)).toThrow(expect.objectContaining({ code: "malformed-pem" }));
  });

  test("a file past its limit is refused", () => {
    const file = "x".repeat(MAX_PEM_FILE_BYTES + 1);
    expect(() => findPemBlocks(file)).toThrow(expect.objectContaining({ code: "too-large" }));
    expect(findPemBlocks(file.slice(1))).toEqual([]);
  });

  test.each([
    ["text around blocks", `Issuer: x\n${good}\nbye`],
    ["CRLF", crlf],
    ["a byte order mark", `\uFEFF${good}`],
    ["lines of any length", good.replace(/([A-Za-z0-9+/]{20})([A-Za-z0-9+/])/g, "$1\n  $2")],
  ])("%s does not matter", (_, file) => {
    const blocks = findPemBlocks(new Uint8Array(Buffer.from(file)));
    expect(blocks.map(({ der }) => der)).toEqual(ders);
    expect(blocks.map(({ label }) => label)).toEqual(ders.map(() => "CERTIFICATE"));
  });

  test("labels are kept, and a BEGIN within a line is text", () => {
    const crl = certificatePem(ders[1]!).replaceAll("CERTIFICATE", "X509 CRL");
    const blocks = findPemBlocks(`quote.....-----BEGIN CERTIFICATE-----\n${crl}`);
    expect(blocks).toEqual([{ label: "X509 CRL", der: ders[1] }]);
  });
});

describe.skipIf(!hasTestdata)("real files (shared test data)", () => {
  test.each([
    "snp/milan-ask-ark.pem",
    "snp/milan-asvk-ark.pem",
    "snp/genoa-ask-ark.pem",
    "snp/turin-ask-ark.pem",
  ])("%s is canonical and holds two certificates", (file) => {
    const chain = parsePemChain(readTestdata(file));
    expect(chain.length).toBe(2);
    expect(findPemBlocks(readTestdata(file)).map(({ der }) => der)).toEqual(chain);
  });

  test.each(["ratls/gramine-cert.pem", "ratls/intel-sgxsdk-cert.pem"])(
    "%s is one block, though its certificate holds PEM itself",
    (file) => {
      expect(findPemBlocks(readTestdata(file)).length).toBe(1);
    },
  );
});
