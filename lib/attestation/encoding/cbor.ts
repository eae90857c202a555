/**
 * Reads the part of CBOR (RFC 8949) that evidence is written in, in one form only: definite lengths, the shortest
 * heads, text as map keys, no key twice, no floating point, nothing after the value.
 */
import { EvidenceError } from "../evidence-error.ts";

/** A value as far as evidence has them; `simple` with null is CBOR's null. Byte strings are views of the input. */
export type CborValue =
  | { readonly kind: "integer"; readonly value: bigint }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "array"; readonly items: readonly CborValue[] }
  | { readonly kind: "map"; readonly entries: ReadonlyMap<string, CborValue> }
  | { readonly kind: "tag"; readonly tag: bigint; readonly content: CborValue }
  | { readonly kind: "simple"; readonly value: boolean | null };

/** Deepest nesting of arrays, maps and tags that is read. */
export const MAX_CBOR_DEPTH = 8;

/** The simple values that are read, by number (RFC 8949 §3.3). */
const SIMPLE_VALUES: ReadonlyMap<bigint, boolean | null> = new Map([
  [20n, false],
  [21n, true],
  [22n, null],
]);

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * One CBOR value that fills the bytes. Byte strings are views into them.
 * @throws EvidenceError "malformed-cbor"
 */
export function parseCbor(bytes: Uint8Array): CborValue {
  const input = { bytes, offset: 0 };
  const value = readValue(input, 0);
  if (input.offset !== bytes.byteLength) throw malformed(input, "bytes follow the value");
  return value;
}

type Input = { readonly bytes: Uint8Array; offset: number };

function readValue(input: Input, depth: number): CborValue {
  // Bounds the recursion: what is read comes from a peer.
  if (depth > MAX_CBOR_DEPTH) throw malformed(input, `nesting is deeper than ${MAX_CBOR_DEPTH}`);
  const { major, argument } = readHead(input);
  switch (major) {
    case 0:
      return { kind: "integer", value: argument };
    case 1:
      return { kind: "integer", value: -1n - argument };
    case 2:
      return { kind: "bytes", bytes: take(input, argument) };
    case 3:
      return { kind: "text", text: readText(input, argument) };
    case 4:
      return { kind: "array", items: readItems(input, argument, depth) };
    case 5:
      return { kind: "map", entries: readEntries(input, argument, depth) };
    case 6:
      return { kind: "tag", tag: argument, content: readValue(input, depth + 1) };
    default:
      return readSimple(input, argument);
  }
}

/** First byte: 3 bits of major type, 5 that are the argument or say in how many bytes it follows. */
function readHead(input: Input): { readonly major: number; readonly argument: bigint } {
  const [first = 0] = take(input, 1n);
  const major = first >> 5;
  const additional = first & 0x1f;
  if (additional < 24) return { major, argument: BigInt(additional) };
  if (additional > 27) throw malformed(input, "a length is indefinite or reserved");
  // In major type 7 these are floating point, and simple values that have no meaning.
  if (major === 7) throw malformed(input, "a value is of a kind that evidence has not");
  const sizeBytes = 1 << (additional - 24);
  const argument = take(input, BigInt(sizeBytes)).reduce(
    (sum, byte) => (sum << 8n) | BigInt(byte),
    0n,
  );
  const smallest = sizeBytes === 1 ? 24n : 1n << BigInt(4 * sizeBytes);
  if (argument < smallest) throw malformed(input, "a head is longer than it must be");
  return { major, argument };
}

function readText(input: Input, length: bigint): string {
  const bytes = take(input, length);
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw malformed(input, "a text is not UTF-8", cause);
  }
}

/** Every item takes a byte at least, so that a huge count ends with the input. */
function readItems(input: Input, count: bigint, depth: number): readonly CborValue[] {
  const items: CborValue[] = [];
  for (let index = 0n; index < count; index += 1n) items.push(readValue(input, depth + 1));
  return items;
}

function readEntries(input: Input, count: bigint, depth: number): ReadonlyMap<string, CborValue> {
  const entries = new Map<string, CborValue>();
  for (let index = 0n; index < count; index += 1n) {
    const key = readValue(input, depth + 1);
    if (key.kind !== "text") throw malformed(input, "a key is not text");
    if (entries.has(key.text)) throw malformed(input, "a key stands twice");
    entries.set(key.text, readValue(input, depth + 1));
  }
  return entries;
}

function readSimple(input: Input, argument: bigint): CborValue {
  const value = SIMPLE_VALUES.get(argument);
  if (value === undefined) throw malformed(input, "a simple value is unknown");
  return { kind: "simple", value };
}

function take(input: Input, length: bigint): Uint8Array {
  const { bytes, offset } = input;
  if (length > BigInt(bytes.byteLength - offset)) throw malformed(input, "it ends too early");
  input.offset += Number(length);
  return bytes.subarray(offset, input.offset);
}

const malformed = ({ offset }: Input, why: string, cause?: unknown): EvidenceError =>
  new EvidenceError("malformed-cbor", `CBOR before byte ${offset}: ${why}`, { cause });
