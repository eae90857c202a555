import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { VENDOR_ANCHORS } from "../../lib/attestation/trust-anchors/vendor-anchors.ts";
import { certificatePem } from "../../lib/base/certificate.ts";
import { generateSigningKey } from "../../lib/base/keys.ts";
import { writeDescriptor } from "../../lib/federation/descriptor.ts";
import { onPremManifest } from "../../lib/federation/manifest/on-prem-manifest.ts";
import { manifestDigest, writeManifest } from "../../lib/federation/manifest/parse-manifest.ts";
import { developmentRoot, name } from "../../lib/federation/testing/sample-manifest.ts";
import { testAuthority } from "../../lib/provisioning/testing/test-authority.ts";
import { runCommand } from "../testing/captured-output.ts";

type Tree = { [key: string]: Tree };

let base: string;
let directory: string;
let count = 0;

beforeAll(async () => {
  base = await mkdtemp(path.join(tmpdir(), "fedclave-manifest-"));
});
afterAll(() => rm(base, { recursive: true, force: true }));

const at = (file: string): string => path.join(directory, file);
const manifest = (...args: string[]) => runCommand(["manifest", ...args]);
const pem = (key: KeyObject, type: "pkcs8" | "spki") => key.export({ format: "pem", type });

/** A directory with everything that the template refers to, and two admins of whom both must sign. */
beforeEach(async () => {
  count += 1;
  directory = path.join(base, `m-${count}`);
  await mkdir(at("keys"), { recursive: true });
  for (const who of ["admin", "second", "organization", "reducer"]) {
    const namedCurve = who === "reducer" ? "P-384" : "P-256";
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    await writeFile(at(`keys/${who}.key.pem`), pem(privateKey, "pkcs8"));
    await writeFile(at(`keys/${who}.pub.pem`), pem(publicKey, "spki"));
  }
  await writeFile(at("combiner.mrenclave"), "5a".repeat(32));
  await manifest("init", at("federation.yaml"));
  await edit((tree) => {
    const second = { name: "second", publicKey: { file: "keys/second.pub.pem" } };
    const { admins } = tree as unknown as { admins: { keys: unknown[]; threshold: number } };
    admins.keys.push(second);
    admins.threshold = 2;
  });
});

async function edit(change: (tree: Tree) => void, file = "federation.yaml"): Promise<void> {
  const tree = parse(await readFile(at("federation.yaml"), "utf8")) as Tree;
  change(tree);
  await writeFile(at(file), stringify(tree, { lineWidth: 0 }));
}
const set = (place: string, value: unknown) => (tree: Tree) => {
  const steps = place.split(".");
  const last = steps.pop()!;
  steps.reduce((parent, step) => parent[step]!, tree)[last] = value as Tree;
};
async function build(file = "federation.yaml", out = "manifest.json"): Promise<void> {
  const run = await manifest("build", at(file), "--out", at(out));
  expect([run.status, run.stderr]).toEqual([0, ""]);
}
async function sign(who: string, file: string, ...rest: string[]) {
  return manifest("sign", at(file), "--key", at(`keys/${who}.key.pem`), ...rest);
}

test("check lists every problem at once, of files as well as of values, and ends with status 1", async () => {
  await edit((tree) => {
    set("admins.threshold", 3)(tree);
    set("roles.combiner.0.measurement.mrEnclave", "5a".repeat(31))(tree);
    set("roles.reducer.0.publicKey", { file: "nowhere.pem" })(tree);
    set("roles.combiner.0.attributes.mask", "00".repeat(16))(tree);
    set("witnesses.quorum", 1)(tree);
  });
  const run = await manifest("check", at("federation.yaml"));
  expect([run.status, run.stderr]).toEqual([1, ""]);
  const lines = run.stdout.split("\n").slice(0, -1);
  expect(lines[0]).toContain("federation.yaml: 6 problems");
  expect(
    lines
      .slice(1)
      .map((line) => line.trim().split(": ")[0])
      .sort(),
  ).toEqual([
    "admins.threshold",
    "roles.combiner[0].attributes",
    "roles.combiner[0].attributes.value",
    "roles.combiner[0].measurement.mrEnclave",
    "roles.reducer[0].publicKey",
    "witnesses.quorum",
  ]);
  expect(run.stdout).toContain("roles.combiner[0].measurement.mrEnclave: 62 of 64 hex digits");
  const json = await manifest("check", at("federation.yaml"), "--json");
  const report = JSON.parse(json.stdout) as { problems: { code: string; place: string }[] };
  expect(json.status).toBe(1);
  expect(report).toMatchObject({ name: null, digest: null, signers: [] });
  expect(report.problems).toContainEqual(
    expect.objectContaining({ code: "threshold-too-high", place: "admins.threshold" }),
  );
});

