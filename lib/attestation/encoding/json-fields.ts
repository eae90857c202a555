/** Strict shapes over the output of JSON.parse, for documents that a vendor signs. */
import { fromHex } from "../../base/bytes.ts";
import type { UnixMs } from "../../base/ids.ts";
import { EvidenceError, type EvidenceErrorCode } from "../evidence-error.ts";

/** Longest text that is read unless the caller says otherwise. */
const MAX_STRING_LENGTH = 4096;

/**
 * Reads a document.
 * @param text  already authenticated or about to be: keys that stand twice are resolved as JSON.parse does, the last wins
 * @throws EvidenceError of that code; "too-large" past maxLength characters
 */
export function parseJson(text: string, code: EvidenceErrorCode, maxLength: number): JsonValue {
  if (text.length > maxLength) throw new EvidenceError("too-large", `JSON of ${text.length}`);
  try {
    return new JsonValue(JSON.parse(text), code, "$");
  } catch (cause) {
    throw new EvidenceError(code, "not JSON", { cause });
  }
}

/** A value whose shape is not known yet. Every method throws EvidenceError of the document's code, naming the place. */
export class JsonValue {
  readonly #value: unknown;
  readonly #code: EvidenceErrorCode;
  readonly #place: string;

  constructor(value: unknown, code: EvidenceErrorCode, place: string) {
    this.#value = value;
    this.#code = code;
    this.#place = place;
  }

  /** An object of exactly these keys: all required ones, and none but these and the optional ones. */
  strictObject<Required extends string, Optional extends string = never>(
    required: readonly Required[],
    optional: readonly Optional[] = [],
  ): JsonFields<Required, Optional> {
    const entries = this.#object();
    const known: readonly string[] = [...required, ...optional];
    const unknown = Object.keys(entries).find((key) => !known.includes(key));
    if (unknown !== undefined) throw this.error(`unknown key ${JSON.stringify(unknown)}`);
    return this.#fields(entries, required);
  }

  /** An object of at least the required keys; its author may add others, which are passed over. */
  openObject<Required extends string, Optional extends string = never>(
    required: readonly Required[],
    _optional: readonly Optional[] = [],
  ): JsonFields<Required, Optional> {
    return this.#fields(this.#object(), required);
  }

  /** A text. @param pattern  anchored at both ends @param maxLength  characters */
  string(pattern?: RegExp, maxLength = MAX_STRING_LENGTH): string {
    const value = this.#value;
    if (typeof value !== "string" || value.length > maxLength) throw this.error("no text");
    if (pattern !== undefined && !pattern.test(value)) throw this.error(`not ${pattern.source}`);
    return value;
  }

  /** One of some texts. */
  oneOf<Text extends string>(texts: readonly Text[]): Text {
    const found = texts.find((text) => text === this.#value);
    if (found === undefined) throw this.error(`none of ${texts.join(", ")}`);
    return found;
  }

  /** A whole number, min to max. */
  integer(min: number, max: number): number {
    const value = this.#value;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
      throw this.error(`no whole number from ${min} to ${max}`);
    }
    return value;
  }

  boolean(): boolean {
    if (typeof this.#value !== "boolean") throw this.error("neither true nor false");
    return this.#value;
  }

  /** Bytes in hex of either case. @param length  bytes */
  hex(length: number): Uint8Array {
    const bytes = fromHex(this.string().toLowerCase());
    if (bytes?.byteLength !== length) throw this.error(`not ${length} bytes in hex`);
    return bytes;
  }

  /** At most that many bytes in hex of either case. */
  hexUpTo(maxBytes: number): Uint8Array {
    const bytes = fromHex(this.string(undefined, 2 * maxBytes).toLowerCase());
    if (bytes === undefined) throw this.error("not bytes in hex");
    return bytes;
  }

  /** A time as "2025-06-19T10:32:27Z", of a day that exists. */
  time(): UnixMs {
    const text = this.string(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const ms = Date.parse(text);
    if (Number.isNaN(ms) || new Date(ms).toISOString() !== text.replace("Z", ".000Z")) {
      throw this.error("no time");
    }
    return ms as UnixMs;
  }

  /** The elements of an array of minLength to maxLength. */
  array(minLength: number, maxLength: number): readonly JsonValue[] {
    const value: unknown = this.#value;
    if (!Array.isArray(value) || value.length < minLength || value.length > maxLength) {
      throw this.error(`no array of ${minLength} to ${maxLength}`);
    }
    return value.map(
      (each: unknown, index) => new JsonValue(each, this.#code, `${this.#place}[${index}]`),
    );
  }

  /** An error of the document's code at this place. */
  error(what: string): EvidenceError {
    return new EvidenceError(this.#code, `${this.#place}: ${what}`);
  }

  #object(): Readonly<Record<string, unknown>> {
    const value = this.#value;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw this.error("no object");
    }
    return value as Readonly<Record<string, unknown>>;
  }

  #fields<Required extends string, Optional extends string>(
    entries: Readonly<Record<string, unknown>>,
    required: readonly Required[],
  ): JsonFields<Required, Optional> {
    const read = (key: string): JsonValue | undefined =>
      Object.hasOwn(entries, key)
        ? new JsonValue(entries[key], this.#code, `${this.#place}.${key}`)
        : undefined;
    const missing = required.find((key) => !Object.hasOwn(entries, key));
    if (missing !== undefined) throw this.error(`no key "${missing}"`);
    return {
      get: (key) => read(key) ?? new JsonValue(undefined, this.#code, `${this.#place}.${key}`),
      find: read,
    };
  }
}

/** Fields of an object whose required keys are there. */
export type JsonFields<Required extends string, Optional extends string> = {
  /** A required field. */
  readonly get: (key: Required) => JsonValue;
  /** An optional field, where it is there. */
  readonly find: (key: Optional) => JsonValue | undefined;
};
