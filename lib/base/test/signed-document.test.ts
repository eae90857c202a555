import { expect, test } from "vitest";
import { toBase64 } from "../base64.ts";
import { utf8 } from "../bytes.ts";
import { canonicalJson, type Json } from "../canonical-json.ts";
import { preAuthEncoding } from "../dsse.ts";
import { generateSigningKey, signDetached } from "../keys.ts";
import { MAX_SIGNED_DOCUMENT_BYTES } from "../limits.ts";
import {
  addSignatures,
  parseEnvelope,
  signDocument,
  verifySignedDocument,
} from "../signed-document.ts";

const TYPE = "application/vnd.fedclave.example.v1+json";
const PAYLOAD = utf8('{"a":1}');
const [one, two, three] = [generateSigningKey(), generateSigningKey(), generateSigningKey()];
const keys = [one, two, three].map((key) => key.publicKeyDer);
const signed = signDocument(TYPE, PAYLOAD, [one, two]);

test("pre-authentication encoding is the vector of the DSSE specification", () => {
  const encoded = preAuthEncoding("http://example.com/HelloWorld", utf8("hello world"));
  expect(Buffer.from(encoded).toString()).toBe(
    "DSSEv1 29 http://example.com/HelloWorld 11 hello world",
  );
});

test("the payload comes out with its signers, in the order of the document", () => {
  expect(verifySignedDocument(signed, TYPE, keys, 2)).toEqual({
    payload: PAYLOAD,
    signers: [one.spkiDigest, two.spkiDigest],
  });
});

test("a signature added later counts like the first ones, which stay as they were", () => {
  const before = parseEnvelope(signed, TYPE);
  const later = addSignatures(before, [three]);
  expect(verifySignedDocument(later, TYPE, keys, 3).payload).toEqual(PAYLOAD);
  expect(parseEnvelope(later, TYPE).signatures.slice(0, 2)).toEqual(before.signatures);
  expect(() => addSignatures(before, [one])).toThrow(
    expect.objectContaining({ code: "repeated-signer" }),
  );
});

test("signatures by keys that are not trusted here count for nothing", () => {
  const verified = verifySignedDocument(signed, TYPE, [two.publicKeyDer]);
  expect(verified.signers).toEqual([two.spkiDigest]);
});

test.each([
  ["no trusted key signed", [three.publicKeyDer], 1],
  ["no key is trusted", [], 1],
  ["fewer signed than the threshold", [one.publicKeyDer, three.publicKeyDer], 2],
  ["one key stands in the trusted list twice", [one.publicKeyDer, one.publicKeyDer], 2],
])("refuses as not signed when %s", (_what, trusted, threshold) => {
  expect(() => verifySignedDocument(signed, TYPE, trusted, threshold)).toThrow(
    expect.objectContaining({ code: "not-signed" }),
  );
});

test("a threshold of 0 is a broken invariant, not a free pass", () => {
  expect(() => verifySignedDocument(signed, TYPE, [], 0)).toThrow(/invariant/);
});

const envelope = JSON.parse(Buffer.from(signed).toString()) as {
  payload: string;
  payloadType: string;
  signatures: { keyid: string; sig: string }[];
};
const [first, second] = envelope.signatures;
const withFirst = (change: object) => ({ ...envelope, signatures: [{ ...first, ...change }] });

test.each<[string, Json | string, string]>([
  ["white space", ` ${canonicalJson(envelope)}`, "not-canonical"],
  ["a final line feed", `${canonicalJson(envelope)}\n`, "not-canonical"],
  ["an unknown field", { ...envelope, extra: 1 }, "bad-shape"],
  ["an unknown field of a signature", withFirst({ extra: 1 }), "bad-shape"],
  ["no signature", { ...envelope, signatures: [] }, "bad-shape"],
  ["65 signatures", { ...envelope, signatures: Array(65).fill(first) }, "bad-shape"],
  ["a payload that is no text", { ...envelope, payload: 1 }, "bad-shape"],
  ["a list", [], "bad-shape"],
  ["another payload type", { ...envelope, payloadType: "text/plain" }, "wrong-type"],
  ["a payload without padding", { ...envelope, payload: "eyJhIjoxfQ" }, "bad-encoding"],
  ["a payload with stray bits", { ...envelope, payload: "eyJhIjoxfR==" }, "bad-encoding"],
  ["a payload in the URL alphabet", { ...envelope, payload: "_-__" }, "bad-encoding"],
  ["a key id in upper case", withFirst({ keyid: first!.keyid.toUpperCase() }), "bad-encoding"],
  ["an empty key id", withFirst({ keyid: "" }), "bad-encoding"],
  ["a signature of 63 bytes", withFirst({ sig: toBase64(new Uint8Array(63)) }), "bad-encoding"],
  ["one signer twice", { ...envelope, signatures: [first!, first!] }, "repeated-signer"],
  ["another's signature", withFirst({ sig: second!.sig }), "bad-signature"],
  ["another payload", { ...envelope, payload: toBase64(utf8('{"a":2}')) }, "bad-signature"],
  [
    "a good signature beside a wrong one in a trusted name",
    { ...envelope, signatures: [first!, { keyid: second!.keyid, sig: first!.sig }] },
    "bad-signature",
  ],
  [
    "a signature over the payload alone, for another type",
    withFirst({ sig: toBase64(signDetached(one.privateKey, "text/plain", PAYLOAD)) }),
    "bad-signature",
  ],
])("refuses %s", (_what, document, code) => {
  const text = typeof document === "string" ? document : canonicalJson(document);
  expect(() => verifySignedDocument(utf8(text), TYPE, keys)).toThrow(
    expect.objectContaining({ code }),
  );
});

test("refuses bytes that are not UTF-8 or begin with a byte order mark", () => {
  const bom = Uint8Array.of(0xef, 0xbb, 0xbf, ...signed);
  for (const bad of [Uint8Array.of(0xff), bom]) {
    expect(() => parseEnvelope(bad, TYPE)).toThrow(
      expect.objectContaining({ code: "not-canonical" }),
    );
  }
});

test("takes a document of the largest size and refuses one byte more", () => {
  const text = canonicalJson({ ...envelope, payload: "" });
  const room = MAX_SIGNED_DOCUMENT_BYTES - text.length;
  const payload = "A".repeat(room - (room % 4));
  const exact = utf8(canonicalJson({ ...envelope, payload }));
  expect(parseEnvelope(exact, TYPE, exact.byteLength).signatures).toHaveLength(2);
  expect(() => parseEnvelope(exact, TYPE, exact.byteLength - 1)).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
  const beyond = new Uint8Array(MAX_SIGNED_DOCUMENT_BYTES + 1);
  expect(() => verifySignedDocument(beyond, TYPE, keys)).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
});

test("a document cut at any byte is refused", () => {
  for (let length = 0; length < signed.byteLength; length += 1) {
    expect(() => parseEnvelope(signed.subarray(0, length), TYPE)).toThrow(
      expect.objectContaining({ code: "not-canonical" }),
    );
  }
});
