/** The members of one process, from their homes to their stop. One that fails does not stop the others. */
import path from "node:path";
import type { Clock } from "../../lib/base/clock.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import type { Randomness } from "../../lib/base/randomness.ts";
import type { RunningRole } from "../../lib/base/role-process.ts";
import { type MemberHome, readMemberHome } from "../../lib/transport/member-home.ts";
import { joinFederation, type Membership } from "../../lib/transport/membership.ts";
import { ClientError } from "./client-error.ts";
import type { CommandsConfig } from "./commands-config.ts";
import type { ClientConfig } from "./config.ts";
import { MemberClient } from "./member-client.ts";
import { openTaskInputs } from "./task-inputs.ts";
import { openTrainer, type Trainer } from "./trainer.ts";
import type { DataId } from "./trainer-messages.ts";

export type ClientPorts = {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  /** The bundled trainer, or the thread for commands where the configuration has them. */
  readonly trainerFile: string;
  /** Folder with the modules that packages of commands expect. */
  readonly commandModules: string;
  /** Gives up starting. */
  readonly signal: AbortSignal;
};

/** One member: ready when a combiner first welcomed it, failed when the reducer refused it for good. */
type RunningMember = {
  readonly member: string;
  readonly ready: Promise<void>;
  readonly failed: Promise<Error>;
  readonly stop: () => void;
};

/**
 * Returns when each member was welcomed by a combiner, or refused for good.
 * @throws MemberHomeError if a home cannot be used
 * @throws ClientError "homes-clash" | "data-unreadable" | "sandbox-unavailable" | "all-refused"
 * @throws the signal's reason
 */
export async function startClients(
  config: Pick<ClientConfig, "members" | "commands">,
  ports: ClientPorts,
): Promise<RunningRole> {
  const { signal, clock, log, trainerFile } = ports;
  const homes = await readHomes(config);
  const trainer = openTrainer(trainerFile, clock, log, commandsOf(config, homes, ports));
  const members: RunningMember[] = [];
  const stop = async (): Promise<void> => {
    for (const each of members) each.stop();
    await trainer.close();
  };
  try {
    for (const { home, data } of homes) {
      members.push(startMember(home, await trainer.loadData(data), trainer, ports));
    }
    const failed = allFailed(members);
    // Settled before anybody listens to it, in the happy case of a stop.
    failed.catch(() => {});
    const welcomed = await Promise.race([welcomedMembers(members), failed, aborted(signal)]);
    return { ready: { members: welcomed }, stop, failed };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What the thread for commands is given; it works in the home of the first member. */
export type CommandsWorkerData = {
  readonly config: CommandsConfig;
  readonly directory: string;
  readonly modules: string;
};

function commandsOf(
  { commands }: Pick<ClientConfig, "commands">,
  [first]: readonly PreparedMember[],
  { commandModules }: ClientPorts,
): CommandsWorkerData | undefined {
  if (commands === undefined || first === undefined) return undefined;
  const directory = path.join(first.home.directory, "cache", "commands");
  return { config: commands, directory, modules: commandModules };
}

type PreparedMember = { readonly home: MemberHome; readonly data: string };

async function readHomes({ members }: Pick<ClientConfig, "members">): Promise<PreparedMember[]> {
  const prepared: PreparedMember[] = [];
  const seen = new Map<string, string>();
  for (const { home: directory, data } of members) {
    const home = await readMemberHome(directory, "client");
    const identity = `${home.descriptor.federationId}/${home.member}`;
    const other = seen.get(identity);
    if (other !== undefined) {
      const why = `${other} and ${directory} are homes of the same member, ${home.member}; name each once`;
      throw new ClientError("homes-clash", why);
    }
    seen.set(identity, directory);
    prepared.push({ home, data });
  }
  return prepared;
}

function startMember(
  home: MemberHome,
  data: DataId,
  trainer: Trainer,
  ports: ClientPorts,
): RunningMember {
  const { member } = home;
  const log = withMember(ports.log, member);
  const stopping = new AbortController();
  let membership: Membership | undefined;
  let client: MemberClient | undefined;
  let onWelcome = (): void => {};
  const ready = new Promise<void>((resolve) => {
    onWelcome = resolve;
  });

  async function run(): Promise<void> {
    const { clock, randomness } = ports;
    membership = await joinFederation({ home, clock, randomness, log, signal: stopping.signal });
    if (stopping.signal.aborted) return membership.close();
    const inputs = openTaskInputs({
      home: home.directory,
      reducer: membership.reducer,
      trainer,
      clock,
      log,
    });
    const parts = {
      membership,
      inputs,
      trainer,
      data,
      home: home.directory,
      clock,
      randomness,
      log,
      onWelcome,
    };
    client = new MemberClient(parts);
    client.start();
  }

  const failed = new Promise<Error>((resolve) => {
    run().catch((error: unknown) => {
      if (stopping.signal.aborted) return;
      log.error("member.refused", { error: describeError(error) });
      const why = error instanceof Error ? error.message : "an unknown failure";
      resolve(new Error(`${member} cannot join (${home.directory}): ${why}`, { cause: error }));
    });
  });
  return {
    member,
    ready,
    failed,
    stop: () => {
      stopping.abort(new Error("stopping"));
      client?.stop();
      membership?.close();
    },
  };
}

/** The members that a combiner welcomed, once none is left of which that is still open. */
async function welcomedMembers(members: readonly RunningMember[]): Promise<readonly string[]> {
  const settled = members.map(({ member, ready, failed }) =>
    Promise.race([ready.then(() => [member]), failed.then(() => [])]),
  );
  return (await Promise.all(settled)).flat();
}

/** Rejects when no member is left. */
async function allFailed(members: readonly RunningMember[]): Promise<never> {
  const errors = await Promise.all(members.map(({ failed }) => failed));
  throw new ClientError("all-refused", errors.map(({ message }) => message).join("; "));
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** Several members write one log: each line says whose it is. */
function withMember(log: Log, member: string): Log {
  return {
    debug: (event, fields) => log.debug(event, { member, ...fields }),
    info: (event, fields) => log.info(event, { member, ...fields }),
    warn: (event, fields) => log.warn(event, { member, ...fields }),
    error: (event, fields) => log.error(event, { member, ...fields }),
  };
}
