/** A reducer on loopback in a temporary home, and members enrolled with it. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "../../../lib/base/clock.ts";
import type { Digest, Name } from "../../../lib/base/ids.ts";
import { generateSigningKey, type SigningKey } from "../../../lib/base/keys.ts";
import { silentLog } from "../../../lib/base/log.ts";
import { systemRandomness } from "../../../lib/base/randomness.ts";
import type { RunningRole } from "../../../lib/base/role-process.ts";
import { parseDescriptor } from "../../../lib/federation/descriptor.ts";
import type { Manifest } from "../../../lib/federation/manifest/manifest.ts";
import { onPremManifest } from "../../../lib/federation/manifest/on-prem-manifest.ts";
import { writeManifest } from "../../../lib/federation/manifest/parse-manifest.ts";
import { authorityKeyPem, generateAuthorityKey } from "../../../lib/provisioning/authority.ts";
import { createStatement, type EnrollableRole } from "../../../lib/provisioning/statement.ts";
import {
  type MemberHome,
  readMemberHome,
  writeMemberKey,
  writeMembership,
} from "../../../lib/transport/member-home.ts";
import { joinFederation, type Membership } from "../../../lib/transport/membership.ts";
import { startReducer } from "../reducer.ts";

export const name = (text: string): Name => text as Name;

const ports = { clock: systemClock(), log: silentLog, randomness: systemRandomness };

export class TestFederation {
  readonly keys = {
    admin: generateSigningKey(),
    "hospital-a": generateSigningKey(),
    "hospital-b": generateSigningKey(),
    stranger: generateSigningKey(),
  };
  readonly reducerKey = generateAuthorityKey();
  readonly directory: string;
  role: RunningRole | undefined;
  readonly #open: Membership[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** A home as `fedclave init` makes it, whose reducer has not run yet. */
  static async prepare(): Promise<TestFederation> {
    const federation = new TestFederation(await mkdtemp(path.join(tmpdir(), "fedclave-reducer-")));
    await federation.writeManifest(1);
    await federation.writeReducerKey();
    return federation;
  }

  static async found(): Promise<TestFederation> {
    const federation = await TestFederation.prepare();
    await federation.start();
    return federation;
  }

  /** @param change  of the manifest that founding would want */
  async writeManifest(epoch: number, change: Partial<Manifest> = {}): Promise<void> {
    const organization = (text: "hospital-a" | "hospital-b") => ({
      name: name(text),
      publicKeyDer: this.keys[text].publicKeyDer,
      mayEnrol: ["client", "combiner"] as const,
    });
    const genesis = onPremManifest({
      name: name("test"),
      environment: "development",
      reducerKeyDer: this.reducerKey.publicKeyDer,
      admins: [{ name: name("root"), publicKeyDer: this.keys.admin.publicKeyDer }],
      organizations: [organization("hospital-a"), organization("hospital-b")],
      weightCap: 1,
    });
    const previousDigest = epoch === 1 ? null : ("ab".repeat(32) as Digest);
    const manifest = writeManifest({ ...genesis, epoch, previousDigest, ...change });
    await writeFile(path.join(this.directory, "manifest.json"), manifest);
  }

  async writeReducerKey(key = this.reducerKey, mode = 0o600): Promise<void> {
    const file = path.join(this.directory, "reducer.key.pem");
    await writeFile(file, authorityKeyPem(key).reveal(), { mode });
  }

  async start(): Promise<void> {
    const config = {
      home: this.directory,
      host: "127.0.0.1",
      port: 0,
      advertise: undefined,
      logLevel: "silent",
      untilStdinCloses: false,
    } as const;
    this.role = await startReducer(config, ports);
  }

  async stop(): Promise<void> {
    await this.role?.stop();
    this.role = undefined;
  }

  descriptorBytes(): Promise<Uint8Array> {
    return readFile(path.join(this.directory, "federation.json"));
  }

  async enrol(
    role: EnrollableRole,
    member: string,
    given: {
      readonly organization?: string;
      readonly signer?: SigningKey;
      readonly key?: SigningKey;
    } = {},
  ): Promise<MemberHome> {
    const organization = given.organization ?? (role === "admin" ? "root" : "hospital-a");
    const signer = given.signer ?? (role === "admin" ? this.keys.admin : this.keys["hospital-a"]);
    const key = given.key ?? generateSigningKey();
    const descriptor = await this.descriptorBytes();
    const { federationId } = parseDescriptor(descriptor);
    const directory = await mkdtemp(path.join(this.directory, `${member}-`));
    await writeMemberKey(directory, key);
    const statement = createStatement(
      {
        federationId,
        member: name(member),
        role,
        organization: name(organization),
        spkiDigest: key.spkiDigest,
        expiryEpoch: 1,
      },
      signer,
    );
    await writeMembership(directory, { descriptor, statement });
    return readMemberHome(directory, role);
  }

  async join(home: MemberHome): Promise<Membership> {
    const membership = await joinFederation({ home, ...ports, maxAttempts: 2 });
    this.#open.push(membership);
    return membership;
  }

  async remove(): Promise<void> {
    for (const membership of this.#open) membership.close();
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}
