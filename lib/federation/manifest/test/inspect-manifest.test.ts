import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import {
  anchor,
  developmentRoot,
  leafCertificate,
  namedKey,
  sampleDocument,
  sampleManifest,
} from "../../testing/sample-manifest.ts";
import { inspectManifest } from "../inspect-manifest.ts";
import { problemText } from "../problems.ts";

type Tree = { [key: string]: Tree } & { push: (value: unknown) => void };

/** The sample with one value set: "roles.client.0.name". `undefined` takes the field away. */
function deviating(...changes: readonly (readonly [place: string, value: unknown])[]): unknown {
  const document = sampleDocument() as unknown as Tree;
  for (const [place, value] of changes) {
    const steps = place.split(".");
    const last = steps.pop()!;
    const parent = steps.reduce((tree, step) => tree[step]!, document);
    if (value === undefined) delete parent[last];
    else parent[last] = value as Tree;
  }
  return document;
}
const problemsOf = (value: unknown): string[] => inspectManifest(value).problems.map(problemText);
const codesOf = (value: unknown): string[] =>
  inspectManifest(value).problems.map(({ code, place }) => `${code} ${place}`);

const any = { any: true, because: "of this test" };
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey;
const p384Key = p384.export({ type: "spki", format: "der" }).toString("base64");

test("a good manifest has no problem and comes out as it went in", () => {
  expect(inspectManifest(sampleDocument())).toEqual({ manifest: sampleManifest, problems: [] });
});

test.each<[string, unknown, string]>([
  ["admins", undefined, "admins: missing"],
  ["environment", undefined, "environment: missing"],
  ["environment", "staging", "environment: not production or development"],
  ["previousDigest", undefined, "previousDigest: missing"],
  ["previousDigest", "AB".repeat(32), "previousDigest: not a digest: 64 lower-case hex digits"],
  ["epoch", 1.5, "epoch: not a whole number from 1"],
  ["name", "Oncology", "name: not a name: 1 to 63 of a-z, 0-9 and -"],
  ["extra", 1, "extra: unknown field"],
  ["roles.combiner.0.surprise", 1, "roles.combiner[0].surprise: unknown field"],
  ["roles.combiner.0.measurement", undefined, "roles.combiner[0].measurement: missing"],
  [
    "roles.combiner.0.measurement.kind",
    "both",
    "roles.combiner[0].measurement.kind: no kind that is known here",
  ],
  ["roles.combiner.0.measurement.kind", undefined, "roles.combiner[0].measurement.kind: missing"],
  [
    "roles.combiner.0.measurement.mrSigner",
    "51".repeat(31),
    "roles.combiner[0].measurement.mrSigner: 62 of 64 hex digits",
  ],
  [
    "roles.combiner.0.measurement.mrSigner",
    "5G".repeat(32),
    "roles.combiner[0].measurement.mrSigner: not lower-case hex digits",
  ],
  [
    "roles.combiner.0.measurement.isvProdId",
    65_536,
    "roles.combiner[0].measurement.isvProdId: not a whole number from 0 to 65535",
  ],
  ["roles.combiner.0.configId", any, ""],
  ["roles.combiner.0.configId", { any: true }, "roles.combiner[0].configId.because: missing"],
  [
    "roles.combiner.0.configId",
    { any: true, because: " " },
    "roles.combiner[0].configId.because: not a reason: 1 to 500 printable characters",
  ],
  [
    "roles.combiner.0.configId",
    { any: false, because: "no" },
    "roles.combiner[0].configId.any: not true",
  ],
  ["roles.combiner.0.configId", "00", "roles.combiner[0].configId: 2 of 128 hex digits"],
  ["roles.combiner.0.configId", undefined, "roles.combiner[0].configId: missing"],
  ["roles.combiner.0.configId", null, "roles.combiner[0].configId: not 128 hex digits"],
  ["roles.combiner.0.platforms", undefined, "roles.combiner[0].platforms: missing"],
  [
    "roles.combiner.0.tcb.accepted.0.status",
    "Revoked",
    "roles.combiner[0].tcb.accepted[0].status: not UpToDate or SWHardeningNeeded or ConfigurationNeeded or ConfigurationAndSWHardeningNeeded or OutOfDate or OutOfDateConfigurationNeeded",
  ],
  [
    "roles.combiner.0.tcb.refusedAdvisories",
    ["sa 1"],
    "roles.combiner[0].tcb.refusedAdvisories[0]: not an advisory such as INTEL-SA-00615",
  ],
  ["roles.combiner.1.measurement.rtmr2", undefined, "roles.combiner[1].measurement.rtmr2: missing"],
  ["roles.client.1.vmpls", [4], "roles.client[1].vmpls[0]: not a whole number from 0 to 3"],
  ["roles.client.1.revocation", "unchecked", 'roles.client[1].revocation: not "checked"'],
  ["roles.reducer", {}, "roles.reducer: not a list"],
  ["roles", [], "roles: not a group of fields"],
  ["admins.keys", [], "admins.keys: fewer than 1 entries"],
  ["organizations", [], "organizations: fewer than 1 entries"],
  ["organizations.0.publicKey", "?", "organizations[0].publicKey: not base64"],
  ["release.privacy.maxDelta", 1, "release.privacy.maxDelta: not a number above 0 and below 1"],
  ["release.privacy.maxEpsilon", 0, "release.privacy.maxEpsilon: not a number above 0"],
  [
    "release.models.0.kind",
    "own-organization",
    "release.models[0].kind: no kind that is known here",
  ],
  ["packages.publishers", null, "packages.publishers: not a list"],
])("of the shape: %s as %j", (place, value, message) => {
  expect(problemsOf(deviating([place, value]))).toEqual(message === "" ? [] : [message]);
});

