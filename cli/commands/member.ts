import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { ROLES } from "../../lib/base/ids.ts";
import { ENROLLABLE_ROLES, type EnrollableRole } from "../../lib/provisioning/statement.ts";
import type { Connection } from "../../lib/transport/connect.ts";
import { fedclave } from "../../proto/generated/fedclave.js";
import { withReducer } from "../admin-connection.ts";
import { CliError, usageError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import {
  type Enrolment,
  enrolAtHome,
  enrolPublicKey,
  makeMemberKey,
  nameArgument,
} from "../enrol-member.ts";
import { everyPage } from "../every-page.ts";
import { writeJson, writeLine } from "../output.ts";
import { renderFields, renderTable } from "../rendering/table.ts";
import { formatInstant, shortHash } from "../rendering/units.ts";
import { type MemberView, memberView } from "../views.ts";
import { addReducerOptions, choice, integer, type SharedOptions } from "./options.ts";

type EnrolOptions = {
  readonly federation: string;
  readonly role: EnrollableRole;
  readonly name: string;
  readonly organization?: string;
  readonly organizationKey?: string;
  readonly adminKey?: string;
  readonly home?: string;
  readonly memberPublicKey?: string;
  readonly out?: string;
  readonly epochs?: number;
  readonly json?: true;
};

export function addMemberCommands(program: Command, context: CommandContext): void {
  const member = program
    .command("member")
    .summary("enrol members and see who has joined")
    .description("Enrol members and see who has joined.");
  addEnrolCommand(member, context);
  member
    .command("key")
    .summary("make a member's key on the member's own machine")
    .requiredOption("--home <dir>", "the member's new home, on this machine")
    .option("--json", "one line of JSON")
    .action(async (options: { home: string; json?: true }) => {
      const { publicKeyFile } = await makeMemberKey(options.home);
      if (options.json === true) return writeJson(context.stdout, { publicKeyFile });
      writeLine(
        context.stdout,
        `Made a key in ${options.home}. Hand ${publicKeyFile} to your organization, which runs:`,
      );
      writeLine(
        context.stdout,
        "  fedclave member enrol --federation federation.json --role client --name NAME \\\n" +
          "    --organization-key FILE --member-public-key member.pub.pem --out statement.json",
      );
      writeLine(
        context.stdout,
        `Then put statement.json and federation.json, which it gives you, into ${options.home}.`,
      );
    });
  addListCommands(member, context);
}

function addEnrolCommand(member: Command, context: CommandContext): void {
  member
    .command("enrol")
    .summary("sign a member in")
    .description(
      "Signs a statement that a key is a member's. With --home the key is made there; with --member-public-key it " +
        "was made elsewhere, and only the statement is written.",
    )
    .requiredOption("--federation <file>", "federation.json, which the reducer wrote")
    .requiredOption("--role <role>", ENROLLABLE_ROLES.join(", "), choice(ENROLLABLE_ROLES))
    .requiredOption("--name <name>", "the member's name")
    .option("--organization <name>", "checked against the key")
    .option("--organization-key <file>", "signs clients and combiners")
    .option("--admin-key <file>", "signs admins")
    .option("--home <dir>", "the member's home on this machine")
    .option("--member-public-key <file>", "what `fedclave member key` wrote")
    .option("--out <file>", "where the statement goes, with --member-public-key")
    .option("--epochs <count>", "manifest changes the statement outlives (default: 10)", integer(1))
    .option("--json", "one line of JSON")
    .action(async (options: EnrolOptions) => {
      const enrolment = enrolmentOf(options);
      const { federation, home, memberPublicKey, out } = options;
      if (home !== undefined && memberPublicKey === undefined && out === undefined) {
        await enrolAtHome(home, federation, enrolment);
        return say(context, options, home, `Enrolled ${options.role} ${options.name}: ${home}`);
      }
      if (home !== undefined || memberPublicKey === undefined || out === undefined) {
        throw usageError("give either --home, or --member-public-key with --out");
      }
      const statement = await enrolPublicKey(memberPublicKey, federation, enrolment);
      await writeNewFile(out, statement);
      say(
        context,
        options,
        out,
        `Enrolled ${options.role} ${options.name}: hand ${out} and ${federation} to the member, who puts them ` +
          "into its home as statement.json and federation.json",
      );
    });
}

function enrolmentOf(options: EnrolOptions): Enrolment {
  const [wanted, other] =
    options.role === "admin"
      ? (["adminKey", "organizationKey"] as const)
      : (["organizationKey", "adminKey"] as const);
  const issuerKeyFile = options[wanted];
  if (issuerKeyFile === undefined || options[other] !== undefined) {
    const flag = wanted === "adminKey" ? "--admin-key" : "--organization-key";
    throw usageError(
      `a member of role ${options.role} is signed with ${flag} FILE, and that alone`,
    );
  }
  return {
    role: options.role,
    member: nameArgument(options.name, "--name"),
    issuerKeyFile,
    ...(options.organization === undefined
      ? {}
      : { issuerName: nameArgument(options.organization, "--organization") }),
    ...(options.epochs === undefined ? {} : { epochs: options.epochs }),
  };
}

/**
 * Writes a file that a person named; one that is there is kept.
 * @param flag  how it was named
 * @throws CliError "already-exists" | "unwritable-file"
 */
export async function writeNewFile(
  file: string,
  bytes: Uint8Array,
  flag: "--out" | "--csv" | "file" = "--out",
): Promise<void> {
  await writeFile(file, bytes, { flag: "wx" }).catch((cause: unknown) => {
    if ((cause as { code?: unknown }).code === "EEXIST") {
      throw new CliError("already-exists", `${file} exists and is kept; name another ${flag}`, {
        cause,
      });
    }
    const why = cause instanceof Error ? cause.message : "no reason given";
    throw new CliError("unwritable-file", `${file} cannot be written (${why})`, { cause });
  });
}

function say(context: CommandContext, options: EnrolOptions, written: string, text: string): void {
  const { role, name } = options;
  if (options.json === true) writeJson(context.stdout, { role, member: name, written });
  else writeLine(context.stdout, text);
}

function addListCommands(member: Command, context: CommandContext): void {
  addReducerOptions(member.command("list").summary("everyone who has joined")).action(
    async (options: SharedOptions) => {
      const members = await withReducer(
        context,
        options,
        async (reducer) => await allMembers(reducer),
      );
      if (options.json === true) return writeJson(context.stdout, { members });
      for (const line of memberTable(members)) writeLine(context.stdout, line);
    },
  );
  addReducerOptions(member.command("show").summary("one member"))
    .argument("<name>")
    .option("--role <role>", "if one name has several roles", choice(ROLES))
    .action(async (name: string, options: SharedOptions & { role?: string }) => {
      const found = await withReducer(context, options, async (reducer) => {
        if (options.role !== undefined) {
          const role = WIRE_ROLES[options.role] ?? fedclave.v1.Role.ROLE_UNSPECIFIED;
          return [memberView(await reducer.unary("Members.Show", { member: name, role }))];
        }
        const members = await allMembers(reducer);
        return members.filter((each) => each.member === name);
      });
      if (found.length === 0) {
        throw new CliError("not-found", `no member ${name} has joined; see: fedclave member list`);
      }
      if (options.json === true) return writeJson(context.stdout, { members: found });
      for (const line of found.flatMap(memberFields)) writeLine(context.stdout, line);
    });
}

const WIRE_ROLES: Readonly<Record<string, fedclave.v1.Role>> = {
  reducer: fedclave.v1.Role.ROLE_REDUCER,
  combiner: fedclave.v1.Role.ROLE_COMBINER,
  client: fedclave.v1.Role.ROLE_CLIENT,
  admin: fedclave.v1.Role.ROLE_ADMIN,
};

export const memberTable = (members: readonly MemberView[]): string[] =>
  renderTable(
    [
      { title: "member" },
      { title: "role" },
      { title: "organization" },
      { title: "connected" },
      { title: "at" },
      { title: "certificate until (UTC)" },
    ],
    members.map((each) => [
      each.member,
      each.role,
      each.organization,
      each.connected ? "yes" : "no",
      each.at ?? "",
      formatInstant(each.certificateExpiresAtMs),
    ]),
  );

const memberFields = (each: MemberView): string[] =>
  renderFields([
    ["member", each.member],
    ["role", each.role],
    ["organization", each.organization],
    ["key", shortHash(each.spkiDigest)],
    ["connected", each.connected ? `yes${each.at === undefined ? "" : `, at ${each.at}`}` : "no"],
    ["first joined", `${formatInstant(each.firstJoinedAtMs)} UTC`],
    ["certificate until", `${formatInstant(each.certificateExpiresAtMs)} UTC`],
  ]);

const allMembers = (reducer: Connection): Promise<MemberView[]> =>
  everyPage(async (page) => {
    const answer = await reducer.unary("Members.List", page);
    return { entries: answer.members.map(memberView), totalCount: answer.totalCount };
  });
