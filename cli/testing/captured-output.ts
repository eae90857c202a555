import { systemClock } from "../../lib/base/clock.ts";
import { systemRandomness } from "../../lib/base/randomness.ts";
import type { CommandContext } from "../context.ts";
import type { OutputStream } from "../output.ts";
import { runProgram } from "../program.ts";

export type CapturedStream = OutputStream & { readonly text: () => string };

/** A stream that keeps what is written. */
export function capturedStream(
  options: { isTty?: boolean; columns?: number; hasColour?: boolean } = {},
): CapturedStream {
  let text = "";
  return {
    write: (part) => {
      text += part;
    },
    isTty: options.isTty ?? false,
    columns: () => options.columns ?? 80,
    hasColour: options.hasColour ?? false,
    text: () => text,
  };
}

export type CommandRun = {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs one command line in this process, as `fedclave` would. */
export async function runCommand(
  args: readonly string[],
  given: Partial<CommandContext> = {},
): Promise<CommandRun> {
  const stdout = capturedStream();
  const stderr = capturedStream();
  const status = await runProgram(args, {
    stdout,
    stderr,
    environment: {},
    clock: systemClock(),
    randomness: systemRandomness,
    bundleDirectory: "/nowhere",
    signal: new AbortController().signal,
    ...given,
  });
  return { status, stdout: stdout.text(), stderr: stderr.text() };
}

/** What a terminal shows in the end: cursor movements and erasures of live-lines carried out. */
export function onScreen(written: string): string[] {
  const rows: string[] = [""];
  let row = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes are what is read here
  for (const [part] of written.matchAll(/\u001b\[(\d*)([AJ])|\r|\n|[^\u001b\r\n]+/g)) {
    if (part === "\r") continue;
    if (part === "\n") {
      row += 1;
      rows[row] ??= "";
    } else if (part.endsWith("A") && part.startsWith("\u001b")) {
      row -= Number(part.slice(2, -1));
    } else if (part === "\u001b[J") {
      rows.length = row;
      rows[row] = "";
    } else {
      rows[row] = part;
    }
  }
  return rows.at(-1) === "" ? rows.slice(0, -1) : rows;
}
