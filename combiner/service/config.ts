/** The combiner's arguments. They belong to the host, so nothing here steers trust. */
import { MIB } from "../../lib/base/limits.ts";
import {
  COMMON_USAGE,
  type CommonConfig,
  parseListenAddress,
  readArguments,
  UsageError,
} from "../../lib/base/role-process.ts";

export type CombinerConfig = CommonConfig & {
  /** Member home: key, statement, federation.json. */
  readonly home: string;
  readonly host: string;
  readonly port: number;
  /** host:port that clients dial; unset means what it listens on. */
  readonly advertise: string | undefined;
  /** Clients served at one time. */
  readonly maxClients: number;
  /** Memory for bodies on their way, all together. */
  readonly stagingBudgetBytes: number;
};

/** More would not fit the hello message in which a combiner lists its clients. */
export const MAX_CLIENTS = 10_000;
const DEFAULT_MAX_CLIENTS = MAX_CLIENTS;
const MAX_STAGING_MIB = 1024 * 1024;
const DEFAULT_STAGING_MIB = 1024;

export const USAGE = `usage: fedclave combiner --home DIR [--listen HOST:PORT] [--advertise HOST:PORT]
                         [--max-clients N] [--staging-mib N]
                         ${COMMON_USAGE}

  --home         directory of a member with role combiner, made by \`fedclave member enrol\`
  --listen       where to accept clients; default 127.0.0.1:0, port 0 takes a free one
  --advertise    the address clients dial, if it is not the one listened on
  --max-clients  clients served at one time; default ${DEFAULT_MAX_CLIENTS}
  --staging-mib  memory for updates on their way, in MiB; default ${DEFAULT_STAGING_MIB}. An update that
                 is larger alone cannot be taken`;

/** @throws UsageError naming what is wrong */
export function readConfig(args: readonly string[]): CombinerConfig {
  const { values, ...common } = readArguments(args, {
    home: { type: "string" },
    listen: { type: "string" },
    advertise: { type: "string" },
    "max-clients": { type: "string" },
    "staging-mib": { type: "string" },
  });
  const home = values.home?.[0];
  if (home === undefined) throw new UsageError("usage", "--home is missing");
  const { host, port } = parseListenAddress(values.listen?.[0] ?? "127.0.0.1:0");
  const count = (option: string, byDefault: number, most: number) =>
    readCount(option, values[option]?.[0], byDefault, most);
  return Object.freeze({
    ...common,
    home,
    host,
    port,
    advertise: values.advertise?.[0],
    maxClients: count("max-clients", DEFAULT_MAX_CLIENTS, MAX_CLIENTS),
    stagingBudgetBytes: count("staging-mib", DEFAULT_STAGING_MIB, MAX_STAGING_MIB) * MIB,
  });
}

function readCount(option: string, text: string | undefined, byDefault: number, most: number) {
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (!/^[0-9]{1,15}$/.test(text) || value < 1 || value > most) {
    throw new UsageError("usage", `--${option} ${text} is not an integer from 1 to ${most}`);
  }
  return value;
}
