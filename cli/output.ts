/** Where commands write. Standard output carries results, standard error everything that is said on the way. */
export type OutputStream = {
  readonly write: (text: string) => void;
  /** Whether lines already written can be redrawn. */
  readonly isTty: boolean;
  /** Width of the terminal; lines that are redrawn are cut to it. */
  readonly columns: () => number;
  readonly hasColour: boolean;
};

export type Output = {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
};

const DEFAULT_COLUMNS = 80;

/** The process's own streams. Colours only on a terminal, and never when NO_COLOR is set (no-color.org). */
export function processOutput(environment: NodeJS.ProcessEnv): Output {
  const plain = (environment.NO_COLOR ?? "") !== "" || environment.TERM === "dumb";
  const wrap = (stream: NodeJS.WriteStream): OutputStream => {
    // Whoever reads may leave early (`| head`); the work that is under way must still end in order.
    stream.on("error", () => {});
    return {
      write: (text) => void stream.write(text),
      isTty: stream.isTTY === true,
      // A terminal that does not know its size says 0.
      columns: () => stream.columns || DEFAULT_COLUMNS,
      hasColour: stream.isTTY === true && !plain,
    };
  };
  return { stdout: wrap(process.stdout), stderr: wrap(process.stderr) };
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
export type Style = keyof typeof STYLES;

/** The text in a style, if the stream shows colours. */
export const paint = (stream: OutputStream, style: Style, text: string): string =>
  stream.hasColour ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;

export const writeLine = (stream: OutputStream, text: string): void => stream.write(`${text}\n`);

/** Control characters that JSON lets stand as they are; some terminals obey them. */
const C1_CONTROLS = /[\u007f-\u009f]/g;

/** Exactly one line of JSON: what a script reads. Whatever strangers wrote into it, a terminal shows and does not obey. */
export const writeJson = (stream: OutputStream, value: unknown): void =>
  stream.write(`${JSON.stringify(value).replace(C1_CONTROLS, escapedControl)}\n`);

const escapedControl = (control: string): string =>
  `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
