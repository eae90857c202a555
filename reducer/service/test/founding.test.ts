import { chmod, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { toBase64 } from "../../../lib/base/base64.ts";
import { readCertificate } from "../../../lib/base/certificate.ts";
import { generateSigningKey, privateKeyPem } from "../../../lib/base/keys.ts";
import { parseDescriptor } from "../../../lib/federation/descriptor.ts";
import { sampleManifest } from "../../../lib/federation/testing/sample-manifest.ts";
import { generateAuthorityKey } from "../../../lib/provisioning/authority.ts";
import { TestFederation } from "../testing/federation.ts";

let federation: TestFederation;
beforeEach(async () => {
  federation = await TestFederation.prepare();
});
afterEach(() => federation.remove());

const inHome = (file: string): string => path.join(federation.directory, file);

test("the CA has the key that the manifest pins, and no other copy of it stays behind", async () => {
  await federation.start();
  const { caCertificate, manifest } = parseDescriptor(await federation.descriptorBytes());
  const { publicKey } = readCertificate(caCertificate);
  const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  expect(manifest.roles.reducer).toMatchObject([{ kind: "onprem", publicKey: toBase64(spki) }]);
  expect(spki).toEqual(federation.reducerKey.publicKeyDer);
  expect(await readdir(federation.directory)).not.toContain("reducer.key.pem");
});

test("a copy that a crash left behind is removed at the next start", async () => {
  await federation.start();
  await federation.stop();
  await federation.writeReducerKey();
  await federation.start();
  expect(await readdir(federation.directory)).not.toContain("reducer.key.pem");
});

test.each<[string, string, () => Promise<unknown>]>([
  ["no key", "reducer-key-lost", () => rm(inHome("reducer.key.pem"))],
  ["a damaged key", "reducer-key-lost", () => writeFile(inHome("reducer.key.pem"), "garbage")],
  [
    "a key on the curve of members",
    "reducer-key-lost",
    async () => {
      const pem = privateKeyPem(generateSigningKey().privateKey).reveal();
      await writeFile(inHome("reducer.key.pem"), pem);
    },
  ],
  [
    "a file larger than keys are",
    "reducer-key-lost",
    () => writeFile(inHome("reducer.key.pem"), "x".repeat(5000)),
  ],
  ["a key that others may read", "key-exposed", () => chmod(inHome("reducer.key.pem"), 0o640)],
  [
    "a key that the manifest does not pin",
    "reducer-not-accepted",
    () => federation.writeReducerKey(generateAuthorityKey()),
  ],
  [
    "a manifest that accepts enclaves only",
    "reducer-not-accepted",
    () =>
      federation.writeManifest(1, {
        roles: { ...sampleManifest.roles, reducer: sampleManifest.roles.reducer.slice(1) },
        organizations: sampleManifest.organizations,
        admins: sampleManifest.admins,
        release: sampleManifest.release,
      }),
  ],
])("a home with %s founds nothing", async (_what, code, damage) => {
  await damage();
  await expect(federation.start()).rejects.toThrow(expect.objectContaining({ code }));
  expect(await readdir(federation.directory)).not.toContain("federation.json");
});
