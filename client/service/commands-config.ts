/** What the data owner decides about packages of commands; docs/packages.md explains each option. */
import path from "node:path";
import { UsageError } from "../../lib/base/role-process.ts";

/** Given to the thread that runs commands, which reads nothing else of the owner's wishes. */
export type CommandsConfig = {
  readonly dangerouslyUnsandboxed: boolean;
  readonly pythonEnvironments: "refuse" | "system" | "make";
  /** Absolute. */
  readonly tools: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Those that the owner sets; the others have defaults. */
  readonly limits: {
    readonly seconds?: number;
    readonly memoryBytes?: number;
    readonly diskBytes?: number;
  };
};

const MIB = 1024 * 1024;
const PYTHON_ENVIRONMENTS = ["refuse", "system", "make"] as const;

export const COMMANDS_OPTIONS = {
  runtime: { type: "string" },
  "dangerously-unsandboxed": { type: "boolean" },
  "python-env": { type: "string" },
  tools: { type: "string", multiple: true },
  "command-env": { type: "string", multiple: true },
  "command-seconds": { type: "string" },
  "command-memory-mib": { type: "string" },
  "command-disk-mib": { type: "string" },
} as const;

export const COMMANDS_USAGE = `  --runtime onnx|command   which packages it runs: graphs (the default), or FEDn's commands, in a sandbox
  with --runtime command, where --data may be any file or folder:
  --python-env refuse|system|make   for packages that bring an environment file: refuse them (the default), use
                             the system's Python, or make the environment, which downloads
  --tools DIR                programs such as a conda environment: seen read-only, DIR/bin before the system's; repeatable
  --command-env NAME=VALUE   a variable that commands see; repeatable
  --command-seconds N (3600), --command-memory-mib N (16384), --command-disk-mib N (2048)   for each task
  --dangerously-unsandboxed  packages run as you: they can read your files and use your network`;

type Values = Readonly<Record<string, readonly string[]>>;

/** @throws UsageError naming what is wrong */
export function readCommandsConfig(values: Values): CommandsConfig | undefined {
  const runtime = values.runtime?.[0] ?? "onnx";
  if (runtime !== "command") {
    if (runtime !== "onnx") throw usage(`--runtime ${runtime} is not one of onnx, command`);
    const idle = Object.keys(COMMANDS_OPTIONS).filter((each) => values[each] !== undefined);
    const useless = idle.find((each) => each !== "runtime");
    if (useless !== undefined) throw usage(`--${useless} is for --runtime command`);
    return undefined;
  }
  const wanted = values["python-env"]?.[0] ?? "refuse";
  const pythonEnvironments = PYTHON_ENVIRONMENTS.find((each) => each === wanted);
  if (pythonEnvironments === undefined) {
    throw usage(`--python-env ${wanted} is not one of ${PYTHON_ENVIRONMENTS.join(", ")}`);
  }
  const limits = {
    seconds: wholeNumber(values, "command-seconds", 1),
    memoryBytes: wholeNumber(values, "command-memory-mib", MIB),
    diskBytes: wholeNumber(values, "command-disk-mib", MIB),
  };
  return Object.freeze({
    dangerouslyUnsandboxed: values["dangerously-unsandboxed"] !== undefined,
    pythonEnvironments,
    tools: (values.tools ?? []).map((each) => path.resolve(each)),
    environment: readVariables(values["command-env"] ?? []),
    limits: Object.fromEntries(
      Object.entries(limits).filter(([, value]) => value !== undefined),
    ) as CommandsConfig["limits"],
  });
}

function readVariables(words: readonly string[]): Readonly<Record<string, string>> {
  const variables = words.map((word) => {
    const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(word);
    if (match === null) throw usage(`--command-env ${word} is not NAME=VALUE`);
    return [match[1], match[2]] as const;
  });
  return Object.fromEntries(variables);
}

function wholeNumber(values: Values, name: string, unit: number): number | undefined {
  const text = values[name]?.[0];
  if (text === undefined) return undefined;
  if (!/^[1-9][0-9]{0,8}$/.test(text))
    throw usage(`--${name} ${text} is not a whole number from 1`);
  return Number(text) * unit;
}

const usage = (what: string): UsageError => new UsageError("usage", what);