test.each<[string, string, unknown, string]>([
  [
    "a key file that is no key",
    "admins.keys.0.publicKey",
    { file: "combiner.mrenclave" },
    "it holds no PUBLIC KEY in PEM",
  ],
  [
    "a private key where its public half belongs",
    "admins.keys.0.publicKey",
    { file: "keys/admin.key.pem" },
    "it holds no PUBLIC KEY in PEM",
  ],
  [
    "a measurement that is no hex",
    "roles.combiner.0.measurement.mrEnclave",
    { file: "keys/admin.pub.pem" },
    "something else than hex digits",
  ],
  [
    "a root that is no vendor's name",
    "roles.combiner.0.anchor",
    "intle",
    "roles.combiner[0].anchor: not base64",
  ],
  [
    "a manifest before that was never built",
    "previousDigest",
    { file: "federation.yaml" },
    "it is no manifest that was built",
  ],
  [
    "a development root in production",
    "roles.combiner.0.anchor",
    developmentRoot,
    "development anchors have no place in production",
  ],
  [
    "a reference with more than a file",
    "previousDigest",
    { file: "federation.yaml", of: 1 },
    "previousDigest: not a digest",
  ],
])("%s is refused where it stands, and nothing is built", async (_what, place, value, message) => {
  await edit(set(place, value));
  const run = await manifest("build", at("federation.yaml"), "--out", at("manifest.json"));
  expect([run.status, run.stdout]).toEqual([1, ""]);
  expect(run.stderr).toContain(message);
  await expect(readFile(at("manifest.json"))).rejects.toThrow("ENOENT");
});

test("roots may be given by name, as PEM or as DER, and are the same manifest", async () => {
  const { der } = VENDOR_ANCHORS[0]!;
  await writeFile(at("root.pem"), `Intel says:\n${certificatePem(der)}`);
  await writeFile(at("root.der"), der);
  for (const [index, root] of ["intel", { file: "root.pem" }, { file: at("root.der") }].entries()) {
    await edit(set("roles.combiner.0.anchor", root), `${index}.yaml`);
    await build(`${index}.yaml`, `${index}.json`);
  }
  const built = await Promise.all([0, 1, 2].map((index) => readFile(at(`${index}.json`))));
  expect(new Set(built.map(String)).size).toBe(1);
  await writeFile(at("two.pem"), certificatePem(der).repeat(2));
  await edit(set("roles.combiner.0.anchor", { file: "two.pem" }), "two.yaml");
  const run = await manifest("check", at("two.yaml"));
  expect(run.stdout).toContain("it holds more than one block of PEM");
});

test("hex that looks like a number stays hex, and numbers stay numbers", async () => {
  const text = await readFile(at("federation.yaml"), "utf8");
  const id = "12345678".repeat(4);
  const bare = text
    .replaceAll(/"(0+)"/g, "$1")
    .replaceAll(/"(05000000000000000000000000000000)"/g, "$1")
    .replace(/platforms:.*\n(?: {8}.*\n)*/, `platforms: [{kind: ppid, id: ${id}}]\n`);
  expect(bare).toMatch(/configId: 0{128}\n/);
  await writeFile(at("bare.yaml"), bare);
  await edit(set("roles.combiner.0.platforms", [{ kind: "ppid", id }]));
  await build();
  await build("bare.yaml", "bare.json");
  expect(await readFile(at("bare.json"), "utf8")).toBe(await readFile(at("manifest.json"), "utf8"));
});

test.each<[string, string, string]>([
  ["no YAML", "a: [", "is not YAML"],
  ["one key twice", "a: 1\na: 2\n", "is not YAML"],
  ["another document", '{"kind":"fedclave/federation","version":1}', "cannot be used"],
])("a file that is %s is named", async (_what, text, message) => {
  await writeFile(at("file.yaml"), text);
  const run = await manifest("check", at("file.yaml"));
  expect([run.status, run.stdout]).toEqual([1, ""]);
  expect(run.stderr).toContain(`${at("file.yaml")} `);
  expect(run.stderr).toContain(message);
});

