/** A federation founded for one test: its authority, a listener that lets members join, and homes for them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "../../../lib/base/clock.ts";
import type { Name } from "../../../lib/base/ids.ts";
import { generateSigningKey } from "../../../lib/base/keys.ts";
import { silentLog } from "../../../lib/base/log.ts";
import { systemRandomness } from "../../../lib/base/randomness.ts";
import { writeDescriptor } from "../../../lib/federation/descriptor.ts";
import { federationIdOf } from "../../../lib/federation/genesis.ts";
import { onPremManifest } from "../../../lib/federation/manifest/on-prem-manifest.ts";
import { manifestDigest, writeManifest } from "../../../lib/federation/manifest/parse-manifest.ts";
import { createAuthority, generateAuthorityKey } from "../../../lib/provisioning/authority.ts";
import { createStatement } from "../../../lib/provisioning/statement.ts";
import { formatAddress } from "../../../lib/transport/address.ts";
import { listen } from "../../../lib/transport/listen.ts";
import { writeMemberKey, writeMembership } from "../../../lib/transport/member-home.ts";

const name = (text: string): Name => text as Name;

export type FoundedFederation = {
  /** Addresses that combiners announced when they attached. */
  readonly attached: readonly string[];
  /** A new member home. */
  readonly enrol: (member: string) => Promise<string>;
  readonly stopListening: () => Promise<void>;
  readonly close: () => Promise<void>;
};

export async function foundFederation(): Promise<FoundedFederation> {
  const directory = await mkdtemp(path.join(tmpdir(), "fedclave-combiner-"));
  const clock = systemClock();
  const organization = generateSigningKey();
  const key = generateAuthorityKey();
  const agreed = onPremManifest({
    name: name("test"),
    environment: "development",
    reducerKeyDer: key.publicKeyDer,
    admins: [{ name: name("root"), publicKeyDer: generateSigningKey().publicKeyDer }],
    organizations: [
      {
        name: name("org"),
        publicKeyDer: organization.publicKeyDer,
        mayEnrol: ["combiner", "client"],
      },
    ],
    weightCap: 1,
  });
  const manifest = writeManifest(agreed);
  const federationId = federationIdOf(key.publicKeyDer, manifestDigest(manifest));
  const authority = createAuthority({
    federationId,
    key,
    randomness: systemRandomness,
    untrustedNowMs: clock.untrustedNowMs(),
  });
  const issue = (role: "reducer" | "combiner", member: string, publicKeyDer: Uint8Array) =>
    authority.issueCertificate({
      role,
      member: name(member),
      publicKeyDer,
      untrustedNowMs: clock.untrustedNowMs(),
    });

  const own = generateSigningKey();
  const { certificateChain } = issue("reducer", "reducer", own.publicKeyDer);
  const attached: string[] = [];
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    identity: { privateKey: own.privateKey, certificateChain },
    trust: { federationId, caCertificate: authority.caCertificate },
    admitsJoining: true,
    handlers: {
      "Provisioning.Join": {
        callers: ["joining"],
        handle: async (_, peer) => {
          const issued = issue("combiner", "combiner-1", peer.publicKeyDer);
          return {
            certificateChain: [...issued.certificateChain],
            expiresAtMs: issued.notAfterMs,
          };
        },
      },
      "Coordination.Attach": {
        callers: ["combiner"],
        handle: async (stream) => {
          for (;;) {
            const message = await stream.read();
            if (message === undefined) return;
            if (message.kind !== "hello") continue;
            attached.push(message.hello.address ?? "");
            await stream.write({ kind: "attached", attached: { version: 1, combiner: "c" } });
          }
        },
      },
    },
    clock,
    log: silentLog,
  });

  return {
    attached,
    enrol: async (member) => {
      const home = path.join(directory, member);
      const memberKey = generateSigningKey();
      await writeMemberKey(home, memberKey);
      const { caCertificate } = authority;
      const reducerAddress = formatAddress(listener);
      const statement = {
        federationId,
        member: name(member),
        role: "combiner",
        organization: name("org"),
        spkiDigest: memberKey.spkiDigest,
        expiryEpoch: 1,
      } as const;
      await writeMembership(home, {
        descriptor: writeDescriptor({ caCertificate, manifestBytes: manifest, reducerAddress }),
        statement: createStatement(statement, organization),
      });
      return home;
    },
    stopListening: () => listener.close(0),
    close: async () => {
      await listener.close(0);
      await rm(directory, { recursive: true });
    },
  };
}
