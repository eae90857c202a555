import { describe, expect, test } from "vitest";
import { cuts } from "../../testing/damage.ts";
import {
  CRL_EXTENSIONS_TAG,
  CRL_NUMBER,
  GOOD_CRL,
  hex,
  type RawCrl,
  rawCrl,
  rawEntry,
  rawExtension,
  rawName,
  SEQUENCE,
  tlv,
} from "../../testing/raw-der.ts";
import { MAX_CRL_BYTES, parseCrl, serialKey } from "../crl.ts";

const NONE = new Uint8Array();
const TRUE = hex("0101ff");
const read = (deviation: Partial<RawCrl>) => parseCrl(rawCrl({ ...GOOD_CRL, ...deviation }));
const entries = (...list: readonly Uint8Array[]): Partial<RawCrl> => ({
  entries: tlv(SEQUENCE, ...list),
});
const extensions = (...list: readonly Uint8Array[]): Partial<RawCrl> => ({
  extensions: tlv(CRL_EXTENSIONS_TAG, tlv(SEQUENCE, ...list)),
});
const number = (value: string) => extensions(rawExtension("551d14", hex(value)));

test.each<[string, string, Partial<RawCrl>]>([
  ["version 1, left out", "body: version: tag 30 where tag 02 belongs", { version: NONE }],
  ["version 1, written out", "body: not of version 2", { version: hex("020100") }],
  ["version 3", "body: version: above 1", { version: hex("020102") }],
  [
    "another algorithm inside",
    "revocation list: two signature algorithms",
    { signedAs: hex("300a06082a8648ce3d040303") },
  ],
  [
    "NULL outside alone",
    "revocation list: two signature algorithms",
    { algorithm: hex("300c06082a8648ce3d0403020500") },
  ],
  [
    "an issuer that is no name",
    "name: relative name: tag 05 where tag 31 belongs",
    { issuer: hex("30020500") },
  ],
  ["no beginning", "body: nextUpdate: tag 30 where tag 18 belongs", { thisUpdate: NONE }],
  ["no end", "body: nextUpdate: tag 30 where tag 18 belongs", { nextUpdate: NONE }],
  [
    "a day that is not",
    "body: nextUpdate: not a time",
    { nextUpdate: tlv(0x17, Buffer.from("250230000000Z")) },
  ],
  ["an empty list of entries", "entries: entry: nothing where tag 30 belongs", entries()],
  [
    "an entry without a date",
    "entry: revocationDate: nothing where tag 18 belongs",
    entries(tlv(SEQUENCE, hex("020101"))),
  ],
  [
    "an entry without a number",
    "entry: serial number: nothing where tag 02 belongs",
    entries(tlv(SEQUENCE)),
  ],
  ["a negative serial number", "entry: a negative serial number", entries(rawEntry("80"))],
  [
    "a serial number of 22 bytes",
    "entry: a serial number past 20 bytes",
    entries(rawEntry("01".repeat(22))),
  ],
  [
    "something after an entry",
    "entries: entry: tag 05 where tag 30 belongs",
    entries(rawEntry("01"), hex("0500")),
  ],
  [
    "an unknown critical entry extension",
    "entry: extension 1.2.3 is not understood",
    entries(rawEntry("01", rawExtension("2a03", NONE, TRUE))),
  ],
  // RFC 5280 §5.3.3: from here on the entries are another issuer's.
  [
    "an entry of another issuer",
    "entry: extension 2.5.29.29 is not understood",
    entries(rawEntry("01", rawExtension("551d1d", hex("3000")))),
  ],
  [
    "an entry extension twice",
    "extensions: extension 2.5.29.20 twice",
    entries(rawEntry("01", CRL_NUMBER, CRL_NUMBER)),
  ],
  ["no extensions", "body: extensions: nothing where tag a0 belongs", { extensions: NONE }],
  ["no number", "body: no number", extensions(rawExtension("551d23", hex("3000")))],
  ["a negative number", "number: number: negative", number("0201ff")],
  ["a padded number", "number: number: not minimal", number("02020001")],
  ["a number past 20 bytes", "number: number: above", number(`021501${"00".repeat(20)}`)],
  ["something after the number", "number: something follows", number("0201050500")],
  ["a number twice", "extensions: extension 2.5.29.20 twice", extensions(CRL_NUMBER, CRL_NUMBER)],
  [
    "an unknown critical extension",
    "body: extension 1.2.3 is not understood",
    extensions(CRL_NUMBER, rawExtension("2a03", NONE, TRUE)),
  ],
  [
    "a delta",
    "body: extension 2.5.29.27 is not understood",
    extensions(CRL_NUMBER, rawExtension("551d1b", hex("020101"), TRUE)),
  ],
  [
    "a delta that is not critical",
    "body: extension 2.5.29.27 is not understood",
    extensions(CRL_NUMBER, rawExtension("551d1b", hex("020101"))),
  ],
  [
    "a part only",
    "body: extension 2.5.29.28 is not understood",
    extensions(CRL_NUMBER, rawExtension("551d1c", hex("3000"), TRUE)),
  ],
  [
    "a part only, not critical",
    "body: extension 2.5.29.28 is not understood",
    extensions(CRL_NUMBER, rawExtension("551d1c", hex("3000"))),
  ],
  [
    "a signature with unused bits",
    "revocation list: signature: not of whole bytes",
    { signature: hex("030201fe") },
  ],
  [
    "something after the signature",
    "revocation list: something follows",
    { signature: hex("0301000500") },
  ],
  ["something after the list", "DER: something follows", { trailing: hex("00") }],
])("a list with %s is malformed", (_, message, deviation) => {
  expect(() => read(deviation)).toThrow(
    expect.objectContaining({ code: "malformed-crl", message: expect.stringContaining(message) }),
  );
});

