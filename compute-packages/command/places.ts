/** Where a job finds things, in a sandbox and without one, and how they get there. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { CommandOptions } from "./options.ts";
import { SYSTEM_PATH } from "./sandbox/detect.ts";
import { INSIDE, type Mount, type Sandbox } from "./sandbox/sandbox.ts";

export type Places = {
  /** Path of something for the job, and the mount that brings it there; the same path without a sandbox. */
  readonly show: (host: string, inside: string) => string;
  readonly mounts: readonly Mount[];
  /** Where commands run, and what they take for temporary. */
  readonly package: string;
  readonly temporary: string;
};

/** @param scratch  existing folder of this job; without a sandbox the job works in it */
export async function makePlaces(sandbox: Sandbox, scratch: string): Promise<Places> {
  const mounts: Mount[] = [];
  if (sandbox.kind !== "none") {
    const show = (host: string, inside: string): string => {
      mounts.push({ host, inside });
      return inside;
    };
    return { show, mounts, package: INSIDE.package, temporary: INSIDE.temporary };
  }
  const [work, temporary] = [path.join(scratch, "package"), path.join(scratch, "tmp")];
  await mkdir(work);
  await mkdir(temporary);
  return { show: (host) => host, mounts, package: work, temporary };
}

/** Writes a package's files into a folder; those that begin with #! may be executed, as FEDn's tar would have kept it. */
export async function unpack(
  files: ReadonlyMap<string, Uint8Array>,
  directory: string,
): Promise<void> {
  for (const [name, content] of files) {
    const file = path.join(directory, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    if (content[0] === 0x23 && content[1] === 0x21) await chmod(file, 0o755);
  }
}

/**
 * Variables of every command: nothing of the client's own environment is among them.
 * @param modules  where the job sees the modules that packages expect; their programs come last
 */
export function baseEnvironment(
  places: Places,
  modules: string,
  options: Pick<CommandOptions, "tools" | "environment">,
): Record<string, string> {
  const toolPaths = options.tools.map((tool) => path.join(places.show(tool, tool), "bin"));
  return {
    PATH: [...toolPaths, SYSTEM_PATH, path.join(modules, "bin")].join(":"),
    HOME: places.temporary,
    TMPDIR: places.temporary,
    USER: "user",
    LANG: "C.UTF-8",
    // What was printed before a command is killed should be seen.
    PYTHONUNBUFFERED: "1",
    ...options.environment,
  };
}
