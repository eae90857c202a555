/** The key that makes a process the on-premises reducer of its manifest: at founding it becomes that of the CA. */
import { readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { toBase64 } from "../../lib/base/base64.ts";
import { Secret } from "../../lib/base/secret.ts";
import type { Manifest } from "../../lib/federation/manifest/manifest.ts";
import { type AuthorityKey, parseAuthorityKeyPem } from "../../lib/provisioning/authority.ts";
import { ProvisioningError } from "../../lib/provisioning/provisioning-error.ts";
import { HomeError } from "./home-error.ts";

/** PKCS#8 PEM, mode 600, in the reducer's home. It is there until the reducer has sealed it. */
const REDUCER_KEY_FILE = "reducer.key.pem";

const GROUP_OR_OTHERS = 0o077;
const MAX_KEY_BYTES = 4096;

/**
 * Reads the key and holds it against the manifest, whose other parties hold the reducer to it.
 * @throws HomeError "reducer-key-lost" | "key-exposed" | "reducer-not-accepted"
 */
export async function readReducerKey(home: string, manifest: Manifest): Promise<AuthorityKey> {
  const file = path.join(home, REDUCER_KEY_FILE);
  const pinned = manifest.roles.reducer.flatMap((each) =>
    each.kind === "onprem" ? [each.publicKey] : [],
  );
  if (pinned.length === 0) {
    throw new HomeError(
      "reducer-not-accepted",
      "the manifest accepts reducers in enclaves only, and this release cannot be one yet",
    );
  }
  const key = await readKey(file);
  if (pinned.includes(toBase64(key.publicKeyDer))) return key;
  throw new HomeError(
    "reducer-not-accepted",
    `${file} is not the key of a reducer whom the manifest accepts; put back the one that belongs to it`,
  );
}

/** Removes the file, whose key is sealed by now. */
export const forgetReducerKey = (home: string): Promise<void> =>
  rm(path.join(home, REDUCER_KEY_FILE), { force: true });

async function readKey(file: string): Promise<AuthorityKey> {
  try {
    const { mode, size } = await stat(file);
    if ((mode & GROUP_OR_OTHERS) !== 0) throw exposed(file);
    if (size > MAX_KEY_BYTES) throw lost(file);
    return parseAuthorityKeyPem(new Secret(await readFile(file, "utf8")));
  } catch (cause) {
    if (cause instanceof HomeError) throw cause;
    // What a key file holds is never part of a message, so neither is the reason why it does not parse.
    throw lost(file, cause instanceof ProvisioningError ? undefined : cause);
  }
}

const lost = (file: string, cause?: unknown): HomeError =>
  new HomeError(
    "reducer-key-lost",
    `${file} is not there or no P-384 private key; \`fedclave init\` wrote it beside the manifest, put it back`,
    { cause },
  );

const exposed = (file: string): HomeError =>
  new HomeError(
    "key-exposed",
    `${file} can be read by others than its owner; chmod 600 it, and consider making the federation anew`,
  );
