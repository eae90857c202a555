import { createDecipheriv, createHmac, hkdfSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { concatBytes, utf8 } from "../../../base/bytes.ts";
import { digestOf } from "../../../base/ids.ts";
import { InvariantError } from "../../../base/refusal.ts";
import { Secret } from "../../../base/secret.ts";
import {
  otherFederation,
  otherStateKey,
  testFederation,
  testSealer,
  testStateKey,
} from "../../testing/storage-fixture.ts";
import { STATE_KEY_BYTES } from "../local-sealer.ts";
import type { SealContext } from "../sealer.ts";

const sealer = testSealer();
const good: SealContext = {
  kind: "artifact-chunk",
  object: utf8("object"),
  position: 3,
  isLast: false,
};
const plain = utf8("what must not be seen");

describe("sealed pieces", () => {
  it.each<[string, SealContext]>([
    ["another kind under the same key", { ...good, kind: "artifact-header" }],
    ["another kind under another key", { ...good, kind: "file" }],
    ["another object", { ...good, object: utf8("objecu") }],
    ["a longer object", { ...good, object: utf8("object\0") }],
    ["no object", { ...good, object: utf8("") }],
    ["another position", { ...good, position: 4 }],
    ["a position 2^32 further", { ...good, position: 3 + 2 ** 32 }],
    ["the end of the object", { ...good, isLast: true }],
  ])("do not open as %s", (_, context) => {
    const sealed = sealer.seal(good, plain);
    const opening = () => sealer.unseal(context, sealed);
    expect(opening).toThrow(expect.objectContaining({ code: "not-authentic" }));
  });

  it.each([
    ["another state key", testSealer(otherStateKey)],
    ["another federation", testSealer(testStateKey, otherFederation)],
  ])("do not open with %s", (_, other) => {
    const sealed = sealer.seal(good, plain);
    const opening = () => other.unseal(good, sealed);
    expect(opening).toThrow(expect.objectContaining({ code: "not-authentic" }));
  });

  it.each([
    ["version", 1],
    ["suite", 2],
  ])("of an unknown %s are said to be newer", (_, at) => {
    const sealed = sealer.seal(good, plain);
    sealed[at] = 2;
    const opening = () => sealer.unseal(good, sealed);
    expect(opening).toThrow(expect.objectContaining({ code: "newer-version" }));
  });

  it("do not open when cut at any byte, lengthened, or with any bit flipped", () => {
    const sealed = sealer.seal(good, plain);
    const code = expect.stringMatching(/^(not-authentic|newer-version)$/);
    const refused = expect.objectContaining({ code });
    for (let length = 0; length < sealed.byteLength; length += 1) {
      expect(() => sealer.unseal(good, sealed.subarray(0, length))).toThrow(refused);
    }
    expect(() => sealer.unseal(good, concatBytes(sealed, Uint8Array.of(0)))).toThrow(refused);
    for (let bit = 0; bit < sealed.byteLength * 8; bit += 1) {
      const flipped = sealed.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => sealer.unseal(good, flipped)).toThrow(refused);
    }
  });

  it.each([0, 1, 15, 16, 17, 100_000])(
    "of %d bytes open again, each sealed differently",
    (size) => {
      const bytes = new Uint8Array(size).fill(9);
      const [first, second] = [sealer.seal(good, bytes), sealer.seal(good, bytes)];
      expect(first).not.toEqual(second);
      expect(first.byteLength).toBe(size + sealer.overheadBytes);
      expect(sealer.unseal(good, first)).toEqual(bytes);
      expect(sealer.unseal(good, second)).toEqual(bytes);
    },
  );

  it("have the bytes that docs/wire-formats.md describes", () => {
    const sealed = Buffer.from(sealer.seal(good, plain));
    const info = "fedclave/state-key/1\0artifacts";
    const key = hkdfSync("sha256", testStateKey.reveal(), testFederation, info, 32);
    const aad = Buffer.concat([
      Buffer.from("fedclave/sealed/1\0"),
      Buffer.from("00000034", "hex"),
      Buffer.from(testFederation),
      Buffer.from("030101", "hex"),
      Buffer.from("00000006", "hex"),
      Buffer.from("object"),
      Buffer.from("0000000000000003", "hex"),
      Buffer.from("0000000000000015", "hex"),
      Buffer.from("00", "hex"),
    ]);
    const decipher = createDecipheriv("aes-256-gcm", Buffer.from(key), sealed.subarray(3, 15));
    decipher.setAAD(aad).setAuthTag(sealed.subarray(-16));
    const opened = decipher.update(sealed.subarray(15, -16));
    expect(Buffer.concat([opened, decipher.final()])).toEqual(Buffer.from(plain));
    expect(sealed.subarray(0, 3).toString("hex")).toBe("030101");
  });
});

describe("object names", () => {
  it("are the HMAC that docs/wire-formats.md describes", () => {
    const digest = digestOf(plain);
    const info = "fedclave/state-key/1\0names";
    const key = hkdfSync("sha256", testStateKey.reveal(), testFederation, info, 32);
    const hmac = createHmac("sha256", Buffer.from(key));
    hmac.update("fedclave/object-name/1\0").update(Buffer.from("00000005", "hex"));
    hmac.update("model").update(Buffer.from(digest, "hex"));
    expect(sealer.objectName("model", digest)).toBe(hmac.digest("hex"));
  });

  it("differ by kind, digest, key and federation", () => {
    const names = [
      sealer.objectName("model", digestOf(plain)),
      sealer.objectName("snapshot", digestOf(plain)),
      sealer.objectName("model", digestOf()),
      testSealer(otherStateKey).objectName("model", digestOf(plain)),
      testSealer(testStateKey, otherFederation).objectName("model", digestOf(plain)),
    ];
    expect(new Set(names).size).toBe(names.length);
    expect(names).not.toContain(digestOf(plain));
  });
});

describe("a state key", () => {
  it.each([0, 16, STATE_KEY_BYTES - 1, STATE_KEY_BYTES + 1])("of %d bytes is a bug", (size) => {
    expect(() => testSealer(new Secret(new Uint8Array(size)))).toThrow(InvariantError);
  });
});
