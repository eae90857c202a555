import { expect, test } from "vitest";
import { toHex, utf8 } from "../../../base/bytes.ts";
import { cuts } from "../../testing/damage.ts";
import {
  boundTo,
  diceExtension,
  keyClaims,
  legacyExtension,
  RA_TLS_KEY,
  raTlsCertificate,
  spkiOf,
} from "../../testing/ra-tls-fixture.ts";
import { parseRaTlsCertificate } from "../ra-tls-certificate.ts";

const DICE = diceExtension(keyClaims(RA_TLS_KEY));
const LEGACY = legacyExtension(boundTo(spkiOf(RA_TLS_KEY)));
const NOTHING = new Uint8Array();

test.each([
  ["two DICE extensions", [DICE, DICE], "malformed-certificate"],
  ["two of Gramine's older ones", [LEGACY, LEGACY], "malformed-certificate"],
  ["DICE evidence that is no CBOR", [{ ...DICE, value: NOTHING }], "malformed-cbor"],
  ["DICE evidence that is a quote alone", [{ ...DICE, value: LEGACY.value }], "malformed-"],
  ["an older extension without a quote", [{ ...LEGACY, value: NOTHING }], "malformed-quote"],
])("refuses a certificate with %s", (_what, extensions, code) => {
  expect(() => parseRaTlsCertificate(raTlsCertificate({ extensions }))).toThrow(
    expect.objectContaining({ code: expect.stringContaining(code) }),
  );
});

test("refuses a certificate past its size before reading it", () => {
  const value = new Uint8Array(200 * 1024);
  const der = raTlsCertificate({ extensions: [{ oid: "1.2.3.4", critical: false, value }] });
  expect(() => parseRaTlsCertificate(der)).toThrow(expect.objectContaining({ code: "too-large" }));
});

test("no beginning of a certificate reads, and nothing may follow it", () => {
  const der = raTlsCertificate();
  for (const { bytes } of cuts(der)) {
    expect(() => parseRaTlsCertificate(bytes)).toThrow(/./);
  }
  expect(() => parseRaTlsCertificate(Uint8Array.of(...der, 0))).toThrow(
    expect.objectContaining({ code: "malformed-certificate" }),
  );
});

test("names all evidence that it finds, read or not", () => {
  const openEnclave = { oid: "1.3.6.1.4.1.311.105.1", critical: false, value: utf8("x") };
  const { found, evidence } = parseRaTlsCertificate(
    raTlsCertificate({ extensions: [openEnclave, LEGACY, DICE] }),
  );
  expect(found).toEqual(["TCG DICE evidence", "Gramine's older evidence", "Open Enclave evidence"]);
  expect(evidence.kind).toBe("several");
});

test("the older extension stands under the OID that Gramine writes by mistake", () => {
  const der = toHex(raTlsCertificate({ extensions: [LEGACY] }));
  expect(der).toContain("060b06092a864886f84d8a39060482");
});
