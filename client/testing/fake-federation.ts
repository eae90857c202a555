/** A federation around the client under test: real authority, homes on disk, a reducer that assigns as it is told. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "../../lib/base/clock.ts";
import {
  type Digest,
  digestBytes,
  digestFromBytes,
  digestOf,
  type Name,
  type Role,
} from "../../lib/base/ids.ts";
import { generateSigningKey, type SigningKey } from "../../lib/base/keys.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandomness } from "../../lib/base/randomness.ts";
import { RefusedError, refusal } from "../../lib/base/refusal.ts";
import { writeDescriptor } from "../../lib/federation/descriptor.ts";
import { federationIdOf } from "../../lib/federation/genesis.ts";
import { onPremManifest } from "../../lib/federation/manifest/on-prem-manifest.ts";
import { manifestDigest, writeManifest } from "../../lib/federation/manifest/parse-manifest.ts";
import { createAuthority, generateAuthorityKey } from "../../lib/provisioning/authority.ts";
import { appraiseJoin } from "../../lib/provisioning/join.ts";
import { createStatement } from "../../lib/provisioning/statement.ts";
import { bytesSource, serveDownload } from "../../lib/transport/download.ts";
import { GrantQueue } from "../../lib/transport/grants.ts";
import { type Handlers, listen } from "../../lib/transport/listen.ts";
import { writeMemberKey, writeMembership } from "../../lib/transport/member-home.ts";
import type { TlsIdentity } from "../../lib/transport/tls-identity.ts";
import { type FakeCombiner, memberOf, startFakeCombiner } from "./fake-combiner.ts";
import { Inbox } from "./inbox.ts";

export type ReducerEvent =
  | { readonly kind: "joined"; readonly member: string }
  | { readonly kind: "asked"; readonly member: string; readonly unreachable: string }
  | { readonly kind: "served"; readonly package: Digest };

export type FakeFederation = {
  readonly events: Inbox<ReducerEvent>;
  /** Every client is sent here; undefined: no combiner is attached. */
  readonly assignTo: (combiner: FakeCombiner | undefined, claimedKey?: Digest) => void;
  readonly addPackage: (archive: Uint8Array) => Digest;
  /** Names that are refused when they join. */
  readonly banned: Set<string>;
  readonly startCombiner: (name: string, options?: { welcomes?: boolean }) => Promise<FakeCombiner>;
  /** A home and a data file, as `--home` and `--data`. */
  readonly enrol: (name: string, data: Uint8Array) => Promise<{ home: string; data: string }>;
  readonly close: () => Promise<void>;
};

const ORGANIZATION = "hospital" as Name;

