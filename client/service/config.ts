/** The client's arguments: which members it is, and where each one's data lies. */
import path from "node:path";
import {
  COMMON_USAGE,
  type CommonConfig,
  readArguments,
  UsageError,
} from "../../lib/base/role-process.ts";
import {
  COMMANDS_OPTIONS,
  COMMANDS_USAGE,
  type CommandsConfig,
  readCommandsConfig,
} from "./commands-config.ts";

export type ClientConfig = CommonConfig & {
  /** At least one. */
  readonly members: readonly MemberConfig[];
  /** Present: runs packages of commands, and those alone. Absent: runs onnx packages, and those alone. */
  readonly commands?: CommandsConfig;
};

export type MemberConfig = {
  /** Directory with member.key.pem, statement.json and federation.json; gets cache/. */
  readonly home: string;
  /** A .npz or .safetensors file; for commands any file or folder. */
  readonly data: string;
};

/** Members in one process; they take turns at one trainer. */
export const MAX_MEMBERS_PER_PROCESS = 64;

export const USAGE = `usage: fedclave client --home DIR --data FILE [--home DIR2 --data FILE2 ...]
                       [--runtime onnx|command] ${COMMON_USAGE}

  --home   directory made by \`fedclave member enrol\`
  --data   the member's examples, .npz or .safetensors; the n-th --data belongs to the n-th --home

${COMMANDS_USAGE}`;

/** @throws UsageError naming what is wrong */
export function readConfig(args: readonly string[]): ClientConfig {
  const { values, ...common } = readArguments(args, {
    home: { type: "string", multiple: true },
    data: { type: "string", multiple: true },
    ...COMMANDS_OPTIONS,
  });
  const { home: homes = [], data: files = [] } = values;
  if (homes.length === 0) throw new UsageError("usage", "--home is missing");
  if (homes.length !== files.length) {
    const seen = `${homes.length} --home and ${files.length} --data`;
    throw new UsageError("usage", `${seen} are given; each home needs its own data`);
  }
  if (homes.length > MAX_MEMBERS_PER_PROCESS) {
    const bound = `at most ${MAX_MEMBERS_PER_PROCESS} members run in one process`;
    throw new UsageError("usage", `${homes.length} homes are given; ${bound}`);
  }
  // Absolute from here on: nothing is read relative to wherever the process happens to stand.
  const members = homes.map((home, index) =>
    Object.freeze({ home: path.resolve(home), data: path.resolve(files[index] ?? "") }),
  );
  const commands = readCommandsConfig(values);
  return Object.freeze({
    ...common,
    members: Object.freeze(members),
    ...(commands === undefined ? {} : { commands }),
  });
}
