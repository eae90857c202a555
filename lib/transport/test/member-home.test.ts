import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FederationId, Name, UnixMs } from "../../base/ids.ts";
import { generateSigningKey } from "../../base/keys.ts";
import { systemRandomness } from "../../base/randomness.ts";
import { writeDescriptor } from "../../federation/descriptor.ts";
import { federationIdOf } from "../../federation/genesis.ts";
import { onPremManifest } from "../../federation/manifest/on-prem-manifest.ts";
import { manifestDigest, writeManifest } from "../../federation/manifest/parse-manifest.ts";
import { createAuthority, generateAuthorityKey } from "../../provisioning/authority.ts";
import { createStatement } from "../../provisioning/statement.ts";
import {
  MEMBER_KEY_FILE,
  readMemberHome,
  STATEMENT_FILE,
  writeMemberKey,
  writeMembership,
} from "../member-home.ts";

const name = (text: string) => text as Name;
const organization = generateSigningKey();
const authorityKey = generateAuthorityKey();
const manifest = onPremManifest({
  name: name("oncology"),
  environment: "production",
  reducerKeyDer: authorityKey.publicKeyDer,
  admins: [{ name: name("alice"), publicKeyDer: generateSigningKey().publicKeyDer }],
  organizations: [
    {
      name: name("north"),
      publicKeyDer: organization.publicKeyDer,
      mayEnrol: ["client", "combiner"],
    },
  ],
  weightCap: 1,
});
const manifestBytes = writeManifest(manifest);
const federationId = federationIdOf(authorityKey.publicKeyDer, manifestDigest(manifestBytes));
const { caCertificate } = createAuthority({
  federationId,
  key: authorityKey,
  untrustedNowMs: Date.UTC(2026, 5, 1) as UnixMs,
  randomness: systemRandomness,
});
const descriptor = writeDescriptor({
  caCertificate,
  manifestBytes,
  reducerAddress: "reducer.example.org:4000",
});

let home: string;
const key = generateSigningKey();

const claims = {
  federationId,
  member: name("anna"),
  role: "client",
  organization: name("north"),
  spkiDigest: key.spkiDigest,
  expiryEpoch: 3,
} as const;
const write = (file: string, text: string) => writeFile(path.join(home, file), text);
const restate = (changes: object) =>
  writeFile(
    path.join(home, STATEMENT_FILE),
    createStatement({ ...claims, ...changes }, organization),
  );

beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), "fedclave-home-"));
  await writeMemberKey(home, key);
  await writeMembership(home, { descriptor, statement: createStatement(claims, organization) });
});

afterEach(() => rm(home, { recursive: true }));

test("a home gives back who the member is, with its key and federation", async () => {
  expect(await readMemberHome(home, "client")).toMatchObject({
    member: "anna",
    role: "client",
    organization: "north",
    key: { spkiDigest: key.spkiDigest },
    descriptor: { federationId },
  });
});

test.each<[string, () => Promise<unknown>, string]>([
  ["without a key", () => rm(path.join(home, MEMBER_KEY_FILE)), "missing-file"],
  ["without a statement", () => rm(path.join(home, STATEMENT_FILE)), "missing-file"],
  ["with a damaged key", () => write(MEMBER_KEY_FILE, "no key"), "unreadable-file"],
  ["with a damaged statement", () => write(STATEMENT_FILE, "{}"), "unreadable-file"],
  ["with a damaged descriptor", () => write("federation.json", "{"), "unreadable-file"],
  [
    "with a key others may read",
    () => chmod(path.join(home, MEMBER_KEY_FILE), 0o640),
    "key-exposed",
  ],
  ["of a combiner", () => restate({ role: "combiner" }), "wrong-role"],
  ["of no name", () => restate({ member: "Anna" }), "wrong-role"],
  [
    "of another federation",
    () => restate({ federationId: "a".repeat(52) as FederationId }),
    "wrong-federation",
  ],
  [
    "with another member's key",
    () => restate({ spkiDigest: generateSigningKey().spkiDigest }),
    "wrong-key",
  ],
])("a home %s is refused", async (_, deviate, code) => {
  await deviate();
  await expect(readMemberHome(home, "client")).rejects.toMatchObject({ code });
});

test("a key is never replaced, and what is said of a damaged one does not show it", async () => {
  await expect(writeMemberKey(home, generateSigningKey())).rejects.toMatchObject({
    code: "EEXIST",
  });
  await write(MEMBER_KEY_FILE, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----");
  const error: unknown = await readMemberHome(home, "client").catch((thrown: unknown) => thrown);
  expect(String((error as Error).message)).toContain(MEMBER_KEY_FILE);
  expect(`${error} ${(error as Error).cause}`).not.toContain("c2VjcmV0");
});
