import { constants, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { DerReader } from "../../encoding/der.ts";
import { hex, tlv } from "../../testing/raw-der.ts";
import {
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  verifySignature,
} from "../signature-algorithm.ts";

const DATA = Buffer.from("what is signed");
const spki = (key: KeyObject) => new Uint8Array(key.export({ type: "spki", format: "der" }));
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const smallRsa = generateKeyPairSync("rsa", { modulusLength: 1024 });
const ed25519 = generateKeyPairSync("ed25519");

const pss = (privateKey: KeyObject, saltLength = 48, hash = "sha384") =>
  new Uint8Array(
    sign(hash, DATA, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }),
  );

const holds = (
  signatureAlgorithm: SignatureAlgorithm,
  signature: Uint8Array,
  key: Uint8Array,
  toBeSigned: Uint8Array = DATA,
) => verifySignature({ toBeSigned, signature, signatureAlgorithm }, key);

describe("ECDSA", () => {
  const key = spki(p256.publicKey);
  const raw = sign("sha256", DATA, { key: p256.privateKey, dsaEncoding: "ieee-p1363" });
  const [r, s] = [raw.subarray(0, 32), raw.subarray(32)];
  const unsigned = (bytes: Uint8Array): Uint8Array => {
    const start = bytes.findIndex((byte) => byte !== 0);
    const magnitude = bytes.subarray(start);
    return (magnitude[0] ?? 0) < 0x80 ? magnitude : Uint8Array.from([0, ...magnitude]);
  };
  const good = tlv(0x30, tlv(2, unsigned(r)), tlv(2, unsigned(s)));
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const number = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  const bytesOf = (value: bigint) => unsigned(hex(value.toString(16).padStart(66, "0")));

  test("a good signature verifies, under its algorithm only", () => {
    expect(holds("ecdsa-sha256", good, key)).toBe(true);
    for (const other of ["ecdsa-sha384", "ecdsa-sha512", "rsa-sha256", "rsa-pss-sha384"] as const) {
      expect([other, holds(other, good, key)]).toEqual([other, false]);
    }
    expect(holds("unknown", good, key)).toBe(false);
  });

  test("s and n − s both verify: a signature is no identity", () => {
    const twin = tlv(0x30, tlv(2, unsigned(r)), tlv(2, bytesOf(order - number(s))));
    expect(holds("ecdsa-sha256", twin, key)).toBe(true);
  });

  test.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array()],
    ["r and s side by side", new Uint8Array(raw)],
    ["something after it", Uint8Array.from([...good, 0])],
    ["something inside it", tlv(0x30, good.subarray(2), hex("0500"))],
    ["r alone", tlv(0x30, tlv(2, unsigned(r)))],
    ["a padded r", tlv(0x30, tlv(2, hex("00"), unsigned(r)), tlv(2, unsigned(s)))],
    ["a padded s", tlv(0x30, tlv(2, unsigned(r)), tlv(2, hex("00"), unsigned(s)))],
    ["a long length", Uint8Array.from([0x30, 0x81, good.byteLength - 2, ...good.subarray(2)])],
    ["an indefinite length", Uint8Array.from([0x30, 0x80, ...good.subarray(2), 0, 0])],
    ["a set", Uint8Array.from([0x31, ...good.subarray(1)])],
    ["zero", hex("3006020100020100")],
    ["r of zero", tlv(0x30, hex("020100"), tlv(2, unsigned(s)))],
    ["r of the order", tlv(0x30, tlv(2, bytesOf(order)), tlv(2, unsigned(s)))],
    ["r past the order", tlv(0x30, tlv(2, bytesOf(number(r) + order)), tlv(2, unsigned(s)))],
    ["s past the order", tlv(0x30, tlv(2, unsigned(r)), tlv(2, bytesOf(number(s) + order)))],
    ["a negative s", tlv(0x30, tlv(2, unsigned(r)), hex("0201ff"))],
  ])("%s is no signature", (_, signature) => {
    expect(holds("ecdsa-sha256", signature, key)).toBe(false);
  });

  test("another text, another key, a key of another curve", () => {
    expect(holds("ecdsa-sha256", good, key, Buffer.from("what was signed"))).toBe(false);
    expect(holds("ecdsa-sha256", good, spki(p384.publicKey))).toBe(false);
  });

  test("P-384 with SHA-384 and SHA-256", () => {
    for (const hash of ["sha384", "sha256"] as const) {
      const signature = new Uint8Array(sign(hash, DATA, p384.privateKey));
      expect(holds(`ecdsa-${hash}`, signature, spki(p384.publicKey))).toBe(true);
    }
  });
});

