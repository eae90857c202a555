/** Making members: a key on the member's machine, and a statement about it by the organization or an admin. */
import { access, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Name, parseName } from "../lib/base/ids.ts";
import {
  generateSigningKey,
  parsePrivateKeyPem,
  parsePublicKeyPem,
  publicKeyPem,
  type SigningKey,
  spkiDigest,
} from "../lib/base/keys.ts";
import { describeRefusals } from "../lib/base/refusal.ts";
import { Secret } from "../lib/base/secret.ts";
import { type FederationDescriptor, parseDescriptor } from "../lib/federation/descriptor.ts";
import { statementIssuers } from "../lib/federation/manifest/statement-issuers.ts";
import { appraiseJoin } from "../lib/provisioning/join.ts";
import { createStatement, type EnrollableRole } from "../lib/provisioning/statement.ts";
import {
  MEMBER_KEY_FILE,
  readMemberKey,
  STATEMENT_FILE,
  writeMemberKey,
  writeMembership,
} from "../lib/transport/member-home.ts";
import { CliError } from "./cli-error.ts";

/** Statements count for this many manifest changes unless something else is asked for. */
const DEFAULT_EPOCHS = 10;
const PUBLIC_KEY_FILE = "member.pub.pem";

export type Enrolment = {
  readonly role: EnrollableRole;
  readonly member: Name;
  /** The organization's key or, for the role admin, an admin's; the manifest says whose it is. */
  readonly issuerKeyFile: string;
  /** If given, the key must be this one's. */
  readonly issuerName?: Name;
  /** Manifest epochs for which the statement counts, this one included. */
  readonly epochs?: number;
};

/** Makes a member's key in its home. @returns the file with the public part, to hand to the organization */
export async function makeMemberKey(home: string): Promise<{ publicKeyFile: string }> {
  const existing = path.join(home, MEMBER_KEY_FILE);
  if (await exists(existing)) {
    throw new CliError("already-exists", `${existing} exists and is kept; name another --home`);
  }
  const key = generateSigningKey();
  await writeMemberKey(home, key);
  const publicKeyFile = path.join(home, PUBLIC_KEY_FILE);
  await writeFile(publicKeyFile, publicKeyPem(key.publicKeyDer));
  return { publicKeyFile };
}

/**
 * Enrols a member whose home is on this machine: makes its key if there is none, signs the statement, and writes it
 * beside the descriptor.
 * @throws CliError "already-exists" when the home is enrolled already | "refused" when the reducer would not admit it
 */
export async function enrolAtHome(
  home: string,
  descriptorFile: string,
  enrolment: Enrolment,
): Promise<void> {
  const statementFile = path.join(home, STATEMENT_FILE);
  if (await exists(statementFile)) {
    throw new CliError(
      "already-exists",
      `${statementFile} exists: this home is enrolled. Name another --home, or remove the file to enrol it anew`,
    );
  }
  const descriptor = await readFileOr(descriptorFile, descriptorHint);
  const issuerKey = await readKeyFile(enrolment.issuerKeyFile);
  const hasKey = await exists(path.join(home, MEMBER_KEY_FILE));
  const key = hasKey ? await readMemberKey(home) : generateSigningKey();
  const statement = signStatement(
    readDescriptor(descriptor, descriptorFile),
    issuerKey,
    key.publicKeyDer,
    enrolment,
  );
  if (!hasKey) await writeMemberKey(home, key);
  await writeMembership(home, { descriptor, statement });
}

/**
 * Signs a statement for a key that was made on another machine.
 * @param publicKeyFile  PEM, as `member key` wrote it
 * @returns bytes of the member's `statement.json`
 */
export async function enrolPublicKey(
  publicKeyFile: string,
  descriptorFile: string,
  enrolment: Enrolment,
): Promise<Uint8Array> {
  const descriptor = await readFileOr(descriptorFile, descriptorHint);
  const pem = Buffer.from(await readFileOr(publicKeyFile, publicKeyHint)).toString("utf8");
  const issuerKey = await readKeyFile(enrolment.issuerKeyFile);
  return signStatement(
    readDescriptor(descriptor, descriptorFile),
    issuerKey,
    within(publicKeyFile, () => parsePublicKeyPem(pem)),
    enrolment,
  );
}

function signStatement(
  descriptor: FederationDescriptor,
  issuerKey: SigningKey,
  publicKeyDer: Uint8Array,
  { role, member, issuerName, issuerKeyFile, epochs = DEFAULT_EPOCHS }: Enrolment,
): Uint8Array {
  const { manifest, federationId } = descriptor;
  const issuers = statementIssuers(manifest);
  const issuer = issuers.find((each) => spkiDigest(each.publicKeyDer) === issuerKey.spkiDigest);
  if (issuer === undefined || (issuerName !== undefined && issuer.name !== issuerName)) {
    const known = issuers.map((each) => each.name).join(", ");
    const seen = issuer === undefined ? "nobody's" : `that of ${issuer.name}`;
    throw new CliError(
      "not-found",
      `${issuerKeyFile} is ${seen} in the manifest of ${manifest.name}, whose keys are those of ${known}; ` +
        `name the key file of ${issuerName ?? "one of them"}`,
    );
  }
  const statement = createStatement(
    {
      federationId,
      member,
      role,
      organization: issuer.name,
      spkiDigest: spkiDigest(publicKeyDer),
      expiryEpoch: manifest.epoch + epochs - 1,
    },
    issuerKey,
  );
  const rules = { federationId, epoch: manifest.epoch, issuers };
  const appraisal = appraiseJoin(statement, publicKeyDer, rules);
  if (appraisal.kind === "refused") {
    throw new CliError(
      "refused",
      `the reducer would not admit ${member}: ${describeRefusals(appraisal.refusals)}`,
    );
  }
  return statement;
}

const descriptorHint =
  "it is written by the reducer when it first starts (REDUCER_HOME/federation.json); copy it from there";
const publicKeyHint = "it is written by `fedclave member key --home DIR` on the member's machine";

const readDescriptor = (bytes: Uint8Array, file: string): FederationDescriptor =>
  within(file, () => parseDescriptor(bytes));

/** A private key that a person named. @throws CliError "unreadable-file" */
export async function readKeyFile(file: string): Promise<SigningKey> {
  const hint = "`fedclave init` wrote one per organization, and admin.key.pem";
  const bytes = await readFileOr(file, hint);
  return within(file, () => parsePrivateKeyPem(new Secret(Buffer.from(bytes).toString("utf8"))));
}

/** The bytes of a file that a person named. @throws CliError "unreadable-file" with what the file should be */
export async function readFileOr(file: string, hint: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (cause) {
    throw new CliError("unreadable-file", `${file} cannot be read; ${hint}`, { cause });
  }
}

/** Names the file in what goes wrong with its content. @throws CliError "unreadable-file" */
export function within<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    const why = cause instanceof Error ? cause.message : "it is damaged";
    throw new CliError("unreadable-file", `${file} cannot be used: ${why}`, { cause });
  }
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** A name as commands take it. @throws CliError "usage" */
export function nameArgument(text: string, what: string): Name {
  const name = parseName(text);
  if (name === undefined) {
    throw new CliError("usage", `${what} "${text}" is not 1 to 63 of a-z, 0-9 and -`);
  }
  return name;
}
