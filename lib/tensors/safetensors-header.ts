/**
 * Strict reader of a safetensors header. Not JSON.parse: that hides duplicate keys and reads numbers past 2^53
 * as their neighbours. The grammar has fixed depth, so nesting cannot exhaust the stack.
 */
import { type Dtype, isDtype } from "./dtype.ts";
import { checkTensorCount } from "./layout.ts";
import { MAX_RANK } from "./limits.ts";
import { TensorError, type TensorErrorCode } from "./tensor-error.ts";
import { checkTensorName } from "./tensor-name.ts";

export type HeaderEntry = {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** From the end of the header; not yet compared with anything. */
  readonly beginBytes: number;
  readonly endBytes: number;
};

export type Header = {
  readonly entries: readonly HeaderEntry[];
  readonly metadata: ReadonlyMap<string, string>;
};

const METADATA_KEY = "__metadata__";
/** White space of JSON. */
const SPACE = " \t\n\r";

/**
 * Entries in the order of the text, names unique and well-formed.
 * @throws TensorError "header-malformed" | "bad-number" | "bad-name" | "duplicate-name" | "unknown-dtype" |
 *   "shape-out-of-range" | "too-many-tensors"
 */
export function parseHeader(text: string): Header {
  const reader = new HeaderReader(text);
  const entries: HeaderEntry[] = [];
  let metadata: ReadonlyMap<string, string> = new Map();
  // The format wants "{" first; white space is padding and allowed only after and between tokens.
  if (!text.startsWith("{")) reader.fail("header-malformed", "the header does not begin with {");
  reader.object((name) => {
    if (name === METADATA_KEY) {
      metadata = readMetadata(reader);
    } else {
      checkTensorName(name);
      checkTensorCount(entries.length + 1);
      entries.push(readEntry(reader, name));
    }
  });
  reader.end();
  return { entries, metadata };
}

function readEntry(reader: HeaderReader, name: string): HeaderEntry {
  let dtype: string | undefined;
  let shape: readonly number[] | undefined;
  let offsets: readonly number[] | undefined;
  reader.object((key) => {
    if (key === "dtype") dtype = reader.string();
    else if (key === "shape") shape = reader.integers(MAX_RANK);
    else if (key === "data_offsets") offsets = reader.integers(2);
    else reader.fail("header-malformed", "a tensor has a key besides dtype, shape, data_offsets");
  });
  const [beginBytes, endBytes] = offsets ?? [];
  if (dtype === undefined || !shape || beginBytes === undefined || endBytes === undefined) {
    return reader.fail("header-malformed", "a tensor lacks dtype, shape or two data_offsets");
  }
  if (!isDtype(dtype)) return reader.fail("unknown-dtype", "a tensor's dtype is not known");
  return { name, dtype, shape, beginBytes, endBytes };
}

function readMetadata(reader: HeaderReader): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  reader.object((key) => found.set(key, reader.string()));
  return found;
}

/** Tokens of JSON, as far as a header needs them; every method consumes leading white space. */
class HeaderReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  fail(code: TensorErrorCode, what: string): never {
    throw new TensorError(code, `safetensors header, character ${this.#at}: ${what}`);
  }

  end(): void {
    this.#skipSpace();
    if (this.#at !== this.#text.length) this.fail("header-malformed", "text after the object");
  }

  /** `onKey` must consume the value. */
  object(onKey: (key: string) => void): void {
    const seen = new Set<string>();
    this.#expect("{");
    if (this.#accept("}")) return;
    do {
      const key = this.string();
      if (seen.has(key)) this.fail("duplicate-name", "a key appears twice");
      seen.add(key);
      this.#expect(":");
      onKey(key);
    } while (this.#accept(","));
    this.#expect("}");
  }

  integers(maxCount: number): readonly number[] {
    const found: number[] = [];
    this.#expect("[");
    if (this.#accept("]")) return found;
    do {
      if (found.length === maxCount)
        this.fail("shape-out-of-range", `a list longer than ${maxCount}`);
      found.push(this.#integer());
    } while (this.#accept(","));
    this.#expect("]");
    return found;
  }

  string(): string {
    this.#expect('"');
    const begin = this.#at - 1;
    for (;;) {
      const char = this.#text[this.#at++];
      if (char === '"') break;
      if (char === undefined) this.fail("header-malformed", "a string without end");
      if (char === "\\") this.#at++;
    }
    try {
      return JSON.parse(this.#text.slice(begin, this.#at)) as string;
    } catch {
      // The cause would quote the text.
      return this.fail("header-malformed", "a string with a bad character or escape");
    }
  }

  #integer(): number {
    this.#skipSpace();
    const pattern = /(?:0|[1-9][0-9]{0,15})(?![0-9.eE])/y;
    pattern.lastIndex = this.#at;
    const value = Number(pattern.exec(this.#text)?.[0]);
    if (!Number.isSafeInteger(value)) this.fail("bad-number", "not an integer of 0 to 2^53 - 1");
    this.#at = pattern.lastIndex;
    return value;
  }

  #skipSpace(): void {
    while (SPACE.includes(this.#text[this.#at] ?? "?")) this.#at++;
  }

  #accept(char: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #expect(char: string): void {
    if (!this.#accept(char)) this.fail("header-malformed", `expected ${char}`);
  }
}