describe("RSA", () => {
  const key = spki(rsa.publicKey);

  test("PKCS #1 and PSS verify, each under its own algorithm only", () => {
    const pkcs1 = new Uint8Array(sign("sha256", DATA, rsa.privateKey));
    expect(holds("rsa-sha256", pkcs1, key)).toBe(true);
    expect(holds("rsa-sha384", pkcs1, key)).toBe(false);
    expect(holds("rsa-pss-sha384", pkcs1, key)).toBe(false);
    expect(holds("rsa-pss-sha384", pss(rsa.privateKey), key)).toBe(true);
    expect(holds("rsa-sha384", pss(rsa.privateKey), key)).toBe(false);
  });

  test.each([
    ["no salt", () => pss(rsa.privateKey, 0)],
    ["a salt of 47 bytes", () => pss(rsa.privateKey, 47)],
    ["a salt of 49 bytes", () => pss(rsa.privateKey, 49)],
    ["SHA-256", () => pss(rsa.privateKey, 48, "sha256")],
    ["a zero in front", () => Uint8Array.from([0, ...pss(rsa.privateKey)])],
    ["nothing", () => new Uint8Array()],
    ["nothing but zeros", () => new Uint8Array(256)],
    ["nothing but ones", () => new Uint8Array(256).fill(255)],
  ])("PSS with %s is refused", (_, signature) => {
    expect(holds("rsa-pss-sha384", signature(), key)).toBe(false);
  });

  test("a signature that begins with zero is refused without it", () => {
    let signature = pss(rsa.privateKey);
    while (signature[0] !== 0) signature = pss(rsa.privateKey);
    expect(holds("rsa-pss-sha384", signature, key)).toBe(true);
    expect(holds("rsa-pss-sha384", signature.subarray(1), key)).toBe(false);
  });

  test("a modulus of 1024 bits is no key", () => {
    const signature = new Uint8Array(sign("sha256", DATA, smallRsa.privateKey));
    expect(holds("rsa-sha256", signature, spki(smallRsa.publicKey))).toBe(false);
  });

  test("a key of more bytes than any modulus needs is none", () => {
    const signature = new Uint8Array(sign("sha256", DATA, rsa.privateKey));
    const stuffed = (sizeBytes: number) => {
      const bits = key.subarray(4 + 15 + 4);
      return tlv(0x30, key.subarray(4, 4 + 15), tlv(0x03, bits, new Uint8Array(sizeBytes)));
    };
    expect(holds("rsa-sha256", signature, stuffed(3000))).toBe(true);
    expect(holds("rsa-sha256", signature, stuffed(4000))).toBe(false);
  });

  test("a key that may sign with PSS only does not verify PKCS #1", () => {
    const pssKey = asPssKey(key);
    expect(
      createPublicKey({ key: Buffer.from(pssKey), format: "der", type: "spki" }).asymmetricKeyType,
    ).toBe("rsa-pss");
    expect(holds("rsa-pss-sha384", pss(rsa.privateKey), pssKey)).toBe(true);
    const pkcs1 = new Uint8Array(sign("sha384", DATA, rsa.privateKey));
    expect(holds("rsa-sha384", pkcs1, key)).toBe(true);
    expect(holds("rsa-sha384", pkcs1, pssKey)).toBe(false);
  });
});

test("keys that are none, off their curve, or of another kind verify nothing", () => {
  const signature = new Uint8Array(sign("sha256", DATA, p256.privateKey));
  const offCurve = spki(p256.publicKey);
  offCurve[90] = (offCurve[90] ?? 0) ^ 1;
  for (const key of [new Uint8Array(), hex("3000"), offCurve, spki(ed25519.publicKey)]) {
    expect(holds("ecdsa-sha256", signature, key)).toBe(false);
    expect(holds("rsa-sha256", signature, key)).toBe(false);
    expect(holds("rsa-pss-sha384", signature, key)).toBe(false);
  }
});

describe("algorithm identifiers", () => {
  const read = (content: string) =>
    readSignatureAlgorithm(new DerReader(hex(content), "malformed-der", "test"));
  const SHA384 = "300d06096086480165030402020500";
  const PSS = "06092a864886f70d01010a";
  const mask = (hash: string) => `a11c301a06092a864886f70d010108${hash}`;

  test.each([
    ["06082a8648ce3d040302", "ecdsa-sha256"],
    ["06082a8648ce3d0403030500", "ecdsa-sha384"],
    ["06082a8648ce3d040304", "ecdsa-sha512"],
    ["06092a864886f70d01010b0500", "rsa-sha256"],
    ["06092a864886f70d01010c0500", "rsa-sha384"],
    ["06092a864886f70d01010d0500", "rsa-sha512"],
    [`${PSS}3034a00f${SHA384}${mask(SHA384)}a203020130`, "rsa-pss-sha384"],
    [`${PSS}3039a00f${SHA384}${mask(SHA384)}a203020130a303020101`, "rsa-pss-sha384"],
    // SHA-1: read, so that other reasons are found too.
    ["06072a8648ce3d0401", "unknown"],
    ["06092a864886f70d0101050500", "unknown"],
  ])("%s is %s", (content, algorithm) => {
    expect(read(content)).toBe(algorithm);
  });

  test.each([
    ["a salt of 32 bytes", `${PSS}3034a00f${SHA384}${mask(SHA384)}a203020120`],
    ["a salt of 20 bytes by default", `${PSS}302fa00f${SHA384}${mask(SHA384)}`],
    ["SHA-256", `${PSS}3034a00f${SHA384.replace("0202", "0201")}${mask(SHA384)}a203020130`],
    [
      "a mask by SHA-256",
      `${PSS}3034a00f${SHA384}${mask(SHA384.replace("0202", "0201"))}a203020130`,
    ],
    ["trailer 2", `${PSS}3039a00f${SHA384}${mask(SHA384)}a203020130a303020102`],
    ["nothing", PSS],
  ])("PSS with %s is refused", (_, content) => {
    expect(() => read(content)).toThrow("parameters of rsa-pss-sha384 that it does not have");
  });
});

/** The same modulus under id-RSASSA-PSS with parameters of SHA-384. */
function asPssKey(key: Uint8Array): Uint8Array {
  const bits = key.subarray(4 + 15);
  const parameters = hex(
    "3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130",
  );
  return tlv(0x30, tlv(0x30, hex("06092a864886f70d01010a"), parameters), bits);
}
