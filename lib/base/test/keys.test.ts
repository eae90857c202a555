import { createHash, createPublicKey, generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { concatBytes, utf8 } from "../bytes.ts";
import {
  generateSigningKey,
  type KeyError,
  parsePrivateKeyPem,
  parsePublicKey,
  parsePublicKeyPem,
  privateKeyPem,
  publicKeyDer,
  publicKeyPem,
  signDetached,
  signingKey,
  spkiDigest,
  verifyDetached,
} from "../keys.ts";
import { Secret } from "../secret.ts";

const key = generateSigningKey();
const der = key.publicKeyDer;
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const k1 = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
const ed25519 = generateKeyPairSync("ed25519");
const TYPE = "application/vnd.fedclave.example.v1";

const spki = (each: { publicKey: { export(o: { type: "spki"; format: "der" }): Buffer } }) =>
  new Uint8Array(each.publicKey.export({ type: "spki", format: "der" }));

test.each<[string, Uint8Array, KeyError["code"]]>([
  ["P-384", spki(p384), "wrong-curve"],
  ["secp256k1", spki(k1), "wrong-curve"],
  ["Ed25519", spki(ed25519), "wrong-curve"],
  ["a trailing byte", concatBytes(der, new Uint8Array(1)), "wrong-curve"],
  ["a cut key", der.subarray(0, -1), "wrong-curve"],
  ["a hybrid point", der.map((byte, index) => (index === 26 ? 6 : byte)), "wrong-curve"],
  [
    "a point off the curve",
    der.map((byte, index) => (index === 90 ? byte ^ 1 : byte)),
    "unreadable-key",
  ],
  [
    "the point at infinity's zeros",
    concatBytes(der.subarray(0, 27), new Uint8Array(64)),
    "unreadable-key",
  ],
])("a public key of %s is refused", (_what, bytes, code) => {
  expect(() => parsePublicKey(bytes)).toThrow(expect.objectContaining({ code }));
});

test("private keys of other curves are refused", () => {
  for (const { privateKey } of [p384, k1, ed25519]) {
    expect(() => signingKey(privateKey)).toThrow(expect.objectContaining({ code: "wrong-curve" }));
    const pem = privateKeyPem(privateKey);
    expect(() => parsePrivateKeyPem(pem)).toThrow(expect.objectContaining({ code: "wrong-curve" }));
  }
});

test("a private key survives PEM and prints as a secret", () => {
  const pem = privateKeyPem(key.privateKey);
  expect(String(pem)).toBe("[secret]");
  expect(pem.reveal()).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  expect(parsePrivateKeyPem(pem)).toMatchObject({ publicKeyDer: der, spkiDigest: key.spkiDigest });
});

test("an unreadable private key shows up in no part of the error", () => {
  const text = privateKeyPem(key.privateKey).reveal().replace("-----END", "x----END");
  for (const bad of [text, "", "x".repeat(5000)]) {
    try {
      parsePrivateKeyPem(new Secret(bad));
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "unreadable-key" });
      expect((error as Error).cause).toBeUndefined();
    }
  }
});

test("a public key survives PEM; a private key is not taken for one", () => {
  expect(parsePublicKeyPem(publicKeyPem(der))).toEqual(der);
  const privatePem = privateKeyPem(key.privateKey).reveal();
  for (const bad of [
    privatePem,
    "",
    "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
  ]) {
    expect(() => parsePublicKeyPem(bad)).toThrow(
      expect.objectContaining({ code: "unreadable-key" }),
    );
  }
  const other = p384.publicKey.export({ type: "spki", format: "pem" }).toString();
  expect(() => parsePublicKeyPem(other)).toThrow(expect.objectContaining({ code: "wrong-curve" }));
});

test("a compressed point is refused, so that one key has one digest", () => {
  const compressed = concatBytes(
    Buffer.from("3039301306072a8648ce3d020106082a8648ce3d030107032200", "hex"),
    Uint8Array.of(2 + (der.at(-1)! & 1)),
    der.subarray(27, 59),
  );
  const readable = createPublicKey({ key: Buffer.from(compressed), format: "der", type: "spki" });
  // Node keeps the compressed form, and it must not become a second name of the key.
  expect(() => publicKeyDer(readable)).toThrow(expect.objectContaining({ code: "wrong-curve" }));
});

test("the digest of a key is SHA-256 over its 91 bytes", () => {
  expect(der.byteLength).toBe(91);
  expect(spkiDigest(der)).toBe(createHash("sha256").update(der).digest("hex"));
});

test("a signature is 64 bytes and holds for its payload, type and key only", () => {
  const signature = signDetached(key.privateKey, TYPE, utf8("payload"));
  expect(signature.byteLength).toBe(64);
  expect(verifyDetached(der, TYPE, utf8("payload"), signature)).toBe(true);
  expect(verifyDetached(der, TYPE, utf8("payloae"), signature)).toBe(false);
  expect(verifyDetached(der, `${TYPE}2`, utf8("payload"), signature)).toBe(false);
  const other = generateSigningKey().publicKeyDer;
  expect(verifyDetached(other, TYPE, utf8("payload"), signature)).toBe(false);
});

test("a signature with a flipped bit, of another length or all zeros does not hold", () => {
  const payload = utf8("payload");
  const signature = signDetached(key.privateKey, TYPE, payload);
  for (let index = 0; index < 64; index += 1) {
    const bad = signature.map((byte, at) => (at === index ? byte ^ (1 << (index % 8)) : byte));
    expect(verifyDetached(der, TYPE, payload, bad)).toBe(false);
  }
  for (const length of [0, 63, 65, 72]) {
    const bad = concatBytes(signature, new Uint8Array(8)).subarray(0, length);
    expect(verifyDetached(der, TYPE, payload, bad)).toBe(false);
  }
  expect(verifyDetached(der, TYPE, payload, new Uint8Array(64))).toBe(false);
});
