/** Python environments of packages: made once for the same lines, kept in the client's home, never changed. */
import { access, mkdir, realpath, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { utf8 } from "../../lib/base/bytes.ts";
import { canonicalJson } from "../../lib/base/canonical-json.ts";
import type { Clock } from "../../lib/base/clock.ts";
import { digestOf } from "../../lib/base/ids.ts";
import type { CommandPackage } from "../format/archive.ts";
import { CommandError } from "./command-error.ts";
import { MAKE_ENVIRONMENT, readScriptResult } from "./job-scripts.ts";
import { ENVIRONMENT_DISK_BYTES, ENVIRONMENT_SECONDS } from "./limits.ts";
import type { CommandOptions } from "./options.ts";
import { lastLines } from "./output.ts";
import { baseEnvironment, makePlaces } from "./places.ts";
import { INSIDE, type Sandbox } from "./sandbox/sandbox.ts";
import { supervise } from "./supervise.ts";

export type EnvironmentParts = {
  readonly pkg: CommandPackage;
  readonly sandbox: Sandbox;
  readonly options: CommandOptions;
  /** The unpacked package. */
  readonly source: string;
  /** Where environments are kept. */
  readonly kept: string;
  /** Empty folder for this. */
  readonly scratch: string;
  readonly isCancelled: () => boolean;
  readonly clock: Clock;
  /** What pip said, whether or not it worked. */
  readonly onOutput: (output: string) => void;
};

/**
 * The folder of the package's environment; undefined if it runs with the Python that is here.
 * @throws CommandError "python-env-not-allowed" | "python-env-failed" | "cancelled"
 */
export async function pythonEnvironment(parts: EnvironmentParts): Promise<string | undefined> {
  const { pkg, options, kept } = parts;
  const lines = pkg.manifest.command.pythonDependencies;
  if (lines === undefined || options.pythonEnvironments === "system") return undefined;
  if (options.pythonEnvironments === "refuse") {
    throw new CommandError(
      "python-env-not-allowed",
      `the package wants its own Python environment (${[...lines.build, ...lines.run].join(", ")}); start the client ` +
        "with --python-env make, or with --python-env system to use the Python that is here",
    );
  }
  const folder = path.join(kept, await environmentDigest(parts));
  const environment = path.join(folder, "environment");
  // Scripts in an environment know its path, so it cannot be made elsewhere and moved.
  const mark = path.join(folder, "complete");
  if (await exists(mark)) return environment;
  await rm(folder, { recursive: true, force: true });
  await mkdir(environment, { recursive: true });
  await make(parts, environment);
  await writeFile(mark, "");
  return environment;
}

async function make(parts: EnvironmentParts, directory: string): Promise<void> {
  const { pkg, sandbox, options, source, scratch, isCancelled, clock } = parts;
  const { build = [], run = [] } = pkg.manifest.command.pythonDependencies ?? {};
  const root = path.join(scratch, "root");
  await mkdir(root);
  const places = await makePlaces(sandbox, scratch);
  const inside = sandbox.kind === "none" ? directory : INSIDE.environment;
  const from = places.show(source, INSIDE.source);
  const end = await supervise(
    sandbox,
    {
      script: MAKE_ENVIRONMENT,
      args: [from, places.package, inside, build.join("\n"), run.join("\n")],
      environment: baseEnvironment(places, "", options),
      readOnly: places.mounts,
      writable: sandbox.kind === "none" ? [] : [{ host: directory, inside }],
      hasNetwork: true,
      limits: {
        ...options.limits,
        seconds: ENVIRONMENT_SECONDS,
        diskBytes: ENVIRONMENT_DISK_BYTES,
      },
      scratch: root,
    },
    { maxResultBytes: 4096, isCancelled, clock },
  );
  parts.onOutput(end.output);
  if (end.stopped === "cancelled") throw new CommandError("cancelled", "cancelled");
  if (end.status === 0 && readScriptResult(end.result).lines.includes("end")) return;
  throw new CommandError(
    "python-env-failed",
    `the package's Python environment cannot be made (${end.stopped ?? `status ${end.status}`}): ` +
      `${lastLines(end.output, 1000)}`,
  );
}

/** Of everything that decides what is installed, as far as it is known here: the lines, files they name, the Python. */
async function environmentDigest({ pkg, sandbox }: EnvironmentParts): Promise<string> {
  const { manifest, files, digest } = pkg;
  const { build = [], run = [] } = manifest.command.pythonDependencies ?? {};
  const named: Record<string, string> = {};
  for (const line of [...build, ...run]) {
    const file = /^(?:-r|-c|--requirement|--constraint)[ =]*(\S+)$/.exec(line.trim())?.[1];
    const content = file === undefined ? undefined : files.get(file);
    if (file !== undefined && content === undefined) {
      throw new CommandError("python-env-failed", `${file}, which python_env names, is not there`);
    }
    if (file !== undefined && content !== undefined) named[file] = digestOf(content);
    // Something of the package itself, or a file within a file: then every package has its own.
    const isLocal = /^(?:\.|\/|-e\b|--editable)/.test(line.trim());
    const nests = content !== undefined && /^\s*-/m.test(Buffer.from(content).toString());
    if (isLocal || nests) named["."] = digest;
  }
  const seenAs = sandbox.kind === "none" ? "host" : INSIDE.environment;
  const python = await realpath("/usr/bin/python3").catch(() => "python3");
  return digestOf(utf8(canonicalJson({ build: [...build], run: [...run], named, python, seenAs })));
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
