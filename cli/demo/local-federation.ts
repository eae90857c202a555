/** A federation on this machine: homes under one directory, a process per role, all on loopback. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../../lib/base/clock.ts";
import type { Name } from "../../lib/base/ids.ts";
import { assertInvariant } from "../../lib/base/refusal.ts";
import { enrolAtHome, nameArgument } from "../enrol-member.ts";
import { type FederationFiles, initFederation } from "../init-federation.ts";
import { type RoleName, type RoleProcess, startRole } from "./role-process.ts";

export type LocalFederationOptions = {
  readonly directory: string;
  readonly bundleDirectory: string;
  readonly combiners: number;
  /** One data file per client. */
  readonly data: readonly string[];
  readonly clientsPerProcess: number;
  /** For every process of clients, besides homes and data, by the number of its first client. */
  readonly clientArgs?: (number: number) => readonly string[];
  readonly clock: Clock;
  /** No process is started once it is aborted. */
  readonly signal: AbortSignal;
  /** Called as soon as a process exists, so that it can be ended whatever happens next. */
  readonly onStart: (role: RoleProcess) => void;
  readonly onLog?: (role: RoleProcess, line: string) => void;
};

const ORGANIZATION = "demo" as Name;
const ANY_PORT = "127.0.0.1:0";

/**
 * Founds the federation, enrols everyone and starts all processes; resolves when all are ready.
 * @returns the files, the admin's home among them
 */
export async function startLocalFederation(
  options: LocalFederationOptions,
): Promise<FederationFiles> {
  const files = await initFederation(path.join(options.directory, "federation"), {
    name: "demo" as Name,
    organizations: [ORGANIZATION],
    environment: "development",
  });
  await mkdir(path.join(options.directory, "logs"));
  const reducer = start("reducer", "reducer", (address) => [
    "--home",
    files.reducerHome,
    "--listen",
    address ?? ANY_PORT,
  ]);
  // It writes federation.json before it is ready.
  await orFailure(reducer, reducer.ready());
  await enrol("admin", "admin", files.adminHome);
  const combiners = await Promise.all(numbered(options.combiners, "combiner").map(startCombiner));
  const clients = await Promise.all(
    groupsOf(options.clientsPerProcess, options.data).map(startClients),
  );
  await Promise.all([...combiners, ...clients].map((role) => orFailure(role, role.ready())));
  return files;

  async function startCombiner(name: string): Promise<RoleProcess> {
    const home = path.join(files.directory, name);
    await enrol("combiner", name, home);
    return start("combiner", name, (address) => ["--home", home, "--listen", address ?? ANY_PORT]);
  }

  async function startClients(group: readonly NumberedFile[]): Promise<RoleProcess> {
    const args: string[] = [];
    for (const { number, file } of group) {
      const home = path.join(files.directory, `client-${number}`);
      await enrol("client", `client-${number}`, home);
      args.push("--home", home, "--data", file);
    }
    const numbers = group.map((each) => each.number);
    const [first] = numbers;
    const last = numbers.at(-1);
    return start(
      "client",
      first === last ? `client-${first}` : `client-${first}-to-${last}`,
      () => [...args, ...(options.clientArgs?.(first ?? 1) ?? [])],
    );
  }

  async function enrol(role: "admin" | "combiner" | "client", name: string, home: string) {
    const [organizationKey] = files.organizationKeys;
    assertInvariant(organizationKey !== undefined, "the demo has one organization");
    await enrolAtHome(home, files.descriptor, {
      role,
      member: nameArgument(name, "name"),
      issuerKeyFile: role === "admin" ? files.adminKey : organizationKey.file,
    });
  }

  function start(
    role: RoleName,
    name: string,
    args: (address: string | undefined) => readonly string[],
  ): RoleProcess {
    const { bundleDirectory, clock, directory, signal } = options;
    signal.throwIfAborted();
    const process: RoleProcess = startRole({
      name,
      role,
      bundleDirectory,
      args,
      clock,
      logFile: path.join(directory, "logs", `${name}.log`),
      onLog: (line) => options.onLog?.(process, line),
    });
    options.onStart(process);
    return process;
  }
}

/** The work, or the failure of the role it depends on, which explains more than what the work would say. */
const orFailure = <T>(role: RoleProcess, work: Promise<T>): Promise<T> =>
  Promise.race([
    work.catch((error: unknown) => Promise.race([role.failed, Promise.reject(error)])),
    role.failed,
  ]);

type NumberedFile = { readonly number: number; readonly file: string };

const numbered = (count: number, name: string): string[] =>
  Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);

function groupsOf(size: number, files: readonly string[]): NumberedFile[][] {
  const all = files.map((file, index) => ({ number: index + 1, file }));
  return Array.from({ length: Math.ceil(all.length / size) }, (_, group) =>
    all.slice(group * size, (group + 1) * size),
  );
}
