import { expect, test } from "vitest";
import { sgxIdentity } from "../../attestation/appraisal/testing/claims-and-identities.ts";
import { fromBase64, toBase64 } from "../../base/base64.ts";
import { toHex, utf8 } from "../../base/bytes.ts";
import { canonicalJson } from "../../base/canonical-json.ts";
import type { Digest, FederationId, Name, UnixMs } from "../../base/ids.ts";
import { generateSigningKey } from "../../base/keys.ts";
import { systemRandomness } from "../../base/randomness.ts";
import { createAuthority, generateAuthorityKey } from "../../provisioning/authority.ts";
import { parseDescriptor, writeDescriptor } from "../descriptor.ts";
import { federationIdOf } from "../genesis.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { onPremManifest } from "../manifest/on-prem-manifest.ts";
import { manifestDigest, writeManifest } from "../manifest/parse-manifest.ts";
import { memberSeed } from "../seeds.ts";
import { anchor } from "../testing/sample-manifest.ts";

const NOW_MS = Date.UTC(2026, 5, 1) as UnixMs;
const key = generateAuthorityKey();
const manifest: Manifest = onPremManifest({
  name: "oncology" as Name,
  environment: "production",
  reducerKeyDer: key.publicKeyDer,
  admins: [{ name: "alice" as Name, publicKeyDer: generateSigningKey().publicKeyDer }],
  organizations: [
    {
      name: "hospital-a" as Name,
      publicKeyDer: generateSigningKey().publicKeyDer,
      mayEnrol: ["client", "combiner"],
    },
  ],
  weightCap: 1,
});
const manifestBytes = writeManifest(manifest);
const authority = authorityOf(key);
const given = {
  caCertificate: authority.caCertificate,
  manifestBytes,
  reducerAddress: "reducer.example.org:4000",
};
const file = writeDescriptor(given);
const good = JSON.parse(Buffer.from(file).toString()) as { [field: string]: string };

test("the file gives back what a member trusts, and its id is the hash of genesis", () => {
  const digest = manifestDigest(manifestBytes);
  expect(parseDescriptor(file)).toEqual({
    federationId: federationIdOf(key.publicKeyDer, digest),
    caCertificate: authority.caCertificate,
    manifest,
    manifestBytes,
    manifestDigest: digest,
    reducerAddress: "reducer.example.org:4000",
  });
});

test("genesis and member seeds are the hashes that Python computes", () => {
  const counting = (length: number) => Uint8Array.from({ length }, (_, index) => index);
  const digest = "75a8f4a4afb84d64ad9da7f0c7290f685d87d913afdec0529446ed27a8396ccf" as Digest;
  expect(federationIdOf(counting(120), digest)).toBe(
    "dy4by7mfhqkolf2ivyid6whjbcqeatth5nbhixitf4zf3odbyomq",
  );
  expect(toHex(memberSeed(counting(32), 3, "hospital-a" as Name))).toBe(
    "e966def453493e1ba121e803705fbe0cd9f1e8d66d9be3a4110baea4001d338c",
  );
});

test("member seeds differ by session, round and member, and refuse round 0", () => {
  const seed = new Uint8Array(32);
  const seeds = [
    memberSeed(seed, 1, "a" as Name),
    memberSeed(seed, 2, "a" as Name),
    memberSeed(seed, 1, "b" as Name),
    memberSeed(new Uint8Array(32).fill(1), 1, "a" as Name),
  ];
  expect(new Set(seeds.map(toHex)).size).toBe(4);
  expect(() => memberSeed(seed, 0, "a" as Name)).toThrow(/invariant/);
  expect(() => memberSeed(new Uint8Array(31), 1, "a" as Name)).toThrow(/invariant/);
});

const otherManifest = toBase64(writeManifest({ ...manifest, name: "other" as Name }));
const otherAuthority = toBase64(authorityOf(generateAuthorityKey()).caCertificate);
const leaf = toBase64(
  authority.issueCertificate({
    role: "reducer",
    member: "reducer" as Name,
    publicKeyDer: generateSigningKey().publicKeyDer,
    untrustedNowMs: NOW_MS,
  }).certificateChain[0],
);

