/** Refusals are values with every reason; failures of peers and input are errors with a code and a cause. */

/** One reason. All three are printable and safe to show to the peer. */
export type Refusal<Code extends string = string> = {
  readonly code: Code;
  /** The value that was seen. */
  readonly seen: string;
  /** The value or bound that was wanted. */
  readonly wanted: string;
};

/** Longest `seen` or `wanted` that leaves a process. */
const MAX_REFUSAL_TEXT_LENGTH = 256;

/** Builds a refusal; values are shown as text, cut to 256 characters, control characters replaced. */
export function refusal<Code extends string>(
  code: Code,
  seen: string | number,
  wanted: string | number,
): Refusal<Code> {
  return { code, seen: printable(String(seen)), wanted: printable(String(wanted)) };
}

/** Text that is safe in a log line or terminal: no control characters, at most 256 characters. */
export function printable(text: string): string {
  const isLong = text.length > MAX_REFUSAL_TEXT_LENGTH;
  // Cut first: what a peer sent may have megabytes.
  const start = isLong ? text.slice(0, MAX_REFUSAL_TEXT_LENGTH - 1) : text;
  const clean = start.replace(/[\p{C}\u2028\u2029]/gu, "�");
  return isLong ? `${clean}…` : clean;
}

/** "code: seen X, wanted Y; …" for people. */
export const describeRefusals = (refusals: readonly Refusal[]): string =>
  refusals.map((r) => `${r.code}: seen ${r.seen}, wanted ${r.wanted}`).join("; ");

/** Thrown where a peer's request is refused; carries every reason to the edge that answers. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly refusals: readonly Refusal[];

  constructor(...refusals: readonly Refusal[]) {
    super(describeRefusals(refusals));
    this.refusals = refusals;
  }
}

/** An error of one reason. */
export const refused = (
  code: string,
  seen: string | number,
  wanted: string | number,
): RefusedError => new RefusedError(refusal(code, seen, wanted));

/** Base of each folder's error class: a code from a closed union, a message for people, a cause for logs. */
export class CodedError<Code extends string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A broken invariant of our own: never caught to carry on. */
export function assertInvariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantError(`broken invariant: ${what}`);
}

/** Stops the process when it reaches the top: a dead round is better than a leaked update. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}
