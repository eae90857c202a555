import type { Readable } from "node:stream";

/** A line longer than this is cut: a child must not fill this process's memory. */
const MAX_LINE_LENGTH = 64 * 1024;

/** Calls `onLine` with each line of a text stream, and with what stands behind the last line feed at its end. */
export function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(0, MAX_LINE_LENGTH);
    for (const line of lines) onLine(line);
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}
