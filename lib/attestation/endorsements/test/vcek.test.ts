import { describe, expect, test } from "vitest";
import { toHex } from "../../../base/bytes.ts";
import { ia5String, integer, octetString, toDer, utf8String } from "../../../base/der-writer.ts";
import { leafExtensions } from "../../testing/snp-platform.ts";
import { snpMaker } from "../../testing/snp-scenario.ts";
import { hasTestdata, readTestdata } from "../../testing/testdata.ts";
import { parseCertificate } from "../certificate.ts";
import { productOf, readSnpSigner } from "../vcek.ts";

const AMD = "1.3.6.1.4.1.3704.1";
const { authority, leafFacts, leafKey } = snpMaker();

/** A VCEK in which the value of one extension is another. */
function changed(arcs: string, value: Uint8Array) {
  const extensions = leafExtensions(leafFacts).map((each) =>
    each.oid === `${AMD}.${arcs}` ? { ...each, value } : each,
  );
  return parseCertificate(authority.leaf(leafFacts, leafKey, { extensions }));
}

/** A VCEK without one extension. */
function without(arcs: string) {
  const extensions = leafExtensions(leafFacts).filter(({ oid }) => oid !== `${AMD}.${arcs}`);
  return parseCertificate(authority.leaf(leafFacts, leafKey, { extensions }));
}

describe("refused", () => {
  test.each([
    ["no product", without("2"), "no product name"],
    ["no hardware id", without("4"), "no hardware id"],
    ["no boot loader version", without("3.1"), "no security version 1"],
    ["a product in UTF-8", changed("2", toDer(utf8String("Milan-B0"))), "product name"],
    ["an unknown product", changed("2", toDer(ia5String("Rome-B0"))), "product Rome-B0"],
    [
      "something after the product",
      changed("2", Buffer.from("16054d696c616e00", "hex")),
      "follows",
    ],
    ["a version of 256", changed("3.8", toDer(integer(256))), "above 255"],
    ["a negative version", changed("3.8", Uint8Array.of(2, 1, 0x80)), "negative"],
    ["a version in two bytes", changed("3.8", Uint8Array.of(2, 2, 0, 3)), "not minimal"],
    ["a bare version", changed("3.8", Uint8Array.of(3)), "security version 8"],
    ["a hardware id of 8 bytes on Milan", changed("4", new Uint8Array(8)), "hardware id"],
    ["a hardware id of 65 bytes", changed("4", new Uint8Array(65)), "hardware id"],
    [
      "a wrapped hardware id of 63 bytes",
      changed("4", toDer(octetString(new Uint8Array(63)))),
      "63 bytes",
    ],
  ])("%s", (_name, certificate, message) => {
    expect(() => readSnpSigner(certificate)).toThrow(message);
  });
});

test("versions stand where a TCB_VERSION has them", () => {
  const versions = { 1: 10, 2: 11, 3: 16, 4: 12, 5: 13, 6: 14, 7: 15, 8: 255 };
  const leaf = authority.leaf({ ...leafFacts, versions }, leafKey);
  expect([...readSnpSigner(parseCertificate(leaf)).tcb]).toEqual([10, 11, 12, 13, 14, 15, 16, 255]);
});

test("a hardware id is read as the bytes themselves or as an OCTET STRING", () => {
  const id = Uint8Array.from({ length: 64 }, (_, index) => index);
  expect(readSnpSigner(changed("4", id)).hardwareId).toEqual(id);
  expect(readSnpSigner(changed("4", toDer(octetString(id)))).hardwareId).toEqual(id);
});

test.each([
  ["Milan", "Milan"],
  ["Milan-B1", "Milan"],
  ["Genoa-B2", "Genoa"],
  ["Bergamo-A0", "Genoa"],
  ["Siena", "Genoa"],
  ["Turin-C1", "Turin"],
  ["milan", undefined],
  ["Milan-", undefined],
  ["Milan-B0 ", undefined],
  ["constructor", undefined],
  ["", undefined],
])("product name %j is of line %s", (name, line) => {
  expect(productOf(name)).toBe(line);
});

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("certificates of real chips (needs ../shared/testdata)", () => {
  const signer = (file: string) => readSnpSigner(parseCertificate(readTestdata(file)));

  test("Turin: FMC first, eight bytes of hardware id", () => {
    const { tcb, hardwareId, ...rest } = signer("snp/turin-vcek.der");
    expect(rest).toEqual({ kind: "vcek", product: "Turin", productName: "Turin" });
    expect([...tcb]).toEqual([0, 0, 0, 0, 0, 0, 0, 9]);
    expect(toHex(hardwareId ?? new Uint8Array())).toBe("1e550a8ee5cf9f4d");
  });

  test("Milan", () => {
    const { tcb, hardwareId, ...rest } = signer("snp/milan-v3-dstack-vcek.der");
    expect(rest).toEqual({ kind: "vcek", product: "Milan", productName: "Milan-B0" });
    expect([...tcb]).toEqual([4, 0, 0, 0, 0, 0, 23, 213]);
    expect(toHex(hardwareId ?? new Uint8Array())).toMatch(/^38d174589d2d.{110}6bb877$/);
  });

  test("a provider's key", () => {
    const { tcb, ...rest } = signer("snp/milan-v3-vlek-trustee-vlek.der");
    expect(rest).toEqual({
      kind: "vlek",
      product: "Milan",
      productName: "Milan",
      cloudProvider: "CN=cc-us-east-2.amazonaws.com",
    });
    expect([...tcb]).toEqual([4, 0, 0, 0, 0, 0, 24, 217]);
  });
});
