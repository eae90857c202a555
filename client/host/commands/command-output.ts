/** What commands wrote for people, as files in the member's home. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { CommandReport } from "../../../compute-packages/command/runner.ts";

/** In the member's home; each file is replaced by the next of its kind. */
export const OUTPUT_FOLDER = "command-output";

/** For this user alone. */
export const makeFolder = (directory: string): Promise<string | undefined> =>
  mkdir(directory, { recursive: true, mode: 0o700 });

/**
 * Writes the output of a task: `<entry point>.txt` in any case, `failure.txt` if it failed.
 * @returns the path to look at
 */
export async function writeReport(home: string, report: CommandReport): Promise<string> {
  const { entryPoint, code, output, outputBytes } = report;
  const folder = path.join(home, OUTPUT_FOLDER);
  await makeFolder(folder);
  const verdict = code === undefined ? "done" : `failed: ${code}`;
  const text = `# ${entryPoint}: ${verdict}; ${outputBytes} bytes of output\n${output}`;
  const file = path.join(folder, `${entryPoint}.txt`);
  await writeFile(file, text, { mode: 0o600 });
  if (code === undefined) return file;
  const failure = path.join(folder, "failure.txt");
  await writeFile(failure, text, { mode: 0o600 });
  return failure;
}