export async function startFakeFederation(): Promise<FakeFederation> {
  const clock = systemClock();
  const directory = await mkdtemp(path.join(tmpdir(), "fedclave-client-"));
  const organizationKey = generateSigningKey();
  const adminKey = generateSigningKey();
  const key = generateAuthorityKey();
  const manifest = onPremManifest({
    name: "test" as Name,
    environment: "development",
    reducerKeyDer: key.publicKeyDer,
    admins: [{ name: "admin" as Name, publicKeyDer: adminKey.publicKeyDer }],
    organizations: [
      {
        name: ORGANIZATION,
        publicKeyDer: organizationKey.publicKeyDer,
        mayEnrol: ["client", "combiner"],
      },
    ],
    weightCap: 1,
  });
  const manifestBytes = writeManifest(manifest);
  const federationId = federationIdOf(key.publicKeyDer, manifestDigest(manifestBytes));
  const untrustedNowMs = clock.untrustedNowMs();
  const authority = createAuthority({
    federationId,
    key,
    randomness: systemRandomness,
    untrustedNowMs,
  });
  const { caCertificate } = authority;
  const trust = { federationId, caCertificate };
  const issuers = [
    {
      name: ORGANIZATION,
      publicKeyDer: organizationKey.publicKeyDer,
      mayEnrol: ["client", "combiner"] as const,
    },
  ];
  const events = new Inbox<ReducerEvent>();
  const banned = new Set<string>();
  const packages = new Map<Digest, Uint8Array>();
  const combiners: FakeCombiner[] = [];
  let assigned: { readonly combiner: FakeCombiner; readonly spkiDigest: Digest } | undefined;
  let epoch = 0;

  function identity(role: Role, member: string, own: SigningKey): TlsIdentity {
    const { publicKeyDer, privateKey } = own;
    const request = { role, member: member as Name, publicKeyDer, untrustedNowMs };
    return { privateKey, ...authority.issueCertificate(request) };
  }

  const handlers: Handlers = {
    "Provisioning.Join": {
      callers: ["joining"],
      handle: async ({ statement }, peer) => {
        const rules = { federationId, epoch: 1, issuers };
        const appraisal = appraiseJoin(statement, peer.publicKeyDer, rules);
        if (appraisal.kind === "refused") throw new RefusedError(...appraisal.refusals);
        const { member, role } = appraisal;
        if (banned.has(member)) {
          throw new RefusedError(refusal("role-not-permitted", member, "another member"));
        }
        events.put({ kind: "joined", member });
        const { publicKeyDer } = peer;
        const issued = authority.issueCertificate({ role, member, publicKeyDer, untrustedNowMs });
        return {
          certificateChain: [...issued.certificateChain],
          expiresAtMs: issued.notAfterMs,
        };
      },
    },
    "Assignments.Assign": {
      callers: ["client"],
      handle: async ({ unreachableCombiner }, peer) => {
        const member = memberOf(peer);
        events.put({ kind: "asked", member, unreachable: unreachableCombiner });
        if (assigned === undefined) throw new RefusedError(refusal("no-combiner", 0, 1));
        epoch += 1;
        return {
          version: 1,
          federationId,
          member,
          combiner: assigned.combiner.name,
          address: assigned.combiner.address,
          combinerSpkiDigest: digestBytes(assigned.spkiDigest),
          epoch,
        };
      },
    },
    "Transfer.Download": {
      callers: ["client"],
      handle: async (request, _peer, stream) => {
        const digest = digestFromBytes(request.packageDigest ?? new Uint8Array());
        const archive = digest === undefined ? undefined : packages.get(digest);
        if (digest === undefined || archive === undefined) {
          throw new RefusedError(refusal("unknown-package", String(digest), "a package"));
        }
        events.put({ kind: "served", package: digest });
        const places = new GrantQueue();
        await serveDownload(stream, bytesSource(archive), { offsetBytes: 0, clock, places });
      },
    },
  };
  const reducer = await listen({
    host: "127.0.0.1",
    port: 0,
    identity: identity("reducer", "reducer", generateSigningKey()),
    trust,
    admitsJoining: true,
    handlers,
    clock,
    log: silentLog,
  });
  const reducerAddress = `127.0.0.1:${reducer.port}`;

  return {
    events,
    banned,
    assignTo: (combiner, claimedKey) => {
      assigned = combiner && { combiner, spkiDigest: claimedKey ?? combiner.spkiDigest };
    },
    addPackage: (archive) => {
      const digest = digestOf(archive);
      packages.set(digest, archive);
      return digest;
    },
    startCombiner: async (name, options = {}) => {
      const own = generateSigningKey();
      const combiner = await startFakeCombiner({
        name,
        identity: identity("combiner", name, own),
        key: own,
        trust,
        ...options,
      });
      combiners.push(combiner);
      return combiner;
    },
    enrol: async (name, data) => {
      const home = path.join(directory, name);
      const own = generateSigningKey();
      const descriptor = writeDescriptor({ caCertificate, manifestBytes, reducerAddress });
      const claims = {
        federationId,
        member: name as Name,
        role: "client",
        organization: ORGANIZATION,
        spkiDigest: own.spkiDigest,
        expiryEpoch: 1,
      } as const;
      await mkdir(home, { recursive: true });
      await writeMemberKey(home, own);
      await writeMembership(home, {
        descriptor,
        statement: createStatement(claims, organizationKey),
      });
      const file = path.join(directory, `${name}.safetensors`);
      await writeFile(file, data);
      return { home, data: file };
    },
    close: async () => {
      await Promise.all([...combiners.map((each) => each.kill()), reducer.close(0)]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