test("every cut of a list is malformed", () => {
  for (const { bytes } of cuts(rawCrl(GOOD_CRL))) {
    expect(() => parseCrl(bytes)).toThrow(expect.objectContaining({ code: "malformed-crl" }));
  }
});

test("a list is refused before it is read past 1 MiB", () => {
  const size = rawCrl(GOOD_CRL).byteLength;
  const padded = (total: number) => read({ trailing: new Uint8Array(total - size) });
  expect(() => padded(MAX_CRL_BYTES)).toThrow(expect.objectContaining({ code: "malformed-crl" }));
  expect(() => padded(MAX_CRL_BYTES + 1)).toThrow(expect.objectContaining({ code: "too-large" }));
});

describe("lists that are read", () => {
  test("issuer, dates, number and revoked serial numbers", () => {
    const crl = read({});
    expect(crl.issuer).toEqual(rawName("issuer"));
    expect([crl.thisUpdateMs, crl.nextUpdateMs]).toEqual([
      Date.UTC(2025, 0, 1),
      Date.UTC(2025, 1, 1),
    ]);
    expect(crl.crlNumber).toBe(5n);
    expect(crl.revokedSerials).toEqual(new Set(["0102"]));
    expect(crl.signatureAlgorithm).toBe("ecdsa-sha256");
  });

  test("a list that revokes nothing has no entries", () => {
    expect(read({ entries: NONE }).revokedSerials.size).toBe(0);
  });

  test("on hold, compromised since, and without a reason: all are revoked", () => {
    const list = entries(
      rawEntry("01", rawExtension("551d15", hex("0a0106"))),
      rawEntry("02", rawExtension("551d18", hex("0500"), TRUE)),
      rawEntry("0080"),
      rawEntry("03", rawExtension("2a03", hex("0500"))),
    );
    expect(read(list).revokedSerials).toEqual(new Set(["01", "02", "0080", "03"]));
  });

  test("numbers of 20 bytes", () => {
    expect(read(number(`021500${"ff".repeat(20)}`)).crlNumber).toBe(2n ** 160n - 1n);
  });

  test("serial numbers are compared as they are encoded", () => {
    expect(serialKey(hex("0095"))).toBe("0095");
  });
});
