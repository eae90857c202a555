/** A member's directory: its key, its organization's statement, and the federation it belongs to. */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Name, parseName } from "../base/ids.ts";
import { parsePrivateKeyPem, privateKeyPem, type SigningKey } from "../base/keys.ts";
import { CodedError } from "../base/refusal.ts";
import { Secret } from "../base/secret.ts";
import { type FederationDescriptor, parseDescriptor } from "../federation/descriptor.ts";
import {
  ENROLLABLE_ROLES,
  type EnrollableRole,
  parseStatement,
} from "../provisioning/statement.ts";

export type MemberHome = {
  readonly directory: string;
  readonly descriptor: FederationDescriptor;
  readonly key: SigningKey;
  /** Bytes of the statement file. */
  readonly statement: Uint8Array;
  /** As the statement claims; the reducer decides. */
  readonly member: Name;
  readonly role: EnrollableRole;
  readonly organization: Name;
};

/** A file of the home is absent, unreadable or does not fit the others. The message says which and what to do. */
export class MemberHomeError extends CodedError<
  | "missing-file"
  | "unreadable-file"
  | "key-exposed"
  | "wrong-key"
  | "wrong-federation"
  | "wrong-role"
> {}

/** PKCS#8 PEM, mode 600. */
export const MEMBER_KEY_FILE = "member.key.pem";
/** The organization's signed statement. */
export const STATEMENT_FILE = "statement.json";
const DESCRIPTOR_FILE = "federation.json";

const GROUP_OR_OTHERS = 0o077;

/**
 * Reads a home and checks that its files belong together.
 * @param role  the role the process is about to play
 * @throws MemberHomeError
 */
export async function readMemberHome(directory: string, role: EnrollableRole): Promise<MemberHome> {
  const key = await readMemberKey(directory);
  const descriptor = await readPart(directory, DESCRIPTOR_FILE, parseDescriptor);
  const statement = await readPart(directory, STATEMENT_FILE, (bytes) => bytes);
  const { statement: claims } = await readPart(directory, STATEMENT_FILE, parseStatement);
  const member = parseName(claims.member);
  const organization = parseName(claims.organization);
  const claimed = ENROLLABLE_ROLES.find((each) => each === claims.role);
  if (claimed !== role || member === undefined || organization === undefined) {
    throw new MemberHomeError(
      "wrong-role",
      `${directory} is enrolled as ${claims.role}, not as ${role}; name another home, ` +
        "or enrol one with `fedclave member enrol`",
    );
  }
  if (claims.federationId !== descriptor.federationId) {
    throw new MemberHomeError(
      "wrong-federation",
      `the statement in ${directory} is for federation ${claims.federationId}, but ${DESCRIPTOR_FILE} is of ` +
        `${descriptor.federationId}; enrol the member again for that federation`,
    );
  }
  if (claims.spkiDigest !== key.spkiDigest) {
    throw new MemberHomeError(
      "wrong-key",
      `the statement in ${directory} is for another key than ${MEMBER_KEY_FILE}; enrol the member again`,
    );
  }
  return { directory, descriptor, key, statement, member, role, organization };
}

/** The key of a home alone: it exists before the statement does. @throws MemberHomeError */
export async function readMemberKey(directory: string): Promise<SigningKey> {
  const file = path.join(directory, MEMBER_KEY_FILE);
  const key = await readPart(directory, MEMBER_KEY_FILE, (bytes) =>
    parsePrivateKeyPem(new Secret(Buffer.from(bytes).toString("utf8"))),
  );
  const { mode } = await stat(file);
  if ((mode & GROUP_OR_OTHERS) !== 0) {
    throw new MemberHomeError(
      "key-exposed",
      `${file} is readable by others; run: chmod 600 ${file}`,
    );
  }
  return key;
}

/** Writes a new key, readable by its owner only; an existing one is never replaced. */
export async function writeMemberKey(directory: string, key: SigningKey): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const pem = privateKeyPem(key.privateKey).reveal();
  await writeFile(path.join(directory, MEMBER_KEY_FILE), pem, { mode: 0o600, flag: "wx" });
}

/** Writes what the organization hands to the member beside its key. */
export async function writeMembership(
  directory: string,
  given: { readonly descriptor: Uint8Array; readonly statement: Uint8Array },
): Promise<void> {
  await writeFile(path.join(directory, DESCRIPTOR_FILE), given.descriptor);
  await writeFile(path.join(directory, STATEMENT_FILE), given.statement);
}

async function readPart<T>(
  directory: string,
  name: string,
  parse: (bytes: Uint8Array) => T,
): Promise<T> {
  const file = path.join(directory, name);
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await readFile(file));
  } catch (cause) {
    throw new MemberHomeError(
      "missing-file",
      `${file} cannot be read; a home is made with \`fedclave member enrol --home ${directory}\``,
      { cause },
    );
  }
  try {
    return parse(bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "it is damaged";
    throw new MemberHomeError("unreadable-file", `${file} cannot be used: ${why}`, { cause });
  }
}
