/** Directories that a command is asked to write into. */
import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { CliError } from "./cli-error.ts";

/**
 * Makes a directory and those above it that are missing; one that is there stays as it is. Step by step: Node's own
 * recursive way never ends where a file system says that an existing parent is missing, as /proc does.
 *
 * @param mode  of each directory that is made
 * @throws CliError "unwritable-file"
 */
export async function makeDirectory(directory: string, mode: number): Promise<void> {
  try {
    await makeWithParents(path.resolve(directory), mode);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new CliError("unwritable-file", `${directory} cannot be made (${reason})`, { cause });
  }
}

async function makeWithParents(directory: string, mode: number): Promise<void> {
  if (await isDirectory(directory)) return;
  const parent = path.dirname(directory);
  if (parent !== directory) await makeWithParents(parent, mode);
  await mkdir(directory, { mode }).catch(async (cause: unknown) => {
    // Somebody else may have made it just now.
    if (!(await isDirectory(directory))) throw cause;
  });
}

const isDirectory = (file: string): Promise<boolean> =>
  stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