test("a built manifest is built from itself again, byte for byte, and never replaced", async () => {
  await build();
  await build("manifest.json", "again.json");
  expect(await readFile(at("again.json"))).toEqual(await readFile(at("manifest.json")));
  const run = await manifest("build", at("federation.yaml"), "--out", at("again.json"));
  expect(run.stderr).toContain("exists and is kept");
});

test("the digest is of the exact bytes, whether bare, signed or in federation.json, and of no draft", async () => {
  const { trust, key } = testAuthority(Date.UTC(2026, 0, 1));
  const bytes = writeManifest(
    onPremManifest({
      name: name("study"),
      environment: "production",
      reducerKeyDer: key.publicKeyDer,
      admins: [{ name: name("admin"), publicKeyDer: generateSigningKey().publicKeyDer }],
      organizations: [
        {
          name: name("north"),
          publicKeyDer: generateSigningKey().publicKeyDer,
          mayEnrol: ["combiner", "client"],
        },
      ],
      weightCap: 1,
    }),
  );
  await writeFile(at("manifest.json"), bytes);
  const { caCertificate } = trust;
  const descriptor = { caCertificate, manifestBytes: bytes, reducerAddress: "localhost:1" };
  await writeFile(at("federation.json"), writeDescriptor(descriptor));
  for (const file of ["manifest.json", "federation.json"]) {
    const run = await manifest("digest", at(file), "--json");
    const digest = manifestDigest(bytes);
    expect(JSON.parse(run.stdout)).toEqual({
      name: "study",
      epoch: 1,
      environment: "production",
      digest,
    });
  }
  await writeFile(at("spaced.json"), `${Buffer.from(bytes)}\n`);
  for (const file of ["federation.yaml", "spaced.json"]) {
    const run = await manifest("digest", at(file));
    expect([run.status, run.stdout]).toEqual([1, ""]);
    expect(run.stderr).toContain("is not built yet");
  }
});

test("admins sign one after the other, and the file says who is missing", async () => {
  await build();
  const first = await sign("admin", "manifest.json");
  expect(first.stdout).toContain(
    "manifest.signed.json: signed by admin: 1 of 2 needed, so 1 more must sign\n",
  );
  const second = await sign("second", "manifest.signed.json");
  expect(second.stdout).toContain("signed by admin, second: 2 of 2 needed\n");
  const check = await manifest("check", at("manifest.signed.json"), "--json");
  expect(JSON.parse(check.stdout)).toMatchObject({ signers: ["admin", "second"], problems: [] });
});

test("nobody signs twice, and nobody but an admin", async () => {
  await build();
  await sign("admin", "manifest.json");
  const twice = await sign("admin", "manifest.signed.json");
  expect([twice.status, twice.stdout]).toEqual([1, ""]);
  expect(twice.stderr).toContain("one key signed the document twice");
  const stranger = await sign("organization", "manifest.signed.json");
  expect(stranger.stderr).toContain("is no admin's key, those are of admin, second");
  const draft = await sign("admin", "federation.yaml");
  expect(draft.stderr).toContain("is not built yet");
});

