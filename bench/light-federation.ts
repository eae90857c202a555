/** Reducer and combiners as real processes, with light clients in this one: what is measured is coordination alone. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type RoleProcess, startRole } from "../cli/demo/role-process.ts";
import { enrolAtHome } from "../cli/enrol-member.ts";
import { type FederationFiles, initFederation } from "../cli/init-federation.ts";
import { systemClock } from "../lib/base/clock.ts";
import type { Name } from "../lib/base/ids.ts";
import { silentLog } from "../lib/base/log.ts";
import { systemRandomness } from "../lib/base/randomness.ts";
import type { EnrollableRole } from "../lib/provisioning/statement.ts";
import { readMemberHome } from "../lib/transport/member-home.ts";
import { joinFederation, type Membership } from "../lib/transport/membership.ts";

const clock = systemClock();
const ORGANIZATION = "bench" as Name;

export type LightFederation = {
  readonly join: (role: EnrollableRole, member: string) => Promise<Membership>;
  readonly processes: readonly RoleProcess[];
  readonly close: () => Promise<void>;
};

/** @param bundleDirectory  where dist/<role>.cjs are */
export async function startLightFederation(given: {
  readonly combiners: number;
  readonly bundleDirectory: string;
}): Promise<LightFederation> {
  const { bundleDirectory } = given;
  const directory = await mkdtemp(path.join(tmpdir(), "fedclave-bench-"));
  const files = await initFederation(path.join(directory, "federation"), {
    name: ORGANIZATION,
    organizations: [ORGANIZATION],
    environment: "development",
  });
  const processes: RoleProcess[] = [];
  const open: Membership[] = [];

  async function launch(role: "reducer" | "combiner", name: string, home: string): Promise<void> {
    const started = startRole({
      name,
      role,
      bundleDirectory,
      args: (address) => [
        "--home",
        home,
        "--listen",
        address ?? "127.0.0.1:0",
        "--log-level",
        "warn",
      ],
      logFile: path.join(directory, `${name}.log`),
      clock,
    });
    processes.push(started);
    await Promise.race([started.ready(), started.failed]);
  }

  async function enrol(role: EnrollableRole, member: string): Promise<string> {
    const home = path.join(directory, "homes", `${role}-${member}`);
    const issuerKeyFile = issuerKey(files, role);
    await enrolAtHome(home, files.descriptor, { role, member: member as Name, issuerKeyFile });
    return home;
  }

  await launch("reducer", "reducer", files.reducerHome);
  for (let i = 1; i <= given.combiners; i += 1) {
    await launch("combiner", `combiner-${i}`, await enrol("combiner", `combiner-${i}`));
  }
  return {
    processes,
    join: async (role, member) => {
      const home = await readMemberHome(await enrol(role, member), role);
      const ports = { clock, log: silentLog, randomness: systemRandomness };
      const membership = await joinFederation({ home, ...ports, maxAttempts: 5 });
      open.push(membership);
      return membership;
    },
    close: async () => {
      for (const membership of open) membership.close();
      await Promise.all(processes.map((each) => each.stop()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const issuerKey = (files: FederationFiles, role: EnrollableRole): string =>
  role === "admin" ? files.adminKey : (files.organizationKeys[0]?.file ?? "");
