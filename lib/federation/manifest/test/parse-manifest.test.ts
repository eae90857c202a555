import { expect, test } from "vitest";
import { utf8 } from "../../../base/bytes.ts";
import { canonicalJson, type Json } from "../../../base/canonical-json.ts";
import type { Name } from "../../../base/ids.ts";
import { generateSigningKey } from "../../../base/keys.ts";
import { generateAuthorityKey } from "../../../provisioning/authority.ts";
import {
  keys,
  name,
  namedKey,
  sampleDocument,
  sampleManifest,
} from "../../testing/sample-manifest.ts";
import { MAX_ADMIN_KEYS, MAX_ORGANIZATIONS } from "../manifest.ts";
import { onPremManifest } from "../on-prem-manifest.ts";
import { manifestDigest, parseManifest, writeManifest } from "../parse-manifest.ts";
import { statementIssuers } from "../statement-issuers.ts";

const good = sampleDocument() as { [field: string]: Json };
const bytesOf = (value: Json) => utf8(canonicalJson(value));
const { admins, organizations } = sampleManifest;

test("a manifest is read as it was written, byte for byte", () => {
  expect(parseManifest(bytesOf(good))).toEqual(sampleManifest);
  expect(writeManifest(sampleManifest)).toEqual(bytesOf(good));
});

test.each<[string, Json, string]>([
  ["another kind", { ...good, kind: "fedclave/federation" }, "wrong-kind"],
  ["a version before this one", { ...good, version: 1 }, "unsupported-version"],
  ["a later version", { ...good, version: 3 }, "unsupported-version"],
  ["an unknown field", { ...good, extra: true }, "bad-shape"],
  ["a missing field", { ...good, witnesses: undefined }, "bad-shape"],
  [
    "a threshold above the number of admins",
    { ...good, admins: { ...admins, threshold: 3 } } as Json,
    "threshold-too-high",
  ],
  [
    "a key of nobody",
    {
      ...good,
      organizations: [{ ...organizations[0], publicKey: "AAAA" }, organizations[1]],
    } as Json,
    "bad-key",
  ],
])("refuses %s", (_what, value, code) => {
  expect(() => parseManifest(bytesOf(value))).toThrow(expect.objectContaining({ code }));
});

test("a refusal names the first problems with their places, and how many more there are", () => {
  const wrong = { ...good, name: "A", environment: "", epoch: 0, previousDigest: "", extra: 1 };
  expect(() => parseManifest(bytesOf(wrong))).toThrow(
    /^the manifest is wrong: name: .+; environment: .+; epoch: .+; and 2 more$/,
  );
});

test("takes as many admins and organizations as allowed, and not one more", () => {
  const party = (text: string) => ({
    name: name(text),
    publicKeyDer: generateSigningKey().publicKeyDer,
  });
  const manifest = (adminCount: number, organizationCount: number) =>
    onPremManifest({
      name: name("large"),
      environment: "production",
      reducerKeyDer: generateAuthorityKey().publicKeyDer,
      admins: Array.from({ length: adminCount }, (_, index) => party(`admin-${index}`)),
      organizations: Array.from({ length: organizationCount }, (_, index) => ({
        ...party(`o-${index}`),
        mayEnrol: index === 0 ? (["client", "combiner"] as const) : [],
      })),
      weightCap: 1,
    });
  const most = parseManifest(writeManifest(manifest(MAX_ADMIN_KEYS, MAX_ORGANIZATIONS)));
  expect([most.admins.keys.length, most.organizations.length]).toEqual([64, 1000]);
  for (const [adminCount, organizationCount] of [
    [MAX_ADMIN_KEYS + 1, 1],
    [1, MAX_ORGANIZATIONS + 1],
  ] as const) {
    expect(() => writeManifest(manifest(adminCount, organizationCount))).toThrow(
      expect.objectContaining({ code: "bad-shape" }),
    );
  }
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
  const broken = { ...sampleManifest, name: "Upper" as Name };
  expect(() => writeManifest(broken)).toThrow(expect.objectContaining({ code: "bad-shape" }));
});

test("the digest is over the domain and the exact bytes", () => {
  // Computed with Python's hashlib.
  const expected = "75a8f4a4afb84d64ad9da7f0c7290f685d87d913afdec0529446ed27a8396ccf";
  expect(manifestDigest(utf8("{}"))).toBe(expected);
  expect(manifestDigest(utf8("{}\n"))).not.toBe(expected);
});

test("admin keys vouch for admins only, organizations for what the manifest lists", () => {
  const issuers = statementIssuers(sampleManifest);
  expect(issuers.map((each) => [each.name, each.mayEnrol])).toEqual([
    ["alice", ["admin"]],
    ["bob", ["admin"]],
    ["hospital-a", ["client", "combiner"]],
    ["hospital-b", ["client"]],
  ]);
  expect(issuers[0]?.publicKeyDer).toEqual(keys.alice.publicKeyDer);
});

test("the manifest of a federation without enclaves has no problem, and names no enclave", () => {
  const manifest = onPremManifest({
    name: name("plain"),
    environment: "production",
    reducerKeyDer: generateAuthorityKey().publicKeyDer,
    admins: [{ name: name("alice"), publicKeyDer: keys.alice.publicKeyDer }],
    organizations: [
      {
        name: name("hospital-a"),
        publicKeyDer: keys["hospital-a"].publicKeyDer,
        mayEnrol: ["combiner", "client"],
      },
    ],
    weightCap: 4096,
  });
  expect(parseManifest(writeManifest(manifest))).toEqual(manifest);
  expect(
    Object.values(manifest.roles)
      .flat()
      .map((each) => each.kind),
  ).toEqual(["onprem", "onprem", "onprem"]);
  expect(manifest.organizations[0]).toEqual({
    ...namedKey("hospital-a"),
    mayEnrol: ["combiner", "client"],
  });
});
