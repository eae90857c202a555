/** Writes what `parseCbor` reads: CBOR (RFC 8949) with definite lengths and the shortest heads. */
import { concatBytes, utf8 } from "../../base/bytes.ts";
import { assertInvariant } from "../../base/refusal.ts";
import type { CborValue } from "./cbor.ts";

const ARGUMENT_LIMIT = 1n << 64n;

/** The encoding of a value; map entries in the order of the map. */
export function writeCbor(value: CborValue): Uint8Array {
  switch (value.kind) {
    case "integer":
      return value.value >= 0n ? head(0, value.value) : head(1, -1n - value.value);
    case "bytes":
      return concatBytes(head(2, value.bytes.byteLength), value.bytes);
    case "text":
      return text(value.text);
    case "array":
      return concatBytes(head(4, value.items.length), ...value.items.map(writeCbor));
    case "map": {
      const entries = [...value.entries].flatMap(([key, each]) => [text(key), writeCbor(each)]);
      return concatBytes(head(5, value.entries.size), ...entries);
    }
    case "tag":
      return concatBytes(head(6, value.tag), writeCbor(value.content));
    case "simple":
      return head(7, value.value === null ? 22 : value.value ? 21 : 20);
  }
}

function text(content: string): Uint8Array {
  const bytes = utf8(content);
  return concatBytes(head(3, bytes.byteLength), bytes);
}

/** Major type and argument: in the low 5 bits of the first byte if below 24, else in 1, 2, 4 or 8 bytes after it. */
function head(major: number, argument: number | bigint): Uint8Array {
  const value = BigInt(argument);
  assertInvariant(value >= 0n && value < ARGUMENT_LIMIT, "CBOR arguments have 64 bits");
  if (value < 24n) return Uint8Array.of((major << 5) | Number(value));
  const sizeLog2 = [0, 1, 2].find((log2) => value >> (8n << BigInt(log2)) === 0n) ?? 3;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return concatBytes(
    Uint8Array.of((major << 5) | (24 + sizeLog2)),
    bytes.subarray(8 - (1 << sizeLog2)),
  );
}
