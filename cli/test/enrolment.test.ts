import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { toBase64 } from "../../lib/base/base64.ts";
import type { UnixMs } from "../../lib/base/ids.ts";
import { systemRandomness } from "../../lib/base/randomness.ts";
import { Secret } from "../../lib/base/secret.ts";
import { writeDescriptor } from "../../lib/federation/descriptor.ts";
import { federationIdOf } from "../../lib/federation/genesis.ts";
import { manifestDigest, parseManifest } from "../../lib/federation/manifest/parse-manifest.ts";
import { createAuthority, parseAuthorityKeyPem } from "../../lib/provisioning/authority.ts";
import { readMemberHome } from "../../lib/transport/member-home.ts";
import { runCommand } from "../testing/captured-output.ts";

const NOW_MS = Date.UTC(2026, 0, 1) as UnixMs;
let base: string;
let directory: string;
let count = 0;

beforeAll(async () => {
  base = await mkdtemp(path.join(tmpdir(), "fedclave-enrol-"));
});
beforeEach(() => {
  count += 1;
  directory = path.join(base, `fed-${count}`);
});
afterAll(() => rm(base, { recursive: true, force: true }));

const at = (...parts: string[]): string => path.join(directory, ...parts);
const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

/** What the reducer would write at its first start. */
async function foundFederation(reducerAddress = "127.0.0.1:7443"): Promise<string> {
  await runCommand(["init", directory, "--organization", "north", "south"]);
  const pem = new Secret(await readFile(at("reducer", "reducer.key.pem"), "utf8"));
  const manifestBytes = new Uint8Array(await readFile(at("reducer", "manifest.json")));
  const key = parseAuthorityKeyPem(pem);
  const { caCertificate } = createAuthority({
    federationId: federationIdOf(key.publicKeyDer, manifestDigest(manifestBytes)),
    key,
    randomness: systemRandomness,
    untrustedNowMs: NOW_MS,
  });
  const descriptor = writeDescriptor({
    caCertificate,
    manifestBytes,
    reducerAddress,
  });
  await writeFile(at("reducer", "federation.json"), descriptor);
  return at("reducer", "federation.json");
}

const enrol = (descriptor: string, ...rest: string[]) =>
  runCommand(["member", "enrol", "--federation", descriptor, ...rest]);
const northKey = () => at("organizations", "north.key.pem");

test("init writes keys that only their owner reads, and for the reducer alone a manifest that names them", async () => {
  const run = await runCommand([
    "init",
    directory,
    "--name",
    "study",
    "--organization",
    "north",
    "south",
  ]);
  expect([run.status, run.stderr]).toEqual([0, ""]);
  expect((await readdir(directory, { recursive: true })).sort()).toEqual([
    "admin.key.pem",
    "organizations",
    "organizations/north.key.pem",
    "organizations/south.key.pem",
    "reducer",
    "reducer/manifest.json",
    "reducer/reducer.key.pem",
  ]);
  const reducerKey = at("reducer", "reducer.key.pem");
  const keys = [at("admin.key.pem"), northKey(), at("organizations", "south.key.pem"), reducerKey];
  for (const key of keys) expect(await modeOf(key)).toBe(0o600);
  for (const folder of [directory, at("organizations"), at("reducer")]) {
    expect(await modeOf(folder)).toBe(0o700);
  }
  const bytes = await readFile(at("reducer", "manifest.json"));
  const manifest = parseManifest(new Uint8Array(bytes));
  expect(manifest.name).toBe("study");
  expect(manifest.organizations.map((each) => each.name)).toEqual(["north", "south"]);
  expect(manifest).toMatchObject({ environment: "production", epoch: 1, previousDigest: null });
  const { publicKeyDer } = parseAuthorityKeyPem(new Secret(await readFile(reducerKey, "utf8")));
  const pinned = { kind: "onprem", name: "on-premises", publicKey: toBase64(publicKeyDer) };
  expect(manifest.roles.reducer).toEqual([pinned]);
});

test("init prints commands that can be copied, with paths quoted for the shell", async () => {
  directory = path.join(base, "it's here");
  const run = await runCommand(["init", directory, "--reducer", "10.0.0.1:9000"]);
  const quoted = `'${path.join(base, "it'\\''s here", "reducer")}'`;
  expect(run.stdout).toContain(`  fedclave reducer --home ${quoted} --listen 10.0.0.1:9000\n`);
});

test("init never touches a directory that holds something", async () => {
  await mkdir(directory);
  await writeFile(at("admin.key.pem"), "precious");
  const run = await runCommand(["init", directory]);
  expect(run.status).toBe(1);
  expect(run.stderr).toContain("is not empty; nothing was written");
  expect(await readdir(directory)).toEqual(["admin.key.pem"]);
  expect(await readFile(at("admin.key.pem"), "utf8")).toBe("precious");
});