test.each<[string, readonly (readonly [string, unknown])[], string]>([
  ["a threshold past the admins", [["admins.threshold", 3]], "threshold-too-high admins.threshold"],
  ["a quorum past the witnesses", [["witnesses.quorum", 3]], "quorum-too-high witnesses.quorum"],
  ["a first epoch that replaces something", [["epoch", 1]], "wrong-predecessor previousDigest"],
  [
    "a later epoch that replaces nothing",
    [["previousDigest", null]],
    "wrong-predecessor previousDigest",
  ],
  [
    "more organizations than have clients",
    [["release.minOrganizations", 3]],
    "unreachable-minimum release.minOrganizations",
  ],
  [
    "a key on another curve",
    [["organizations.0.publicKey", p384Key]],
    "bad-key organizations[0].publicKey",
  ],
  [
    "a reducer's key on the curve of members",
    [["roles.reducer.0.publicKey", namedKey("bob").publicKey]],
    "bad-key roles.reducer[0].publicKey",
  ],
  [
    "two admins of one name",
    [["admins.keys.1.name", "alice"]],
    "duplicate-name admins.keys[1].name",
  ],
  [
    "an organization with an admin's key",
    [["organizations.0.publicKey", namedKey("bob").publicKey]],
    "duplicate-key organizations[0].publicKey",
  ],
  [
    "a publisher twice",
    [["packages.publishers.1", namedKey("vendor")]],
    "duplicate-name packages.publishers[1].name",
  ],
  [
    "a publisher with an admin's name and another key",
    [["packages.publishers.1.publicKey", namedKey("university").publicKey]],
    "duplicate-name packages.publishers[1].name",
  ],
  [
    "a witness with an organization's key and another name",
    [["witnesses.keys.0.publicKey", namedKey("hospital-a").publicKey]],
    "duplicate-key witnesses.keys[0].publicKey",
  ],
  [
    "a role given twice",
    [["organizations.1.mayEnrol", ["client", "client"]]],
    "listed-twice organizations[1].mayEnrol",
  ],
  ["a role nobody may fill", [["roles.reducer", []]], "nobody-accepted roles.reducer"],
  [
    "two entries of one name",
    [["roles.combiner.1.name", "combiner-1"]],
    "duplicate-name roles.combiner[1].name",
  ],
  [
    "an entry for organizations, and none of them",
    [["roles.client.0.organizations", []]],
    "nobody-accepted roles.client[0].organizations",
  ],
  [
    "an organization nobody knows",
    [["roles.client.0.organizations.0", "hospital-c"]],
    "unknown-organization roles.client[0].organizations[0]",
  ],
  [
    "an organization that may not enrol the role",
    [["roles.combiner.2.organizations.0", "hospital-b"]],
    "unknown-organization roles.combiner[2].organizations[0]",
  ],
  [
    "an organization twice",
    [["roles.client.0.organizations.1", "hospital-a"]],
    "listed-twice roles.client[0].organizations[1]",
  ],
  [
    "models for an organization nobody knows",
    [["release.models.1.name", "hospital-c"]],
    "unknown-organization release.models[1].name",
  ],
  [
    "metrics for the same readers twice",
    [["release.clientMetrics.1.kind", "admins"]],
    "listed-twice release.clientMetrics[1]",
  ],
  [
    "a development root in production",
    [["roles.combiner.0.anchor", developmentRoot]],
    "development-anchor roles.combiner[0].anchor",
  ],
  [
    "no certificate for a root in production",
    [["roles.combiner.0.anchor", "AAAA"]],
    "development-anchor roles.combiner[0].anchor",
  ],
  [
    "AMD's root for Intel's quotes",
    [["roles.combiner.0.anchor", anchor("amd-milan")]],
    "wrong-vendor roles.combiner[0].anchor",
  ],
  [
    "Intel's root for AMD's reports",
    [["roles.client.1.anchor", anchor("intel")]],
    "wrong-vendor roles.client[1].anchor",
  ],
  [
    "a mask that passes over debugging",
    [["roles.combiner.0.attributes.mask", "fdffffffffffffff0000000000000000"]],
    "hazard-admitted roles.combiner[0].attributes",
  ],
  [
    "a value that wants debugging",
    [["roles.combiner.0.attributes.value", "07000000000000000000000000000000"]],
    "hazard-admitted roles.combiner[0].attributes",
  ],
  [
    "a mask that passes over debugging of TDs",
    [["roles.combiner.1.tdAttributes.mask", "fe00001000000000"]],
    "hazard-admitted roles.combiner[1].tdAttributes",
  ],
  [
    "a mask that passes over migration agents",
    [["roles.client.1.guestPolicy", { value: "0000000000030000", mask: "00000000000b0000" }]],
    "hazard-admitted roles.client[1].guestPolicy",
  ],
  [
    "a value past its mask",
    [["roles.combiner.0.miscSelect", { value: "00000001", mask: "fffffffe" }]],
    "value-outside-mask roles.combiner[0].miscSelect.value",
  ],
  [
    "a status twice",
    [["roles.combiner.0.tcb.accepted.1.status", "UpToDate"]],
    "listed-twice roles.combiner[0].tcb.accepted[1]",
  ],
  [
    "no status",
    [["roles.combiner.0.tcb.accepted", []]],
    "nobody-accepted roles.combiner[0].tcb.accepted",
  ],
  [
    "no platform",
    [["roles.combiner.0.platforms", []]],
    "nobody-accepted roles.combiner[0].platforms",
  ],
  [
    "a chip twice",
    [
      [
        "roles.client.1.platforms",
        [
          { kind: "chip", id: "c1".repeat(64) },
          { kind: "chip", id: "c1".repeat(64) },
        ],
      ],
    ],
    "listed-twice roles.client[1].platforms[1]",
  ],
  ["no privilege level", [["roles.client.1.vmpls", []]], "nobody-accepted roles.client[1].vmpls"],
  [
    "no kind of signing key",
    [["roles.client.1.signingKeys", []]],
    "nobody-accepted roles.client[1].signingKeys",
  ],
  [
    "an advisory twice",
    [["roles.combiner.0.tcb.refusedAdvisories", ["INTEL-SA-1", "INTEL-SA-1"]]],
    "listed-twice roles.combiner[0].tcb.refusedAdvisories[1]",
  ],
  [
    "an advisory that is allowed and refused",
    [["roles.combiner.0.tcb.refusedAdvisories", ["INTEL-SA-00615"]]],
    "advisory-contradiction roles.combiner[0].tcb.accepted[1].advisories[0]",
  ],
  [
    "a TD of which the firmware alone is known",
    [
      ["roles.combiner.1.measurement.rtmr1", any],
      ["roles.combiner.1.measurement.rtmr2", any],
      ["roles.combiner.1.measurement.mrConfigId", any],
    ],
    "unmeasured-software roles.combiner[1].measurement",
  ],
])("refuses %s, at its place", (_what, changes, expected) => {
  expect(codesOf(deviating(...changes))).toEqual([expected]);
});

