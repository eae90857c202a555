/** Structures of fixed size, written field by field; integers are little-endian as in all evidence. */
import { assertInvariant } from "../../../../base/refusal.ts";

/** Where a field begins, and its bytes. */
export type PlacedField = readonly [offset: number, bytes: Uint8Array];

/** A structure of that many bytes: the fields where they belong, zero elsewhere. */
export function placed(sizeBytes: number, fields: readonly PlacedField[]): Uint8Array {
  const whole = new Uint8Array(sizeBytes);
  for (const [offset, bytes] of fields) whole.set(bytes, offset);
  return whole;
}

/** The same bytes, whose length must be right: a longer one would run into the next field. */
export function exactly(sizeBytes: number, bytes: Uint8Array): Uint8Array {
  assertInvariant(
    bytes.byteLength === sizeBytes,
    `a field of ${sizeBytes} bytes was given ${bytes.byteLength}`,
  );
  return bytes;
}

/** 2 bytes. */
export const uint16 = (value: number): Uint8Array => littleEndian(2, BigInt(value));

/** 4 bytes. */
export const uint32 = (value: number): Uint8Array => littleEndian(4, BigInt(value));

/** 8 bytes. */
export const uint64 = (value: bigint): Uint8Array => littleEndian(8, value);

function littleEndian(sizeBytes: number, value: bigint): Uint8Array {
  assertInvariant(
    value >= 0n && value < 1n << BigInt(8 * sizeBytes),
    `${value} does not fit into ${sizeBytes} bytes`,
  );
  return Uint8Array.from({ length: sizeBytes }, (_, index) =>
    Number((value >> BigInt(8 * index)) & 0xffn),
  );
}
