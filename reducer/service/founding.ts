/** Opens the reducer's home: on the first start a federation is founded, later the same one is taken up again. */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../../lib/base/clock.ts";
import type { FederationId } from "../../lib/base/ids.ts";
import type { Randomness } from "../../lib/base/randomness.ts";
import { Secret } from "../../lib/base/secret.ts";
import { parseDescriptor, writeDescriptor } from "../../lib/federation/descriptor.ts";
import { federationIdOf } from "../../lib/federation/genesis.ts";
import type { Manifest } from "../../lib/federation/manifest/manifest.ts";
import { manifestDigest, parseManifest } from "../../lib/federation/manifest/parse-manifest.ts";
import {
  type Authority,
  createAuthority,
  restoreAuthority,
} from "../../lib/provisioning/authority.ts";
import type { ArtifactStore } from "../../lib/storage/artifacts.ts";
import { openFileArtifacts } from "../../lib/storage/file/artifact-store.ts";
import type { Ledger } from "../../lib/storage/ledger.ts";
import { openLedger } from "../../lib/storage/open-ledger.ts";
import { loadOrCreateStateKey } from "../../lib/storage/sealed/local-key.ts";
import { localSealer } from "../../lib/storage/sealed/local-sealer.ts";
import { readSealedFile, writeSealedFile } from "../../lib/storage/sealed/sealed-file.ts";
import type { Sealer } from "../../lib/storage/sealed/sealer.ts";
import { openSqliteRows } from "../../lib/storage/sqlite/ledger-rows.ts";
import { decodeEvent, encodeEvent } from "../core/events.ts";
import { applyEvent, emptyState, type FederationState } from "../core/state.ts";
import { HomeError } from "./home-error.ts";
import { forgetReducerKey, readReducerKey } from "./reducer-key.ts";

export type FederationHome = {
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly authority: Authority;
  readonly ledger: Ledger;
  readonly artifacts: ArtifactStore;
  /** The replay of the ledger. */
  readonly state: FederationState;
  readonly founded: boolean;
  readonly close: () => Promise<void>;
};

const AUTHORITY_PURPOSE = "federation-ca";
/** In the descriptor until the reducer has listened for the first time. */
const NO_ADDRESS = "unknown:1";

type Opening = { readonly home: string; readonly clock: Clock; readonly randomness: Randomness };

/** @throws HomeError | StorageError | DocumentError | FederationError */
export async function openHome(opening: Opening): Promise<FederationHome> {
  const { home, clock, randomness } = opening;
  const manifestBytes = await readManifest(home);
  const manifest = parseManifest(manifestBytes);
  const stateDir = path.join(home, "state");
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const stateKey = await loadOrCreateStateKey({
    file: path.join(stateDir, "state.key"),
    randomness,
  });
  const authorityPath = path.join(stateDir, "authority.sealed");
  const hasAuthority = await exists(authorityPath);
  // The rows are opened first: they keep a second reducer out of this home.
  const ledgerPath = path.join(stateDir, "ledger.db");
  const rows = await openSqliteRows(ledgerPath);
  const hasLedger = (await rows.lastSeq()) > 0;
  if (hasLedger && !hasAuthority) {
    throw new HomeError(
      "authority-lost",
      `${authorityPath} is missing, and with it the key of the federation's CA; put it back from a backup`,
    );
  }
  if (hasAuthority && !hasLedger && (await readDescriptor(home)).reducerAddress !== NO_ADDRESS) {
    throw new HomeError(
      "ledger-lost",
      `${ledgerPath} is empty, but this federation has worked before: put ledger.db and ledger.db-wal back from a backup`,
    );
  }
  const sealerOf = (id: FederationId) => localSealer(stateKey, id, randomness);
  const authority = hasAuthority
    ? await takeUpAuthority(opening, authorityPath, sealerOf)
    : await foundAuthority(opening, authorityPath, { manifest, manifestBytes }, sealerOf);
  // From here on the key is sealed; a crash may have kept the other copy.
  await forgetReducerKey(home);
  const { federationId } = authority;
  const sealer = sealerOf(federationId);
  const ledger = await openLedger({ rows, sealer, federationId });
  const dir = path.join(stateDir, "artifacts");
  const artifacts = await openFileArtifacts({ dir, sealer, randomness });
  let state = await replay(ledger);
  if (state.federationId === undefined) {
    const atMs = clock.untrustedNowMs();
    const digest = manifestDigest(manifestBytes);
    const event = {
      kind: "federation-founded",
      federationId,
      manifestDigest: digest,
      atMs,
    } as const;
    await ledger.append(0, [encodeEvent(event)]);
    state = applyEvent(state, event);
  }
  checkManifest(home, state, manifestBytes);
  const close = async () => {
    await ledger.close();
    await artifacts.close();
  };
  return {
    manifest,
    manifestBytes,
    authority,
    ledger,
    artifacts,
    state,
    founded: !hasLedger,
    close,
  };
}

