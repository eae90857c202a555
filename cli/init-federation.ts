/** The first files of a federation: its manifest, and the keys of everyone named in it. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { MAX_WEIGHT_CAP } from "../lib/aggregation/grid.ts";
import type { Name } from "../lib/base/ids.ts";
import { generateSigningKey, privateKeyPem } from "../lib/base/keys.ts";
import type { Secret } from "../lib/base/secret.ts";
import { type Environment, ORGANIZATION_ROLES } from "../lib/federation/manifest/manifest.ts";
import { onPremManifest } from "../lib/federation/manifest/on-prem-manifest.ts";
import { writeManifest } from "../lib/federation/manifest/parse-manifest.ts";
import { authorityKeyPem, generateAuthorityKey } from "../lib/provisioning/authority.ts";
import { CliError } from "./cli-error.ts";
import { makeDirectory } from "./make-directory.ts";

/** The name of the admin key in a manifest that `init` writes. */
export const ADMIN_KEY_NAME = "admin" as Name;

export type NewFederation = {
  readonly name: Name;
  /** At least one; distinct, and none is called "admin". */
  readonly organizations: readonly Name[];
  readonly environment: Environment;
};

export type FederationFiles = {
  readonly directory: string;
  /** In the reducer's home alone: a copy elsewhere would look like another reducer's home. */
  readonly manifest: string;
  readonly adminKey: string;
  readonly organizationKeys: readonly { readonly organization: Name; readonly file: string }[];
  /** The key that the manifest pins as the reducer's. The reducer seals it at its first start and removes the file. */
  readonly reducerKey: string;
  /** Home of the reducer; the only part its machine needs. */
  readonly reducerHome: string;
  /** Where the reducer will write what members need, once it has started. */
  readonly descriptor: string;
  /** Where the admin's own membership goes; commands look here by default. */
  readonly adminHome: string;
};

export function federationFiles(
  directory: string,
  organizations: readonly Name[],
): FederationFiles {
  const reducerHome = path.join(directory, "reducer");
  return {
    directory,
    manifest: path.join(reducerHome, "manifest.json"),
    adminKey: path.join(directory, "admin.key.pem"),
    organizationKeys: organizations.map((organization) => ({
      organization,
      file: path.join(directory, "organizations", `${organization}.key.pem`),
    })),
    reducerKey: path.join(reducerHome, "reducer.key.pem"),
    reducerHome,
    descriptor: path.join(reducerHome, "federation.json"),
    adminHome: path.join(directory, "admin"),
  };
}

/**
 * Writes the files of a new federation. Keys are readable by their owner only, and nothing is ever replaced.
 * @param directory  absent or empty
 * @throws CliError "already-exists"
 * @throws FederationError "duplicate-name"
 */
export async function initFederation(
  directory: string,
  given: NewFederation,
): Promise<FederationFiles> {
  const files = federationFiles(directory, given.organizations);
  const adminKey = generateSigningKey();
  const organizations = files.organizationKeys.map((each) => ({
    ...each,
    key: generateSigningKey(),
  }));
  const reducerKey = generateAuthorityKey();
  const manifest = onPremManifest({
    name: given.name,
    environment: given.environment,
    reducerKeyDer: reducerKey.publicKeyDer,
    admins: [{ name: ADMIN_KEY_NAME, publicKeyDer: adminKey.publicKeyDer }],
    organizations: organizations.map(({ organization, key }) => ({
      name: organization,
      publicKeyDer: key.publicKeyDer,
      mayEnrol: ORGANIZATION_ROLES,
    })),
    weightCap: MAX_WEIGHT_CAP,
  });
  const manifestBytes = writeManifest(manifest);
  await makeEmptyDirectory(directory);
  await mkdir(path.join(directory, "organizations"), { mode: 0o700 });
  await mkdir(files.reducerHome, { mode: 0o700 });
  await writeKey(files.adminKey, privateKeyPem(adminKey.privateKey));
  for (const { file, key } of organizations) await writeKey(file, privateKeyPem(key.privateKey));
  await writeKey(files.reducerKey, authorityKeyPem(reducerKey));
  await writeFile(files.manifest, manifestBytes, { flag: "wx" });
  return files;
}

/**
 * Makes a directory that only its owner can enter.
 * @throws CliError "already-exists" if there is something in it | "unwritable-file"
 */
export async function makeEmptyDirectory(directory: string): Promise<void> {
  await makeDirectory(directory, 0o700);
  if ((await readdir(directory)).length > 0) {
    throw new CliError(
      "already-exists",
      `${directory} is not empty; nothing was written. Name a new directory`,
    );
  }
}

const writeKey = (file: string, pem: Secret<string>): Promise<void> =>
  writeFile(file, pem.reveal(), { mode: 0o600, flag: "wx" });
