/**
 * Strict reader of DER (X.690 §10, §11): one encoding per value, every tag expected by its reader, every length
 * minimal and bounded by what encloses it, nothing left over.
 */
import { toHex } from "../../base/bytes.ts";
import type { UnixMs } from "../../base/ids.ts";
import { EvidenceError, type EvidenceErrorCode } from "../evidence-error.ts";
import { isMinimalInteger, namedBits, oidText, timeMs } from "./der-values.ts";

/** Identifier octets of what certificates and CRLs are made of. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  /** [0] to [3], constructed. */
  context0: 0xa0,
  context1: 0xa1,
  context2: 0xa2,
  context3: 0xa3,
} as const;

/** Certificates need 9. */
const MAX_DEPTH = 16;
/** Lengths are read up to 4 bytes; what calls this bounds the whole far below. */
const MAX_LENGTH_BYTES = 4;
/** More than any number in certificates or CRLs. */
const MAX_UNSIGNED_BYTES = 64;

/** One value: its content, and all of its bytes with tag and length. Both are views of the input. */
export type DerElement = {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly encoded: Uint8Array;
};

/**
 * Reads the values of one constructed value in order. Every method throws EvidenceError with the code given at
 * construction; the message names the place.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #code: EvidenceErrorCode;
  readonly #place: string;
  readonly #depth: number;
  #offset = 0;

  /**
   * @param place  what the bytes are, for messages: "certificate"
   * @param depth  how many values enclose these bytes
   */
  constructor(bytes: Uint8Array, code: EvidenceErrorCode, place: string, depth = 0) {
    this.#bytes = bytes;
    this.#code = code;
    this.#place = place;
    this.#depth = depth;
    if (depth > MAX_DEPTH) throw this.error("nested too deeply");
  }

  /** Whether nothing is left. */
  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.byteLength;
  }

  /** Tag of the next value; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#offset];
  }

  /** The next value, of whatever tag. */
  any(place: string): DerElement {
    const start = this.#offset;
    const tag = this.#byte(place);
    if ((tag & 0x1f) === 0x1f) throw this.error(`${place}: a tag of several bytes`);
    const length = this.#length(place);
    if (length > this.#bytes.byteLength - this.#offset) throw this.error(`${place}: cut off`);
    const content = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return { tag, content, encoded: this.#bytes.subarray(start, this.#offset) };
  }

  /** The next value, which must have that tag. */
  element(tag: number, place: string): DerElement {
    if (this.nextTag !== tag) {
      const seen = this.nextTag === undefined ? "nothing" : `tag ${hexByte(this.nextTag)}`;
      throw this.error(`${place}: ${seen} where tag ${hexByte(tag)} belongs`);
    }
    return this.any(place);
  }

  /** A reader of the values inside the next value, which must have that tag. */
  within(tag: number, place: string): DerReader {
    return this.inside(this.element(tag, place).content, place);
  }

  /** A reader of values inside content that was read before. */
  inside(content: Uint8Array, place: string): DerReader {
    return new DerReader(content, this.#code, `${this.#place}, ${place}`, this.#depth + 1);
  }

  sequence(place: string): DerReader {
    return this.within(TAG.sequence, place);
  }

  /** BOOLEAN: 00 or FF. */
  boolean(place: string): boolean {
    const { content } = this.element(TAG.boolean, place);
    if (content.byteLength !== 1 || (content[0] !== 0x00 && content[0] !== 0xff)) {
      throw this.error(`${place}: neither 00 nor FF`);
    }
    return content[0] === 0xff;
  }

  /** Content bytes of a minimal INTEGER: two's complement, big-endian, never empty. */
  integer(place: string, tag: number = TAG.integer): Uint8Array {
    const { content } = this.element(tag, place);
    if (!isMinimalInteger(content)) throw this.error(`${place}: not minimal`);
    return content;
  }

  /** An INTEGER that is not negative. @param max  the greatest that is accepted */
  unsigned(place: string, max: bigint, tag: number = TAG.integer): bigint {
    const content = this.integer(place, tag);
    if ((content[0] ?? 0) >= 0x80) throw this.error(`${place}: negative`);
    // Bounded before it is made: conversion takes longer than linear time.
    const value =
      content.byteLength > MAX_UNSIGNED_BYTES ? max + 1n : BigInt(`0x${toHex(content)}`);
    if (value > max) throw this.error(`${place}: above ${max}`);
    return value;
  }

  /** A small INTEGER, 0 to max (at most 2^53 − 1). */
  smallUnsigned(place: string, max: number, tag: number = TAG.integer): number {
    return Number(this.unsigned(place, BigInt(max), tag));
  }

  /** Bytes of a BIT STRING of whole bytes. */
  bitString(place: string): Uint8Array {
    const { content } = this.element(TAG.bitString, place);
    if (content[0] !== 0) throw this.error(`${place}: not of whole bytes`);
    return content.subarray(1);
  }

  /** Bits that are set in a BIT STRING of named bits. */
  namedBits(place: string): readonly number[] {
    const bits = namedBits(this.element(TAG.bitString, place).content);
    if (bits === undefined) throw this.error(`${place}: not a list of named bits`);
    return bits;
  }

  octetString(place: string): Uint8Array {
    return this.element(TAG.octetString, place).content;
  }

  /** Dotted text of an OBJECT IDENTIFIER. */
  oid(place: string): string {
    const text = oidText(this.element(TAG.oid, place).content);
    if (text === undefined) throw this.error(`${place}: not an object identifier`);
    return text;
  }

  /** UTCTime or GeneralizedTime. */
  time(place: string): UnixMs {
    const kind = this.nextTag === TAG.utcTime ? "utc" : "generalized";
    const { content } = this.element(kind === "utc" ? TAG.utcTime : TAG.generalizedTime, place);
    const ms = timeMs(content, kind);
    if (ms === undefined) throw this.error(`${place}: not a time`);
    return ms as UnixMs;
  }

  /** Demands that everything was read. */
  end(): void {
    if (!this.isAtEnd) throw this.error("something follows that does not belong there");
  }

  /** An error of this reader's code and place. */
  error(what: string): EvidenceError {
    return new EvidenceError(this.#code, `${this.#place}: ${what}`);
  }

  #byte(place: string): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw this.error(`${place}: cut off`);
    this.#offset += 1;
    return byte;
  }

  #length(place: string): number {
    const first = this.#byte(place);
    if (first < 0x80) return first;
    const byteCount = first & 0x7f;
    if (byteCount === 0) throw this.error(`${place}: an indefinite length`);
    if (byteCount > MAX_LENGTH_BYTES) throw this.error(`${place}: a length past the end`);
    let length = 0;
    for (let index = 0; index < byteCount; index += 1) length = length * 256 + this.#byte(place);
    const isMinimal = byteCount === 1 ? length >= 0x80 : length >= 2 ** (8 * (byteCount - 1));
    if (!isMinimal) throw this.error(`${place}: a length that is not minimal`);
    return length;
  }
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, "0");