test("a signature that was tampered with is a problem", async () => {
  await build();
  await sign("admin", "manifest.json");
  const text = await readFile(at("manifest.signed.json"), "utf8");
  await writeFile(
    at("manifest.signed.json"),
    text.replace(/"sig":"(.)/, (_all, c) => `"sig":"${c === "A" ? "B" : "A"}`),
  );
  const run = await manifest("check", at("manifest.signed.json"));
  expect(run.status).toBe(1);
  expect(run.stdout).toContain("is wrong");
});

test("a change counts on, names what it replaces, and is signed by the admins before it", async () => {
  await build();
  await edit((tree) => {
    set("epoch", 2)(tree);
    set("previousDigest", "ab".repeat(32))(tree);
    set("admins.keys", [{ name: "second", publicKey: { file: "keys/second.pub.pem" } }])(tree);
    set("admins.threshold", 1)(tree);
  }, "wrong.yaml");
  await build("wrong.yaml", "wrong.json");
  await sign("second", "wrong.json");
  const wrong = await manifest("check", at("wrong.signed.json"), "--previous", at("manifest.json"));
  expect(wrong.status).toBe(1);
  expect(wrong.stdout).toContain("previousDigest: the manifest before has digest ");
  expect(wrong.stdout).toContain("signed by 1 of 2 admins needed");
  const back = await manifest(
    "check",
    at("manifest.json"),
    "--previous",
    at("wrong.json"),
    "--json",
  );
  const { problems } = JSON.parse(back.stdout) as { problems: { code: string }[] };
  expect(problems.map((each) => each.code)).toEqual([
    "epoch-not-higher",
    "wrong-predecessor",
    "not-signed",
  ]);
});

test("an admin who is leaving signs the change that says so", async () => {
  await build();
  await edit((tree) => {
    set("epoch", 2)(tree);
    set("previousDigest", { file: "manifest.json" })(tree);
    set("admins.keys", [{ name: "second", publicKey: { file: "keys/second.pub.pem" } }])(tree);
    set("admins.threshold", 1)(tree);
  }, "next.yaml");
  await build("next.yaml", "next.json");
  const alone = await sign("admin", "next.json");
  expect(alone.stderr).toContain("name the manifest before with --previous");
  const previous = ["--previous", at("manifest.json")];
  await sign("admin", "next.json", ...previous);
  await sign("second", "next.signed.json", ...previous, "--out", at("agreed.json"));
  const run = await manifest("check", at("agreed.json"), ...previous);
  expect([run.status, run.stderr]).toEqual([0, ""]);
  expect(run.stdout).toContain("signed by admin, second: 2 of 2 needed");
});

test("a difference is a table, or JSON with whole values; equal manifests have none", async () => {
  await edit((tree) => {
    set("release.minClients", 9)(tree);
    set("roles.combiner.0.platforms.because", "any machine at all")(tree);
  }, "next.yaml");
  const table = await manifest("diff", at("federation.yaml"), at("next.yaml"));
  expect(table.stdout).toMatch(/^direction +place +before +after +because\n/);
  expect(table.stdout).toMatch(/\ntightening +release\.minClients +2 +9 +an aggregate needs/);
  expect(table.stdout).toContain("2 changes: 1 tightening, 1 neutral.");
  const json = await manifest("diff", at("federation.yaml"), at("next.yaml"), "--json");
  expect(JSON.parse(json.stdout)).toMatchObject({
    changes: [
      { place: "roles.combiner[combiner-1-0].platforms", direction: "neutral" },
      { place: "release.minClients", direction: "tightening", before: "2", after: "9" },
    ],
  });
  await build();
  const none = await manifest("diff", at("federation.yaml"), at("manifest.json"));
  expect(none.stdout).toBe("No difference: the same bytes, the same digest.\n");
});

test("two measurements that begin alike are seen to differ in the table", async () => {
  const measured = (last: string) => `${"ab".repeat(31)}${last}`;
  const place = "roles.combiner.0.measurement.mrEnclave";
  await edit((tree) => set(place, measured("01"))(tree), "federation.yaml");
  await edit((tree) => set(place, measured("02"))(tree), "next.yaml");
  const { stdout } = await manifest("diff", at("federation.yaml"), at("next.yaml"));
  const [, row = ""] = stdout.split("\n");
  expect(row).toMatch(/^loosening .* (abab\S*…\S*ab01) +(abab\S*…\S*ab02) /);
});

test.each([
  ["an empty file", "\n", "is empty"],
  ["a list", "- a\n", "holds no fields"],
  ["a text", "hello\n", "holds no fields"],
])("%s is said to be no manifest, with where to begin", async (_, text, why) => {
  await writeFile(at("none.yaml"), text);
  const run = await manifest("check", at("none.yaml"));
  expect([run.status, run.stdout]).toEqual([1, ""]);
  expect(run.stderr).toContain(`none.yaml ${why}`);
  expect(run.stderr).toContain("fedclave manifest init");
});

test.each([
  ["manifest", "build", "FILE"],
  ["manifest", "sign", "FILE"],
  ["manifest", "diff", "FILE"],
  ["manifest", "init", "FILE", "--environment", "staging"],
  ["manifest", "init", "FILE", "--name", "Upper"],
])("%s %s %s without what it needs is a usage error", async (...args) => {
  const run = await runCommand(args.map((each) => (each === "FILE" ? at("new.yaml") : each)));
  expect([run.status, run.stdout]).toEqual([2, ""]);
});
