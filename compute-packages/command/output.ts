/** What a command writes to be read by people, bounded: its beginning, its end, and how much there was. */

export type Output = {
  readonly push: (chunk: Uint8Array) => void;
  readonly totalBytes: () => number;
  /** With a line in the place of what was left out. */
  readonly text: () => string;
};

/** Keeps the first `headBytes` and the last `tailBytes`. */
export function boundedOutput(headBytes: number, tailBytes: number): Output {
  let total = 0;
  const head: Uint8Array[] = [];
  let headLength = 0;
  let tail = new Uint8Array(0);
  return {
    push: (chunk) => {
      total += chunk.byteLength;
      const first = chunk.subarray(0, headBytes - headLength);
      if (first.byteLength > 0) head.push(first.slice());
      headLength += first.byteLength;
      const rest = chunk.subarray(first.byteLength);
      const joined = new Uint8Array(tail.byteLength + rest.byteLength);
      joined.set(tail);
      joined.set(rest, tail.byteLength);
      tail = joined.slice(Math.max(0, joined.byteLength - tailBytes));
    },
    totalBytes: () => total,
    text: () => {
      const left = total - headLength - tail.byteLength;
      const gap = left > 0 ? [Buffer.from(`\n[… ${left} bytes left out …]\n`)] : [];
      return Buffer.concat([...head, ...gap, tail]).toString("utf8");
    },
  };
}

/** The last lines, at most `maxLength` characters, without anything that a terminal would act on. */
export function lastLines(text: string, maxLength: number): string {
  const clean = text.replace(/[^\P{C}\n]/gu, "�").trimEnd();
  if (clean.length <= maxLength) return clean;
  const cut = clean.slice(-maxLength);
  const lineStart = cut.indexOf("\n") + 1;
  return `…${cut.slice(lineStart)}`;
}
