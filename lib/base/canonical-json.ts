/** RFC 8785 (JCS): one byte string per JSON value, so that signatures and hashes have one meaning. */
import { CodedError } from "./refusal.ts";

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

export class CanonicalJsonError extends CodedError<
  "not-json" | "not-canonical" | "too-deep" | "lone-surrogate" | "not-finite"
> {}

const MAX_DEPTH = 64;

/**
 * Canonical text: keys sorted by UTF-16 code units, no white space, numbers as ECMAScript prints them.
 * Keys whose value is undefined are left out.
 * @throws CanonicalJsonError "too-deep" past 64 levels | "lone-surrogate" | "not-finite"
 */
export function canonicalJson(value: Json): string {
  return write(value, 0);
}

/**
 * Parses text that must already be canonical: any other spelling of the same value is refused, and with it
 * duplicate keys, trailing bytes and white space.
 * @throws CanonicalJsonError "not-json" | "not-canonical" and those of canonicalJson
 */
export function parseCanonicalJson(text: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (cause) {
    throw new CanonicalJsonError("not-json", "the text is not JSON", { cause });
  }
  if (canonicalJson(value) !== text) {
    throw new CanonicalJsonError("not-canonical", "the JSON is not in canonical form (RFC 8785)");
  }
  return value;
}

function write(value: Json, depth: number): string {
  if (depth > MAX_DEPTH) throw new CanonicalJsonError("too-deep", "JSON nested past 64 levels");
  if (typeof value === "string") return writeString(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new CanonicalJsonError("not-finite", "JSON has no NaN or ∞");
    return JSON.stringify(value);
  }
  if (value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(",")}]`;
  const entries = Object.entries(value as Record<string, Json | undefined>)
    .filter((entry): entry is [string, Json] => entry[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${writeString(k)}:${write(v, depth + 1)}`).join(",")}}`;
}

function writeString(text: string): string {
  if (/\p{Surrogate}/u.test(text)) {
    throw new CanonicalJsonError("lone-surrogate", "a string holds half a surrogate pair");
  }
  return JSON.stringify(text);
}