test("a role that no organization may enrol is said to be out of reach", () => {
  const value = deviating(
    ["organizations.0.mayEnrol", ["client"]],
    ["roles.combiner.2", sampleManifest.roles.combiner[1]],
    ["roles.combiner.2.name", "other"],
  );
  expect(problemsOf(value)).toEqual(["roles.combiner: no organization may enrol a combiner"]);
});

test("in development roots of one's own and debugging are accepted, but a root must be a root", () => {
  const own = (root: unknown): unknown =>
    deviating(
      ["environment", "development"],
      ["roles.combiner.0.anchor", root],
      ["roles.combiner.0.attributes.mask", "fdffffffffffffff0000000000000000"],
    );
  expect(codesOf(own(developmentRoot))).toEqual([]);
  for (const root of ["AAAA", leafCertificate]) {
    expect(codesOf(own(root))).toEqual(["bad-anchor roles.combiner[0].anchor"]);
  }
  expect(codesOf(own(anchor("amd-milan")))).toEqual(["wrong-vendor roles.combiner[0].anchor"]);
});

test("everything that is wrong is listed at once, whatever kind it is of", () => {
  const value = deviating(
    ["extra", true],
    ["admins.threshold", 9],
    ["roles.combiner.0.measurement.mrSigner", "51"],
    ["roles.combiner.1.anchor", developmentRoot],
    ["roles.reducer.1.attributes.mask", "00000000000000000000000000000000"],
    ["roles.client.0.organizations.1", "hospital-c"],
    ["release.minOrganizations", 7],
    ["witnesses.quorum", 7],
  );
  expect(codesOf(value).sort()).toEqual([
    "bad-shape extra",
    "bad-shape roles.combiner[0].measurement.mrSigner",
    "development-anchor roles.combiner[1].anchor",
    "hazard-admitted roles.reducer[1].attributes",
    "quorum-too-high witnesses.quorum",
    "threshold-too-high admins.threshold",
    "unknown-organization roles.client[0].organizations[1]",
    "unreachable-minimum release.minOrganizations",
    "value-outside-mask roles.reducer[1].attributes.value",
  ]);
});

test("a list of very many wrong entries is refused as fast as it is read", () => {
  const value = deviating(["roles.client", new Array(100_000).fill(0)]);
  expect(problemsOf(value)).toEqual(["roles.client: more than 64 entries"]);
});

test.each([[null], [[]], ["text"], [7], [{}], [{ roles: 1, admins: [], release: "" }]])(
  "%j is refused without a crash",
  (value) => {
    const { manifest, problems } = inspectManifest(value);
    expect(manifest).toBeUndefined();
    expect(problems.length).toBeGreaterThan(0);
  },
);
