/** Lines of which the last few are still changing: redrawn on a terminal, written once elsewhere. */
import type { OutputStream } from "../output.ts";
import { writeLine } from "../output.ts";

export type LiveLines = {
  /** Writes lines that will not change any more, above those that do. */
  readonly settle: (lines: readonly string[]) => void;
  /** Replaces the changing lines. Without a terminal they are not shown. */
  readonly show: (lines: readonly string[]) => void;
  /** Removes the changing lines. */
  readonly end: () => void;
};

const ERASE_BELOW = "\u001b[J";
const up = (count: number): string => (count === 0 ? "" : `\u001b[${count}A`);

export function liveLines(stream: OutputStream): LiveLines {
  let shown: readonly string[] = [];
  const erase = (): void => {
    if (shown.length > 0) stream.write(`\r${up(shown.length)}${ERASE_BELOW}`);
    shown = [];
  };
  const draw = (lines: readonly string[]): void => {
    // A line that wraps would take two rows, and the next redraw would leave one behind.
    shown = lines.map((line) => cut(line, stream.columns() - 1));
    for (const line of shown) writeLine(stream, line);
  };
  return {
    settle: (lines) => {
      const changing = shown;
      if (stream.isTty) erase();
      for (const line of lines) writeLine(stream, line);
      if (stream.isTty) draw(changing);
    },
    show: (lines) => {
      if (!stream.isTty || sameLines(lines, shown)) return;
      erase();
      draw(lines);
    },
    end: () => {
      if (stream.isTty) erase();
    },
  };
}

const cut = (line: string, width: number): string =>
  line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;

const sameLines = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((line, index) => line === b[index]);
