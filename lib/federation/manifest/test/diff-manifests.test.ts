import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, type Json } from "../../../base/canonical-json.ts";
import type { Digest } from "../../../base/ids.ts";
import {
  anchor,
  developmentRoot,
  name,
  namedKey,
  sampleManifest,
} from "../../testing/sample-manifest.ts";
import { diffManifests } from "../changes/diff-manifests.ts";
import type { Manifest } from "../manifest.ts";

type Tree = { [key: string]: Tree };
type Step = string | number;

const any = { any: true, because: "of this test" };
const copy = (manifest: Manifest): Manifest => JSON.parse(JSON.stringify(manifest)) as Manifest;
const spelled = (manifest: Manifest): string => canonicalJson(manifest as unknown as Json);

/** The sample with everything that may be anything being so, and the other variants where there are several. */
const permissive: Manifest = (() => {
  const manifest = copy(sampleManifest) as unknown as Tree;
  for (const [place, value] of leaves(manifest as unknown as Json)) {
    const field = String(place.at(-1));
    if (
      /^(rtmr.|mr(ConfigId|Owner|OwnerConfig|Seam|SignerSeam|ServiceTd)|configId|isvExtProdId|isvFamilyId|hostData|idKeyDigest|authorKeyDigest|familyId|imageId|revocation)$/.test(
        field,
      )
    ) {
      if (typeof value === "string") put(manifest, place, any);
    }
  }
  for (const role of ["reducer", "combiner", "client"]) {
    for (const entry of Object.values(manifest.roles![role]!)) {
      if ("platforms" in entry) entry.platforms = any as unknown as Tree;
      if (entry.tcb?.accepted !== undefined)
        entry.tcb.accepted[1]!.advisories = any as unknown as Tree;
    }
  }
  put(manifest, ["packages", "publishers"], any);
  put(manifest, ["release", "models"], any);
  put(manifest, ["release", "clientMetrics"], any);
  put(manifest, ["release", "privacy"], { kind: "none", because: "no noise here" });
  return manifest as unknown as Manifest;
})();

/** Every leaf and where it stands. */
function* leaves(value: Json | undefined, path: Step[] = []): Generator<[Step[], Json]> {
  if (typeof value !== "object" || value === null) {
    if (value !== undefined) yield [path, value];
    return;
  }
  for (const [key, child] of Object.entries(value)) {
    yield* leaves(child as Json, [...path, Array.isArray(value) ? Number(key) : key]);
  }
}

function put(tree: unknown, path: readonly Step[], value: unknown): void {
  const parent = path.slice(0, -1).reduce((at, step) => (at as Tree)[step]!, tree) as Tree;
  parent[path.at(-1)!] = value as Tree;
}

/** Other values of the same type. What has one value only, `any: true` and `revocation: "checked"`, has none. */
function otherValues(path: readonly Step[], value: Json): Json[] {
  if (value === true || value === "checked") return [];
  if (value === null) return ["cd".repeat(32)];
  if (typeof value === "number") return [value + 1, value === 0 ? 2 : value / 2];
  const text = String(value);
  // Another kind of entry has other fields: a row of the table below.
  if (path.at(-1) === "kind" && path[0] === "roles" && path.length === 4) return [];
  const isHex = text.length % 2 === 0 && /^[0-9a-f]{8,}$/.test(text);
  return isHex ? [`${text.slice(0, -1)}${text.endsWith("0") ? 1 : 0}`] : [`${text}x`];
}

const samples: readonly (readonly [string, Manifest])[] = [
  ["the strict sample", sampleManifest],
  ["the permissive sample", permissive],
];

test.each(samples)("%s does not differ from itself", (_what, manifest) => {
  expect(diffManifests(manifest, copy(manifest))).toEqual([]);
});

test.each(samples)("no leaf of %s can change unseen", (_what, manifest) => {
  let count = 0;
  for (const [path, value] of leaves(manifest as unknown as Json)) {
    for (const other of otherValues(path, value)) {
      const after = copy(manifest);
      put(after, path, other);
      for (const changes of [diffManifests(manifest, after), diffManifests(after, manifest)]) {
        expect(changes.length, path.join(".")).toBeGreaterThan(0);
      }
      count += 1;
    }
  }
  expect(count).toBeGreaterThan(150);
});

