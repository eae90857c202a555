/** DER values (X.690), written through node-forge's ASN.1 encoder. Nothing here reads DER. */
import type { asn1 } from "node-forge";
import asn1Writer from "node-forge/lib/asn1.js";
import type { UnixMs } from "./ids.ts";
import { assertInvariant } from "./refusal.ts";

/** A value of ASN.1 that is still to be encoded. */
export type DerValue = asn1.Asn1;

const UNIVERSAL = 0x00;
const CONTEXT_SPECIFIC = 0x80;
const YEAR_OF_GENERALIZED_TIME = 2050;

/** SEQUENCE of the parts in order. */
export const sequence = (...items: readonly DerValue[]): DerValue =>
  asn1Writer.create(UNIVERSAL, 16, true, [...items]);

/** SET; the caller sees to its order. */
export const set = (...items: readonly DerValue[]): DerValue =>
  asn1Writer.create(UNIVERSAL, 17, true, [...items]);

/** BOOLEAN, in DER 00 or ff. */
export const boolean = (value: boolean): DerValue =>
  primitive(1, Uint8Array.of(value ? 0xff : 0x00));

/** NULL. */
export const nullValue = (): DerValue => primitive(5, new Uint8Array());

/** A non-negative INTEGER. @param magnitude  big-endian, any leading zeros */
export const unsignedInteger = (magnitude: Uint8Array): DerValue =>
  primitive(2, Uint8Array.of(0, ...magnitude.subarray(leadingZeros(magnitude))));

/** A non-negative INTEGER. @param value  an integer from 0 */
export const integer = (value: number | bigint): DerValue => unsignedInteger(magnitudeOf(value));

/** ENUMERATED. @param value  0 to 127 */
export const enumerated = (value: number): DerValue => {
  assertInvariant(
    Number.isInteger(value) && value >= 0 && value < 128,
    "an enumeration has 128 values at most",
  );
  return primitive(10, Uint8Array.of(value));
};

/** @param unusedBits  0 to 7 low bits of the last byte that do not count */
export const bitString = (bytes: Uint8Array, unusedBits = 0): DerValue =>
  primitive(3, Uint8Array.of(unusedBits, ...bytes));

/** OCTET STRING. */
export const octetString = (bytes: Uint8Array): DerValue => primitive(4, bytes);

/** UTF8String. */
export const utf8String = (text: string): DerValue => primitive(12, Buffer.from(text, "utf8"));

/** PrintableString. @param text  letters, digits and ' ( ) + , - . / : = ? and spaces */
export const printableString = (text: string): DerValue => {
  assertInvariant(
    /^[A-Za-z0-9 '()+,./:=?-]*$/.test(text),
    "a PrintableString holds few characters",
  );
  return primitive(19, Buffer.from(text, "latin1"));
};

/** IA5String. @param text  ASCII */
export const ia5String = (text: string): DerValue => primitive(22, Buffer.from(text, "latin1"));

/** [number] EXPLICIT around a value. */
export const explicit = (tag: number, value: DerValue): DerValue =>
  asn1Writer.create(CONTEXT_SPECIFIC, tag, true, [value]);

/** [number] IMPLICIT in place of a primitive type's own tag. */
export const implicit = (tag: number, bytes: Uint8Array): DerValue =>
  primitive(CONTEXT_SPECIFIC | tag, bytes);

/** [number] IMPLICIT in place of the tag of a SEQUENCE or SET. */
export const implicitSequence = (tag: number, ...items: readonly DerValue[]): DerValue =>
  asn1Writer.create(CONTEXT_SPECIFIC, tag, true, [...items]);

/** @param dotted  arcs of any size: UUID arcs (2.25) have 128 bits, more than node-forge's own encoder holds */
export function objectIdentifier(dotted: string): DerValue {
  const [first, second, ...rest] = dotted.split(".").map((arc) => BigInt(arc));
  assertInvariant(first !== undefined && second !== undefined, "an OID has two arcs at least");
  return primitive(6, Uint8Array.from([first * 40n + second, ...rest].flatMap(base128)));
}

/** UTCTime to 2049, GeneralizedTime after, whole seconds (RFC 5280 §4.1.2.5). */
export function time(instantMs: UnixMs): DerValue {
  const iso = new Date(instantMs).toISOString();
  assertInvariant(
    /^(?:19[5-9]|[2-9]\d\d)\d-/.test(iso),
    "certificates begin and end from 1950 to 9999",
  );
  const digits = `${iso.slice(0, 19).replace(/[-:T]/g, "")}Z`;
  const isGeneralized = Number(iso.slice(0, 4)) >= YEAR_OF_GENERALIZED_TIME;
  return isGeneralized
    ? primitive(24, Buffer.from(digits, "latin1"))
    : primitive(23, Buffer.from(digits.slice(2), "latin1"));
}

/** A value that is DER already, such as a SubjectPublicKeyInfo. @param der  one value with a one-byte tag */
export function encoded(der: Uint8Array): DerValue {
  const [tag = 0, length = 0] = der;
  const headBytes = length < 0x80 ? 2 : 2 + (length & 0x7f);
  const value = primitive(tag, der.subarray(headBytes));
  assertInvariant(Buffer.from(der).equals(toDer(value)), "an encoded value is one value in DER");
  return value;
}

/** The encoding of a value. */
export const toDer = (value: DerValue): Uint8Array =>
  new Uint8Array(Buffer.from(asn1Writer.toDer(value).getBytes(), "latin1"));

/**
 * node-forge sets tag class and type together as the first byte. All of it is passed as the type, because it would
 * take whatever is numbered 2 in another class for an INTEGER, and drop a leading zero.
 */
const primitive = (firstByte: number, bytes: Uint8Array): DerValue =>
  asn1Writer.create(UNIVERSAL, firstByte, false, binary(bytes));

/** node-forge holds bytes as characters 0 to 255. */
const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

function magnitudeOf(value: number | bigint): Uint8Array {
  assertInvariant(value >= 0, "integers here are not negative");
  const hex = BigInt(value).toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
}

function leadingZeros(bytes: Uint8Array): number {
  const index = bytes.findIndex((byte) => byte !== 0);
  return index === -1 ? bytes.byteLength : index;
}

function base128(arc: bigint): number[] {
  const digits = [Number(arc & 0x7fn)];
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) digits.unshift(Number(rest & 0x7fn) | 0x80);
  return digits;
}
