import path from "node:path";
import type { Command } from "commander";
import { parseListenAddress, UsageError } from "../../lib/base/role-process.ts";
import { ENVIRONMENTS, type Environment } from "../../lib/federation/manifest/manifest.ts";
import { usageError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { nameArgument } from "../enrol-member.ts";
import { ADMIN_KEY_NAME, type FederationFiles, initFederation } from "../init-federation.ts";
import { writeJson, writeLine } from "../output.ts";
import { choice } from "./options.ts";

type Options = {
  readonly name: string;
  readonly organization?: readonly string[];
  readonly reducer: string;
  readonly environment: Environment;
  readonly json?: true;
};

const DEFAULT_REDUCER = "127.0.0.1:7443";

export function addInitCommand(program: Command, context: CommandContext): void {
  program
    .command("init")
    .summary("make the files of a new federation")
    .description(
      "Makes the files of a new federation: its manifest, and the keys of the admin and of each organization. " +
        "Nothing that exists is replaced.",
    )
    .argument("<dir>", "a new directory")
    .option("--name <name>", "name of the federation", "federation")
    .option(
      "--organization <name...>",
      "organizations that may enrol clients and combiners (default: organization)",
    )
    .option(
      "--reducer <host:port>",
      "address at which members will reach the reducer",
      DEFAULT_REDUCER,
    )
    .option(
      "--environment <kind>",
      `${ENVIRONMENTS.join(" or ")}; only development may ever accept simulated enclaves`,
      choice(ENVIRONMENTS),
      "production" satisfies Environment,
    )
    .option("--json", "one line of JSON")
    .action(async (directory: string, options: Options) => {
      const organizations = (options.organization ?? ["organization"]).map((each) =>
        nameArgument(each, "--organization"),
      );
      if (new Set([...organizations, ADMIN_KEY_NAME]).size !== organizations.length + 1) {
        throw usageError(`--organization: names must differ, and from "${ADMIN_KEY_NAME}"`);
      }
      checkAddress(options.reducer);
      const name = nameArgument(options.name, "--name");
      const { environment } = options;
      const files = await initFederation(directory, { name, organizations, environment });
      if (options.json === true) writeJson(context.stdout, { name, ...files });
      else for (const line of nextSteps(files, options.reducer)) writeLine(context.stdout, line);
    });
}

function checkAddress(address: string): void {
  try {
    parseListenAddress(address);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw usageError(`--reducer ${address} is not HOST:PORT`);
  }
}

function nextSteps(files: FederationFiles, reducer: string): string[] {
  const q = quoted;
  const [first] = files.organizationKeys;
  if (first === undefined) return [];
  const enrol = `fedclave member enrol --federation ${q(files.descriptor)}`;
  const member = (role: string, name: string): string =>
    `${enrol} --role ${role} --name ${name} \\\n    --organization-key ${q(first.file)} ` +
    `--home ${q(path.join(files.directory, name))}`;
  return [
    `Made ${files.manifest}, the agreement of all parties, and these keys (keep them; nobody can make them again):`,
    `  ${files.adminKey}`,
    ...files.organizationKeys.map(({ file }) => `  ${file}`),
    `The reducer's own key, ${files.reducerKey}, is pinned in the manifest; it is sealed at the first start.`,
    "",
    "Next, each in its own terminal:",
    "",
    `  fedclave reducer --home ${q(files.reducerHome)} --listen ${reducer}`,
    "",
    "It writes federation.json, which the members need:",
    "",
    `  ${enrol} --role admin --name admin \\\n    --admin-key ${q(files.adminKey)} --home ${q(files.adminHome)}`,
    `  ${member("combiner", "combiner-1")}`,
    `  ${member("client", "client-1")}`,
    "",
    `  fedclave combiner --home ${q(path.join(files.directory, "combiner-1"))} --listen 127.0.0.1:7444`,
    `  fedclave client --home ${q(path.join(files.directory, "client-1"))} --data FILE`,
    "",
    "(Without data of your own, `fedclave demo files DIR` writes a package and MNIST.)",
    "",
    "Then upload a package, import a seed model, start a session:",
    "",
    `  export FEDCLAVE_HOME=${q(files.adminHome)}`,
    "  fedclave package upload FILE && fedclave model import FILE --name seed",
    "  fedclave session start --min-clients 1 --rounds 10 --watch",
  ];
}

/** As a shell takes it back. */
const quoted = (text: string): string =>
  /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
