import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { toBase64 } from "../../base/base64.ts";
import { utf8 } from "../../base/bytes.ts";
import { canonicalJson, type Json } from "../../base/canonical-json.ts";
import type { Name } from "../../base/ids.ts";
import { generateSigningKey } from "../../base/keys.ts";
import {
  MAX_ADMIN_KEYS,
  MAX_ORGANIZATIONS,
  manifestDigest,
  parseManifest,
  statementIssuers,
  writeManifest,
} from "../manifest.ts";

const publicKey = () => toBase64(generateSigningKey().publicKeyDer);
const alice = { name: "alice", publicKey: publicKey() };
const bob = { name: "bob", publicKey: publicKey() };
const hospitalA = { name: "hospital-a", publicKey: publicKey(), mayEnrol: ["client", "combiner"] };
const hospitalB = { name: "hospital-b", publicKey: publicKey(), mayEnrol: ["client"] };
const good = {
  kind: "fedclave/manifest",
  version: 1,
  name: "oncology",
  epoch: 1,
  admins: { keys: [alice, bob], threshold: 2 },
  organizations: [hospitalA, hospitalB],
};
const p384 = toBase64(
  generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({
    type: "spki",
    format: "der",
  }),
);
const admins = (change: object) => ({ ...good, admins: { ...good.admins, ...change } });
const first = (change: object) => ({
  ...good,
  organizations: [{ ...hospitalA, ...change }, hospitalB],
});
const bytesOf = (value: Json) => utf8(canonicalJson(value));

test("a manifest is read as it was written, byte for byte", () => {
  const manifest = parseManifest(bytesOf(good));
  expect(manifest).toMatchObject({ name: "oncology", epoch: 1, admins: { threshold: 2 } });
  expect(manifest.organizations.map((each) => each.mayEnrol)).toEqual([
    ["client", "combiner"],
    ["client"],
  ]);
  expect(writeManifest(manifest)).toEqual(bytesOf(good));
});

test.each<[string, Json, string]>([
  ["another kind", { ...good, kind: "fedclave/federation" }, "wrong-kind"],
  ["a later version", { ...good, version: 2 }, "unsupported-version"],
  ["an unknown field", { ...good, extra: true }, "bad-shape"],
  ["a missing field", { ...good, organizations: undefined }, "bad-shape"],
  ["an unknown field of admins", admins({ extra: 1 }), "bad-shape"],
  ["an unknown field of an organization", first({ extra: 1 }), "bad-shape"],
  ["no list of roles", first({ mayEnrol: undefined }), "bad-shape"],
  ["a name in upper case", { ...good, name: "Oncology" }, "bad-shape"],
  ["a name with a line feed", { ...good, name: "oncology\n" }, "bad-shape"],
  ["an organization's empty name", first({ name: "" }), "bad-shape"],
  ["epoch 0", { ...good, epoch: 0 }, "bad-shape"],
  ["half an epoch", { ...good, epoch: 1.5 }, "bad-shape"],
  ["an epoch past 2^53 − 1", { ...good, epoch: 2 ** 53 }, "bad-shape"],
  ["threshold 0", admins({ threshold: 0 }), "bad-shape"],
  ["no admin", admins({ keys: [], threshold: 1 }), "bad-shape"],
  ["no organization", { ...good, organizations: [] }, "bad-shape"],
  ["an organization that may enrol reducers", first({ mayEnrol: ["reducer"] }), "bad-shape"],
  ["an organization that may enrol admins", first({ mayEnrol: ["client", "admin"] }), "bad-shape"],
  ["a threshold above the number of admins", admins({ threshold: 3 }), "threshold-too-high"],
  [
    "two admins of one name",
    admins({ keys: [alice, { ...bob, name: "alice" }] }),
    "duplicate-name",
  ],
  ["two organizations of one name", first({ name: "hospital-b" }), "duplicate-name"],
  ["an organization named as an admin", first({ name: "alice" }), "duplicate-name"],
  ["a role given twice", first({ mayEnrol: ["client", "client"] }), "duplicate-name"],
  ["one key for two admins", admins({ keys: [alice, { ...alice, name: "bob" }] }), "duplicate-key"],
  ["one key for two organizations", first({ publicKey: hospitalB.publicKey }), "duplicate-key"],
  [
    "one key for an admin and an organization",
    first({ publicKey: bob.publicKey }),
    "duplicate-key",
  ],
  ["a P-384 key", first({ publicKey: p384 }), "bad-key"],
  ["a key that is not base64", first({ publicKey: "?" }), "bad-key"],
  [
    "a key in base64 without padding",
    first({ publicKey: alice.publicKey.replace(/=+$/, "") }),
    "bad-key",
  ],
  ["no key", first({ publicKey: "" }), "bad-key"],
])("refuses %s", (_what, value, code) => {
  expect(() => parseManifest(bytesOf(value))).toThrow(expect.objectContaining({ code }));
});

test("takes as many admins and organizations as allowed, and not one more", () => {
  const keys = Array.from({ length: MAX_ADMIN_KEYS + 1 }, (_, index) => ({
    name: `admin-${index}`,
    publicKey: publicKey(),
  }));
  expect(parseManifest(bytesOf(admins({ keys: keys.slice(1) }))).admins.keys).toHaveLength(64);
  expect(() => parseManifest(bytesOf(admins({ keys })))).toThrow(
    expect.objectContaining({ code: "bad-shape" }),
  );
  const many = Array.from({ length: MAX_ORGANIZATIONS + 1 }, (_, index) => ({
    name: `o-${index}`,
    publicKey: publicKey(),
    mayEnrol: ["client"],
  }));
  const most = parseManifest(bytesOf({ ...good, organizations: many.slice(1) }));
  expect(most.organizations).toHaveLength(1000);
  expect(() => parseManifest(bytesOf({ ...good, organizations: many }))).toThrow(
    expect.objectContaining({ code: "bad-shape" }),
  );
});

test("a manifest cut at any byte, or with one after it, is refused", () => {
  const bytes = bytesOf(good);
  for (let length = 0; length < bytes.byteLength; length += 1) {
    expect(() => parseManifest(bytes.subarray(0, length))).toThrow(
      expect.objectContaining({ code: "not-canonical" }),
    );
  }
  expect(() => parseManifest(Uint8Array.of(...bytes, 10))).toThrow(
    expect.objectContaining({ code: "not-canonical" }),
  );
});

test("nothing is written that could not be read", () => {
  const manifest = parseManifest(bytesOf(good));
  const broken = { ...manifest, name: "Upper" as Name };
  expect(() => writeManifest(broken)).toThrow(expect.objectContaining({ code: "bad-shape" }));
});

test("the digest is over the domain and the exact bytes", () => {
  // Computed with Python's hashlib.
  const expected = "75a8f4a4afb84d64ad9da7f0c7290f685d87d913afdec0529446ed27a8396ccf";
  expect(manifestDigest(utf8("{}"))).toBe(expected);
  expect(manifestDigest(utf8("{}\n"))).not.toBe(expected);
});

test("admin keys vouch for admins only, organizations for what the manifest lists", () => {
  const issuers = statementIssuers(parseManifest(bytesOf(good)));
  expect(issuers.map(({ name, mayEnrol }) => [name, mayEnrol])).toEqual([
    ["alice", ["admin"]],
    ["bob", ["admin"]],
    ["hospital-a", ["client", "combiner"]],
    ["hospital-b", ["client"]],
  ]);
});