test.each([
  ["client", "--organization-key", "organizations/south.key.pem", "south"],
  ["combiner", "--organization-key", "organizations/north.key.pem", "north"],
  ["admin", "--admin-key", "admin.key.pem", "admin"],
] as const)(
  "a %s is enrolled into a home that the role can read",
  async (role, flag, key, issuer) => {
    const descriptor = await foundFederation();
    const home = at("member");
    const run = await enrol(
      descriptor,
      "--role",
      role,
      "--name",
      "m-1",
      flag,
      at(key),
      "--home",
      home,
    );
    expect(run).toEqual({ status: 0, stdout: `Enrolled ${role} m-1: ${home}\n`, stderr: "" });
    const member = await readMemberHome(home, role);
    expect([member.member, member.organization]).toEqual(["m-1", issuer]);
    expect(await modeOf(path.join(home, "member.key.pem"))).toBe(0o600);
  },
);

test("a key made on the member's machine is enrolled by its public part alone", async () => {
  const descriptor = await foundFederation();
  const home = at("elsewhere");
  expect((await runCommand(["member", "key", "--home", home])).status).toBe(0);
  const publicKey = path.join(home, "member.pub.pem");
  const out = at("statement.json");
  const organization = ["--organization", "north", "--organization-key", northKey()];
  const run = await enrol(
    descriptor,
    "--role",
    "client",
    "--name",
    "far",
    ...organization,
    "--member-public-key",
    publicKey,
    "--out",
    out,
  );
  expect([run.status, run.stderr]).toEqual([0, ""]);
  await writeFile(path.join(home, "statement.json"), await readFile(out));
  await writeFile(path.join(home, "federation.json"), await readFile(descriptor));
  expect((await readMemberHome(home, "client")).member).toBe("far");
});

test("neither a member's key nor an enrolment is ever replaced", async () => {
  const descriptor = await foundFederation();
  const member = [
    "--role",
    "client",
    "--name",
    "a",
    "--organization-key",
    northKey(),
    "--home",
    at("a"),
  ];
  await enrol(descriptor, ...member);
  const key = await readFile(at("a", "member.key.pem"));
  const again = await enrol(descriptor, ...member);
  expect(again.status).toBe(1);
  expect(again.stderr).toContain("this home is enrolled");
  const newKey = await runCommand(["member", "key", "--home", at("a")]);
  expect(newKey.status).toBe(1);
  expect(newKey.stderr).toContain("exists and is kept");
  expect(await readFile(at("a", "member.key.pem"))).toEqual(key);
});

test.each<[string, string[], string]>([
  [
    "a key of nobody in the manifest",
    ["--organization-key", "stranger.pem"],
    "is nobody's in the manifest",
  ],
  [
    "the key of another organization",
    ["--organization", "south", "--organization-key", "north.pem"],
    "is that of north in the manifest",
  ],
  [
    "a key file that is none",
    ["--organization-key", "reducer/manifest.json"],
    "manifest.json cannot be used",
  ],
  ["a key file that is not there", ["--organization-key", "gone.pem"], "gone.pem cannot be read"],
  ["an admin key for a client", ["--organization-key", "admin.key.pem"], "role-not-permitted"],
])("%s enrols nobody and writes nothing", async (_what, flags, message) => {
  const descriptor = await foundFederation();
  await runCommand(["member", "key", "--home", at("stranger")]);
  await writeFile(at("stranger.pem"), await readFile(at("stranger", "member.key.pem")));
  await writeFile(at("north.pem"), await readFile(northKey()));
  const resolved = flags.map((each) => (each.includes(".") ? at(each) : each));
  const home = at("member");
  const run = await enrol(
    descriptor,
    "--role",
    "client",
    "--name",
    "a",
    ...resolved,
    "--home",
    home,
  );
  expect(run.status).toBe(1);
  expect(run.stderr).toContain(message);
  await expect(stat(home)).rejects.toThrow("ENOENT");
});

test("a descriptor that does not exist yet is explained", async () => {
  await runCommand(["init", directory]);
  const run = await enrol(
    at("reducer", "federation.json"),
    "--role",
    "client",
    "--name",
    "a",
    "--organization-key",
    at("organizations", "organization.key.pem"),
    "--home",
    at("a"),
  );
  expect(run.status).toBe(1);
  expect(run.stderr).toContain("it is written by the reducer when it first starts");
});

test("a reducer that does not answer is named, with what to do about it", async () => {
  const descriptor = await foundFederation("127.0.0.1:1");
  const admin = ["--role", "admin", "--name", "a", "--admin-key", at("admin.key.pem")];
  await enrol(descriptor, ...admin, "--home", at("admin"));
  const run = await runCommand(["session", "list", "--home", at("admin"), "--wait", "0.2"]);
  expect(run.status).toBe(1);
  expect(run.stderr).toContain("waiting up to 0.2 s for the reducer at 127.0.0.1:1\n");
  expect(run.stderr).toContain(
    "the reducer at 127.0.0.1:1 cannot be reached; on its machine run: fedclave reducer --home DIR",
  );
});