/** Places of all lists. */
function lists(value: Json, path: Step[] = []): Step[][] {
  if (typeof value !== "object" || value === null) return [];
  const below = Object.entries(value).flatMap(([key, child]) =>
    lists(child as Json, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return Array.isArray(value) ? [path, ...below] : below;
}
const listAt = (manifest: Manifest, path: readonly Step[]): unknown[] =>
  path.reduce((at, step) => (at as Tree)[step]!, manifest as unknown) as unknown[];

test.each(samples)(
  "in every list of %s, order is neutral and every entry counts",
  (_what, manifest) => {
    for (const path of lists(manifest as unknown as Json)) {
      const list = listAt(manifest, path);
      const fewer = copy(manifest);
      put(fewer, path, list.slice(1));
      const removed = diffManifests(manifest, fewer);
      if (list.length > 0) expect(removed.length, path.join(".")).toBeGreaterThan(0);
      if (list.length < 2) continue;
      const turned = copy(manifest);
      put(turned, path, list.toReversed());
      const directions = diffManifests(manifest, turned).map((each) => each.direction);
      expect(directions, path.join(".")).toEqual(["neutral"]);
    }
  },
);

test("a difference is empty exactly if the bytes are equal, and never a tightening both ways", () => {
  const places = [...leaves(sampleManifest as unknown as Json)];
  const edit = fc.record({ at: fc.nat(places.length - 1), which: fc.nat(1) });
  const edited = (edits: readonly { at: number; which: number }[]): Manifest => {
    const manifest = copy(sampleManifest);
    for (const { at, which } of edits) {
      const [path, value] = places[at]!;
      if (path.at(-1) === "kind" || path.at(-1) === "name") continue;
      const others = otherValues(path, value);
      if (others.length > 0) put(manifest, path, others[which % others.length]);
    }
    return manifest;
  };
  const edits = fc.array(edit, { maxLength: 4 });
  fc.assert(
    fc.property(edits, edits, (some, others) => {
      const [before, after] = [edited(some), edited(others)];
      const changes = diffManifests(before, after);
      const back = new Map(diffManifests(after, before).map((each) => [each.place, each]));
      expect(changes.length === 0).toBe(spelled(before) === spelled(after));
      for (const { place, direction } of changes) {
        expect(back.has(place)).toBe(true);
        const there = [direction, back.get(place)?.direction];
        expect(there).not.toEqual(["tightening", "tightening"]);
      }
    }),
  );
});

const [hospitalA, hospitalB] = sampleManifest.organizations;
const sgx = "roles.combiner.0";
const tdx = "roles.combiner.1";
const snp = "roles.client.1";
type Row = [what: string, place: string, value: unknown, forth: string, back: string];

test.each<Row>([
  ["another name", "name", "other", "neutral", "neutral"],
  ["a higher epoch", "epoch", 4, "neutral", "loosening"],
  ["another predecessor", "previousDigest", "cd".repeat(32) as Digest, "neutral", "neutral"],
  ["development", "environment", "development", "loosening", "tightening"],
  ["one admin fewer", "admins.keys", [namedKey("alice")], "tightening", "loosening"],
  [
    "another key of an admin",
    "admins.keys.0.publicKey",
    namedKey("vendor").publicKey,
    "loosening",
    "loosening",
  ],
  ["a lower threshold", "admins.threshold", 1, "loosening", "tightening"],
  ["one organization fewer", "organizations", [hospitalA], "tightening", "loosening"],
  [
    "more roles for an organization",
    "organizations",
    [hospitalA, { ...hospitalB, mayEnrol: ["client", "combiner"] }],
    "loosening",
    "tightening",
  ],
  [
    "another key of an organization",
    "organizations.1.publicKey",
    namedKey("vendor").publicKey,
    "loosening",
    "loosening",
  ],
  [
    "one identity fewer",
    "roles.client",
    sampleManifest.roles.client.slice(0, 1),
    "tightening",
    "loosening",
  ],
  ["another reducer's key", "roles.reducer.0.publicKey", "AAAA", "loosening", "loosening"],
  [
    "one organization fewer on its premises",
    "roles.client.0.organizations",
    [name("hospital-a")],
    "tightening",
    "loosening",
  ],
  [
    "no enclave under a name that had one",
    "roles.client.1",
    { kind: "onprem", name: "client-snp", organizations: ["hospital-a"] },
    "loosening",
    "loosening",
  ],
  ["another anchor", `${sgx}.anchor`, developmentRoot, "loosening", "loosening"],
  [
    "another enclave",
    "roles.reducer.1.measurement.mrEnclave",
    "00".repeat(32),
    "loosening",
    "loosening",
  ],
  [
    "a measurement in the place of a signer",
    `${sgx}.measurement`,
    { kind: "mrenclave", mrEnclave: "00".repeat(32) },
    "loosening",
    "loosening",
  ],
  ["a higher version", `${sgx}.measurement.minIsvSvn`, 4, "tightening", "loosening"],
  ["another product", `${sgx}.measurement.isvProdId`, 8, "loosening", "loosening"],
  [
    "fewer fixed bits",
    `${sgx}.attributes.mask`,
    "fdffffffffffffff0000000000000000",
    "loosening",
    "tightening",
  ],
  [
    "more fixed bits",
    `${sgx}.attributes`,
    { value: "0500000000000000e700000000000000", mask: "ffffffffffffffffff00000000000000" },
    "tightening",
    "loosening",
  ],
  [
    "other fixed bits",
    `${sgx}.attributes.value`,
    "04000000000000000000000000000000",
    "loosening",
    "loosening",
  ],
  [
    "some bits fixed and others free",
    `${sgx}.attributes`,
    { value: "04000000000000000000000000000000", mask: "feffffffffffffff0100000000000000" },
    "loosening",
    "loosening",
  ],
  ["any configuration", `${sgx}.configId`, any, "loosening", "tightening"],
  ["another configuration", `${sgx}.configId`, "11".repeat(64), "loosening", "loosening"],
  ["a higher configuration", `${sgx}.minConfigSvn`, 3, "tightening", "loosening"],
  [
    "one status more",
    `${sgx}.tcb.accepted.2`,
    { status: "OutOfDate", advisories: any },
    "loosening",
    "tightening",
  ],
  [
    "one advisory more",
    `${sgx}.tcb.accepted.1.advisories.1`,
    "INTEL-SA-00334",
    "loosening",
    "tightening",
  ],
  ["any advisory", `${sgx}.tcb.accepted.1.advisories`, any, "loosening", "tightening"],
  [
    "one refused advisory more",
    `${sgx}.tcb.refusedAdvisories.1`,
    "INTEL-SA-00334",
    "tightening",
    "loosening",
  ],
  ["less grace", `${sgx}.tcb.graceDays`, 0, "tightening", "loosening"],
  ["a later evaluation", `${sgx}.tcb.minEvaluationNumber`, 20, "tightening", "loosening"],
  [
    "one platform more",
    `${sgx}.platforms.1`,
    { kind: "ppid", id: "33".repeat(16) },
    "loosening",
    "tightening",
  ],
  ["any platform", `${sgx}.platforms`, any, "loosening", "tightening"],
  ["an RTMR that was free", `${tdx}.measurement.rtmr3`, "a3".repeat(48), "tightening", "loosening"],
  ["another firmware", `${tdx}.measurement.mrTd`, "00".repeat(48), "loosening", "loosening"],
  ["any service TD", `${tdx}.mrServiceTd`, any, "loosening", "tightening"],
  [
    "another reason for the same",
    `${tdx}.mrSeam.because`,
    "of something else",
    "neutral",
    "neutral",
  ],
  ["another guest", `${snp}.measurement.launch`, "00".repeat(48), "loosening", "loosening"],
  ["a higher guest version", `${snp}.measurement.minGuestSvn`, 6, "tightening", "loosening"],
  ["one privilege level more", `${snp}.vmpls.1`, 1, "loosening", "tightening"],
  ["one kind of key more", `${snp}.signingKeys.1`, "vlek", "loosening", "tightening"],
  ["no revocation list", `${snp}.revocation`, any, "loosening", "tightening"],
  ["newer firmware", `${snp}.tcb.committed.snp`, 25, "tightening", "loosening"],
  ["any publisher", "packages.publishers", any, "loosening", "tightening"],
  ["one publisher fewer", "packages.publishers", [namedKey("vendor")], "tightening", "loosening"],
  ["more organizations in an aggregate", "release.minOrganizations", 3, "tightening", "loosening"],
  ["fewer clients in an aggregate", "release.minClients", 1, "loosening", "tightening"],
  ["a lower weight cap", "release.weightCap", 16, "tightening", "loosening"],
  [
    "one reader of metrics fewer",
    "release.clientMetrics",
    [{ kind: "admins" }],
    "tightening",
    "loosening",
  ],
  ["models for everybody", "release.models", any, "loosening", "tightening"],
  [
    "no privacy",
    "release.privacy",
    { kind: "none", because: "we trust each other" },
    "loosening",
    "tightening",
  ],
  ["more noise", "release.privacy.minNoiseMultiplier", 2, "tightening", "loosening"],
  ["a wider clip", "release.privacy.maxClipNorm", 1, "loosening", "tightening"],
  ["a smaller budget", "release.privacy.maxEpsilon", 1, "tightening", "loosening"],
  ["a smaller delta", "release.privacy.maxDelta", 1e-6, "tightening", "loosening"],
  ["no witness needed", "witnesses.quorum", 0, "loosening", "tightening"],
  ["one witness fewer", "witnesses.keys", [namedKey("university")], "tightening", "loosening"],
])("%s is one change, %#", (_what, place, value, forth, back) => {
  const after = copy(sampleManifest);
  put(after, place.split("."), value);
  const changes = [diffManifests(sampleManifest, after), diffManifests(after, sampleManifest)];
  expect(changes.map((list) => list.map((each) => each.direction))).toEqual([[forth], [back]]);
  for (const { because } of changes.flat()) expect(because).toMatch(/^[^.\n]{10,}$/);
});

test("a change names its place by names, and shows anchors by the names people know", () => {
  const after = copy(sampleManifest);
  put(after, ["roles", "combiner", 1, "tcb", "graceDays"], 30);
  put(after, ["roles", "combiner", 0], { ...sampleManifest.roles.combiner[0], name: "combiner-2" });
  put(after, ["roles", "combiner", 1, "anchor"], anchor("amd-milan"));
  expect(diffManifests(sampleManifest, after)).toMatchObject([
    { place: "roles.combiner[combiner-1]", before: "sgx under intel", after: null },
    { place: "roles.combiner[combiner-2]", before: null, after: "sgx under intel" },
    { place: "roles.combiner[combiner-td].anchor", before: "intel", after: "amd-milan" },
    { place: "roles.combiner[combiner-td].tcb.graceDays", before: "14", after: "30" },
  ]);
});
