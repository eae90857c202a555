import fc from "fast-check";
import { expect, test } from "vitest";
import { AttesterError } from "../attester.ts";
import { certificatesFor, parseCertificateTable } from "../snp-certificate-table.ts";
import { certificateTable, GUID } from "../testing/certificate-table-writer.ts";

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const [VCEK, VLEK, ASK, ARK] = ["the VCEK", "the VLEK", "the ASK", "the ARK"].map(bytesOf) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const whole = certificateTable(
  [GUID.ark, ARK],
  [GUID.other, bytesOf("something else")],
  [GUID.vcek, VCEK],
  [GUID.ask, ASK],
);

test("certificates are found by their GUID in any order; other entries are passed over", () => {
  expect(parseCertificateTable(whole)).toEqual({ vcek: VCEK, ask: ASK, ark: ARK });
});

test("no table, an empty one and a page of zeros hold none", () => {
  for (const bytes of [new Uint8Array(), certificateTable(), new Uint8Array(4096)]) {
    expect(parseCertificateTable(bytes)).toEqual({});
  }
});

test("the leaf is that of the key that signed", () => {
  const table = { vcek: VCEK, vlek: VLEK, ask: ASK, ark: ARK };
  expect(certificatesFor("vcek", table)).toEqual([VCEK, ASK, ARK]);
  expect(certificatesFor("vlek", table)).toEqual([VLEK, ASK, ARK]);
  expect(certificatesFor("none", table)).toEqual([]);
  expect(certificatesFor("vcek", { ask: ASK, ark: ARK })).toEqual([]);
  expect(certificatesFor("vcek", { vcek: VCEK, ark: ARK })).toEqual([VCEK]);
  expect(certificatesFor("vcek", { vcek: VCEK, ask: ASK })).toEqual([VCEK, ASK]);
});

const patched = (offset: number, value: number): Uint8Array => {
  const bytes = Buffer.from(whole);
  bytes.writeUInt32LE(value, offset);
  return bytes;
};
test.each<[string, Uint8Array]>([
  ["an offset into the entries", patched(16, 96)],
  ["an offset past the end", patched(16, whole.byteLength)],
  ["an offset that wraps around", patched(16, 0xffffffff)],
  ["a length past the end", patched(20, whole.byteLength)],
  ["a length that wraps around", patched(20, 0xffffffff)],
  ["no length", patched(20, 0)],
  ["two VCEKs", certificateTable([GUID.vcek, VCEK], [GUID.vcek, ASK])],
  ["no end of entries", whole.subarray(0, 96)],
  [
    "seventeen entries",
    certificateTable(...Array.from({ length: 17 }, () => [GUID.other, ARK] as const)),
  ],
])("a table with %s is refused", (_what, bytes) => {
  expect(() => parseCertificateTable(bytes)).toThrow(AttesterError);
});

test("sixteen entries are read", () => {
  const entries = Array.from({ length: 15 }, () => [GUID.other, ARK] as const);
  expect(parseCertificateTable(certificateTable([GUID.ark, ARK], ...entries))).toEqual({
    ark: ARK,
  });
});

test("a table that is cut at any byte is refused", () => {
  for (let end = 1; end < whole.byteLength; end += 1) {
    expect(() => parseCertificateTable(whole.subarray(0, end))).toThrow(AttesterError);
  }
});

test("no bytes whatever make the reader fail in another way or read outside the table", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        parseCertificateTable(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(AttesterError);
      }
    }),
  );
});
