/** The reducer's arguments. They belong to the host, so nothing here steers trust: that is the manifest's. */
import {
  COMMON_USAGE,
  type CommonConfig,
  parseListenAddress,
  readArguments,
  UsageError,
} from "../../lib/base/role-process.ts";

export type ReducerConfig = CommonConfig & {
  /** Holds manifest.json; gets federation.json and state/. */
  readonly home: string;
  readonly host: string;
  readonly port: number;
  /** host:port that members dial; unset means what it listens on. */
  readonly advertise: string | undefined;
};

export const USAGE = `usage: fedclave reducer --home DIR [--listen HOST:PORT] [--advertise HOST:PORT]
                        ${COMMON_USAGE}

  --home        directory made by \`fedclave init\`: the one that holds manifest.json
  --listen      where to accept connections; default 127.0.0.1:7443, port 0 takes a free one
  --advertise   the address members dial, if it is not the one listened on`;

/** @throws UsageError naming what is wrong */
export function readConfig(args: readonly string[]): ReducerConfig {
  const { values, ...common } = readArguments(args, {
    home: { type: "string" },
    listen: { type: "string" },
    advertise: { type: "string" },
  });
  const home = values.home?.[0];
  if (home === undefined) throw new UsageError("usage", "--home is missing");
  const { host, port } = parseListenAddress(values.listen?.[0] ?? "127.0.0.1:7443");
  return Object.freeze({ ...common, home, host, port, advertise: values.advertise?.[0] });
}