/** `federation.json`: the file every member is given. Written at each start, since the address may change. */
export async function publishDescriptor(
  home: string,
  federation: FederationHome,
  reducerAddress: string,
): Promise<string> {
  const { manifestBytes, authority } = federation;
  const file = descriptorPath(home);
  const { caCertificate } = authority;
  await writeFile(file, writeDescriptor({ caCertificate, manifestBytes, reducerAddress }));
  return file;
}

const descriptorPath = (home: string): string => path.join(home, "federation.json");

async function readManifest(home: string): Promise<Uint8Array> {
  const file = path.join(home, "manifest.json");
  try {
    return new Uint8Array(await readFile(file));
  } catch (cause) {
    throw new HomeError(
      "no-manifest",
      `${file} cannot be read; make a federation with \`fedclave init\`, then name its reducer directory`,
      { cause },
    );
  }
}

/**
 * A new CA, with the key that the manifest pins. Its certificate goes to disk first: without the sealed key a crash
 * leaves nothing that anybody could have joined, and the next start founds anew.
 */
async function foundAuthority(
  { home, clock, randomness }: Opening,
  authorityPath: string,
  { manifest, manifestBytes }: Pick<FederationHome, "manifest" | "manifestBytes">,
  sealerOf: (id: FederationId) => Sealer,
): Promise<Authority> {
  const key = await readReducerKey(home, manifest);
  const federationId = federationIdOf(key.publicKeyDer, manifestDigest(manifestBytes));
  const untrustedNowMs = clock.untrustedNowMs();
  const authority = createAuthority({ federationId, key, randomness, untrustedNowMs });
  const { caCertificate } = authority;
  const descriptor = writeDescriptor({ caCertificate, manifestBytes, reducerAddress: NO_ADDRESS });
  await writeFile(descriptorPath(home), descriptor);
  const sealer = sealerOf(federationId);
  const file = { path: authorityPath, purpose: AUTHORITY_PURPOSE, sealer };
  await writeSealedFile(file, authority.exportPrivateKey().reveal());
  return authority;
}

async function takeUpAuthority(
  { home, randomness }: Opening,
  authorityPath: string,
  sealerOf: (id: FederationId) => Sealer,
): Promise<Authority> {
  const { federationId, caCertificate } = await readDescriptor(home);
  const sealer = sealerOf(federationId);
  const file = { path: authorityPath, purpose: AUTHORITY_PURPOSE, sealer };
  const privateKey = await readSealedFile(file);
  if (privateKey === undefined) throw new HomeError("authority-lost", `${authorityPath} vanished`);
  const privateKeyDer = new Secret(privateKey);
  return restoreAuthority({ federationId, privateKeyDer, caCertificate, randomness });
}

async function readDescriptor(home: string) {
  const file = descriptorPath(home);
  try {
    return parseDescriptor(new Uint8Array(await readFile(file)));
  } catch (cause) {
    throw new HomeError(
      "descriptor-lost",
      `${file} cannot be used: ${cause instanceof Error ? cause.message : "unreadable"}; every member has a ` +
        "copy of it in its home, put one back",
      { cause },
    );
  }
}

async function replay(ledger: Ledger): Promise<FederationState> {
  let state = emptyState;
  for await (const { event } of ledger.read(1)) state = applyEvent(state, decodeEvent(event));
  return state;
}

function checkManifest(home: string, state: FederationState, manifestBytes: Uint8Array): void {
  const digest = manifestDigest(manifestBytes);
  if (state.manifestDigest === digest) return;
  throw new HomeError(
    "manifest-changed",
    `${path.join(home, "manifest.json")} has digest ${digest}, but this federation was founded under ` +
      `${state.manifestDigest}; put the former file back (a federation's manifest cannot be changed yet)`,
  );
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}
