import { expect, test } from "vitest";
import { concatBytes, toHex } from "../../../base/bytes.ts";
import type { CborValue } from "../../encoding/cbor.ts";
import { writeCbor } from "../../encoding/cbor-writer.ts";
import { parseTaggedEvidence } from "../ra-tls-evidence.ts";

const bytes = (...values: readonly number[]): CborValue => ({
  kind: "bytes",
  bytes: Uint8Array.from(values),
});
const embedded = (value: CborValue): CborValue => ({ kind: "bytes", bytes: writeCbor(value) });
const array = (...items: readonly CborValue[]): CborValue => ({ kind: "array", items });
const integer = (value: bigint): CborValue => ({ kind: "integer", value });
const text = (content: string): CborValue => ({ kind: "text", text: content });
const map = (entries: Readonly<Record<string, CborValue>>): CborValue => ({
  kind: "map",
  entries: new Map(Object.entries(entries)),
});
const tagged = (content: CborValue, tag = 60000n): CborValue => ({ kind: "tag", tag, content });

const QUOTE = bytes(3, 0, 2);
const HASH = embedded(array(integer(1n), bytes(9)));
const GOOD_CLAIMS = map({ "pubkey-hash": HASH });
const withClaims = (claims: CborValue) => tagged(array(QUOTE, embedded(claims)));
const withHash = (hash: CborValue) => withClaims(map({ "pubkey-hash": hash }));

test.each<[string, CborValue]>([
  ["no tag", array(QUOTE, embedded(GOOD_CLAIMS))],
  ["no array", tagged(QUOTE)],
  ["a quote without claims", tagged(array(QUOTE))],
  ["a third item", tagged(array(QUOTE, embedded(GOOD_CLAIMS), QUOTE))],
  ["a quote that is text", tagged(array(text("quote"), embedded(GOOD_CLAIMS)))],
  ["claims that are no encoding", tagged(array(QUOTE, GOOD_CLAIMS))],
  ["claims that are no map", withClaims(array(text("pubkey-hash"), HASH))],
  ["a hash entry that is no encoding", withHash(array(integer(1n), bytes(9)))],
  ["a hash entry of one", withHash(embedded(array(bytes(9))))],
  ["a hash entry of three", withHash(embedded(array(integer(1n), bytes(9), bytes(9))))],
  ["a hash entry whose algorithm is a name", withHash(embedded(array(text("sha-256"), bytes(9))))],
  ["a hash that is text", withHash(embedded(array(integer(1n), text("9"))))],
  ["a nonce that is text", withClaims(map({ "pubkey-hash": HASH, nonce: text("n") }))],
])("refuses %s", (_what, value) => {
  expect(() => parseTaggedEvidence(writeCbor(value))).toThrow(
    expect.objectContaining({ code: "malformed-ra-tls" }),
  );
});

const good = writeCbor(withClaims(GOOD_CLAIMS));
const claimsTwice = concatBytes(
  Uint8Array.of(0xa2),
  ...[1, 2].flatMap(() => [writeCbor(text("pubkey-hash")), writeCbor(HASH)]),
);

test.each([
  ["no bytes", new Uint8Array()],
  ["a byte after the evidence", concatBytes(good, Uint8Array.of(0))],
  [
    "a byte after the claims",
    writeCbor(
      tagged(
        array(QUOTE, {
          kind: "bytes",
          bytes: concatBytes(writeCbor(GOOD_CLAIMS), Uint8Array.of(0)),
        }),
      ),
    ),
  ],
  [
    "a byte after the hash entry",
    writeCbor(
      withHash({
        kind: "bytes",
        bytes: concatBytes(writeCbor(array(integer(1n), bytes(9))), Uint8Array.of(0)),
      }),
    ),
  ],
  ["the same claim twice", writeCbor(tagged(array(QUOTE, { kind: "bytes", bytes: claimsTwice })))],
  [
    "claims of indefinite length",
    writeCbor(tagged(array(QUOTE, { kind: "bytes", bytes: Uint8Array.of(0xbf, 0xff) }))),
  ],
  ["an array of indefinite length", Buffer.from(toHex(good).replace("82", "9f"), "hex")],
])("refuses %s", (_what, encoded) => {
  expect(() => parseTaggedEvidence(encoded)).toThrow(
    expect.objectContaining({ code: "malformed-cbor" }),
  );
});

test("no beginning of it reads", () => {
  for (let length = 0; length < good.byteLength; length += 1) {
    expect(() => parseTaggedEvidence(good.subarray(0, length))).toThrow(/CBOR|RA-TLS/);
  }
});

test.each([60001n, 60002n, 1n])("a local report, tag %s, is no evidence that is read", (tag) => {
  expect(parseTaggedEvidence(writeCbor(tagged(bytes(1), tag)))).toBeUndefined();
});

test("gives quote, exact claims, and what they say", () => {
  const claims = map({
    key_0: text("value_0"),
    "pubkey-hash": HASH,
    nonce: bytes(5, 6),
    key_1: { kind: "simple", value: true },
  });
  expect(parseTaggedEvidence(writeCbor(withClaims(claims)))).toEqual({
    quote: Uint8Array.of(3, 0, 2),
    claimsBytes: writeCbor(claims),
    claims: {
      publicKeyHash: { algorithm: 1n, hash: Uint8Array.of(9) },
      nonce: Uint8Array.of(5, 6),
      otherNames: ["key_0", "key_1"],
    },
  });
});

test("claims without a hash of the key are well-formed", () => {
  const parsed = parseTaggedEvidence(writeCbor(withClaims(map({ nonce: bytes(5) }))));
  expect(parsed?.claims).toEqual({ nonce: Uint8Array.of(5), otherNames: [] });
});