test.each<[string, { [field: string]: unknown }, string]>([
  ["another manifest", { manifest: otherManifest }, "wrong-federation-id"],
  [
    "an authority that the manifest does not pin",
    { caCertificate: otherAuthority },
    "ca-not-pinned",
  ],
  ["another id", { federationId: `${"a".repeat(51)}q` }, "wrong-federation-id"],
  ["no id", { federationId: "" }, "wrong-federation-id"],
  ["a leaf as authority", { caCertificate: leaf }, "bad-ca-certificate"],
  ["an authority with a broken signature", { caCertificate: flipped(-1) }, "bad-ca-certificate"],
  ["an authority with other content", { caCertificate: flipped(20) }, "bad-ca-certificate"],
  ["no certificate", { caCertificate: "" }, "bad-ca-certificate"],
  ["a certificate not in base64", { caCertificate: "?" }, "bad-ca-certificate"],
  ["a manifest not in base64", { manifest: "?" }, "not-canonical"],
  ["a manifest with white space", { manifest: toBase64(utf8(" {}")) }, "not-canonical"],
  ["another kind of document as manifest", { manifest: toBase64(utf8("{}")) }, "wrong-kind"],
  ["an address without port", { reducerAddress: "reducer.example.org" }, "bad-address"],
  ["port 0", { reducerAddress: "localhost:0" }, "bad-address"],
  ["port 65536", { reducerAddress: "localhost:65536" }, "bad-address"],
  ["a path after the address", { reducerAddress: "localhost:1/x" }, "bad-address"],
  ["a scheme before the address", { reducerAddress: "dns:localhost:1" }, "bad-address"],
  ["a bare IPv6 address", { reducerAddress: "::1:4000" }, "bad-address"],
  ["an unknown field", { extra: "" }, "bad-shape"],
  ["a missing field", { manifest: undefined }, "bad-shape"],
  ["a later version", { version: 2 }, "unsupported-version"],
  ["a manifest for a descriptor", { kind: "fedclave/manifest" }, "wrong-kind"],
])("refuses %s", (_what, deviation, code) => {
  const bytes = utf8(canonicalJson({ ...good, ...deviation } as never));
  expect(() => parseDescriptor(bytes)).toThrow(expect.objectContaining({ code }));
});

test("a CA that may have been born in an enclave is not held to the pinned keys", () => {
  const enclave = { ...sgxIdentity, anchor: anchor("intel") };
  const roles = { ...manifest.roles, reducer: [...manifest.roles.reducer, enclave] };
  const caCertificate = authorityOf(generateAuthorityKey()).caCertificate;
  const bytes = writeDescriptor({
    ...given,
    caCertificate,
    manifestBytes: writeManifest({ ...manifest, roles }),
  });
  expect(parseDescriptor(bytes).caCertificate).toEqual(caCertificate);
});

test.each(["127.0.0.1:4000", "[::1]:4000", "combiner_1:65535"])(
  "takes the address %s",
  (address) => {
    const bytes = writeDescriptor({ ...given, reducerAddress: address });
    expect(parseDescriptor(bytes).reducerAddress).toBe(address);
  },
);

test("the file ends with one line feed, may lack it, and may not have two", () => {
  expect(file.at(-1)).toBe(10);
  expect(parseDescriptor(file.subarray(0, -1))).toEqual(parseDescriptor(file));
  expect(() => parseDescriptor(Uint8Array.of(...file, 10))).toThrow(
    expect.objectContaining({ code: "not-canonical" }),
  );
});

function flipped(index: number): string {
  const bytes = fromBase64(good.caCertificate!)!;
  bytes[index < 0 ? bytes.byteLength + index : index]! ^= 1;
  return toBase64(bytes);
}

function authorityOf(authorityKey: typeof key) {
  return createAuthority({
    federationId: federationIdOf(
      authorityKey.publicKeyDer,
      manifestDigest(manifestBytes),
    ) as FederationId,
    key: authorityKey,
    randomness: systemRandomness,
    untrustedNowMs: NOW_MS,
  });
}
