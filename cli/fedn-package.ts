/** From FEDn's fedn.yaml to ours: its keys as they are, and beside them what FEDn is told elsewhere. */
import { parse as parseYaml } from "yaml";
import { writePackage } from "../compute-packages/format/archive.ts";
import {
  type CommandHelper,
  MANIFEST_PATH,
  manifestBytes,
  validateManifest,
} from "../compute-packages/format/manifest.ts";
import { CliError } from "./cli-error.ts";
import { within } from "./enrol-member.ts";
import type { FednSource } from "./fedn-source.ts";

export type FednChoices = {
  /** Default: that of fedn.yaml, else made of what the folder is called. */
  readonly name?: string | undefined;
  /** Default: that of fedn.yaml, else FEDn's own default, numpyhelper. */
  readonly helper?: CommandHelper | undefined;
};

type Fields = Readonly<Record<string, unknown>>;

/** Keys that are read; FEDn ignores others, and so do we, but aloud. */
const KEYS = ["kind", "version", "name", "runtime", "entry_points", "python_env", "command"];

/** Whether a document is FEDn's: it says what to run. */
export const isFednDocument = (document: unknown): document is Fields =>
  typeof document === "object" && document !== null && "entry_points" in document;

/**
 * The archive of a FEDn package: no file but fedn.yaml is changed.
 * @param where  for messages
 * @throws CliError "unreadable-file"
 * @throws PackageError as writePackage
 */
export function buildFednPackage(
  where: string,
  { files, name }: FednSource,
  document: Fields,
  choices: FednChoices,
): { readonly archive: Uint8Array; readonly ignoredKeys: readonly string[] } {
  const command = fieldsOf(document.command);
  const { python_env } = document;
  const dependencies =
    typeof python_env === "string" ? readDependencies(where, python_env, files) : undefined;
  const manifest = within(where, () =>
    validateManifest({
      kind: "fedclave/compute-package",
      version: 1,
      name: choices.name ?? document.name ?? nameFrom(name),
      runtime: "command",
      entry_points: entryPoints(document.entry_points),
      ...(python_env === undefined || python_env === null ? {} : { python_env }),
      command: {
        ...command,
        helper: choices.helper ?? command.helper ?? "numpyhelper",
        ...(dependencies === undefined ? {} : { pythonDependencies: dependencies }),
      },
    }),
  );
  const archive = writePackage(new Map([...files, [MANIFEST_PATH, manifestBytes(manifest)]]));
  return { archive, ignoredKeys: Object.keys(document).filter((key) => !KEYS.includes(key)) };
}

/** Commands alone: FEDn reads nothing else of an entry point. */
function entryPoints(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const points = Object.entries(value).map(([name, point]) => [
    name,
    { command: fieldsOf(point).command },
  ]);
  return Object.fromEntries(points);
}

const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};

/** "MNIST_PyTorch v2" becomes "mnist-pytorch-v2". */
const nameFrom = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63) || "package";

function readDependencies(
  where: string,
  file: string,
  files: ReadonlyMap<string, Uint8Array>,
): { readonly build: readonly string[]; readonly run: readonly string[] } {
  const content = files.get(file.replace(/^\.\//, ""));
  if (content === undefined) {
    throw new CliError("unreadable-file", `${where} names python_env ${file}, which is not there`);
  }
  const fields = fieldsOf(within(file, () => parseYaml(Buffer.from(content).toString("utf8"))));
  const lines = (key: string): string[] => {
    const value = fields[key] ?? [];
    if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
    throw new CliError("unreadable-file", `${file}: ${key} is no list of lines for pip`);
  };
  return { build: lines("build_dependencies"), run: lines("dependencies") };
}
