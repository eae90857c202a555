/** Bounded cursor over little-endian structures, as quotes and reports are written. */
import { toHex } from "../../base/bytes.ts";
import { EvidenceError, type EvidenceErrorCode } from "../evidence-error.ts";

/**
 * Reads fields in order. Every method throws EvidenceError with the code given at construction, naming the field and
 * its offset; byte strings are views of the input.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #code: EvidenceErrorCode;
  readonly #place: string;
  #offset = 0;

  /** @param place  what the bytes are, for messages: "quote" */
  constructor(bytes: Uint8Array, code: EvidenceErrorCode, place: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#code = code;
    this.#place = place;
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes left. */
  get remaining(): number {
    return this.#bytes.byteLength - this.#offset;
  }

  /** One byte. */
  uint8(field: string): number {
    return this.#view.getUint8(this.#advance(1, field));
  }

  /** Two bytes, little-endian. */
  uint16(field: string): number {
    return this.#view.getUint16(this.#advance(2, field), true);
  }

  /** Four bytes, little-endian. */
  uint32(field: string): number {
    return this.#view.getUint32(this.#advance(4, field), true);
  }

  /** Eight bytes, little-endian. */
  uint64(field: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, field), true);
  }

  /** The next bytes. @param length  may be declared by an attacker: it is bounded by what is left */
  bytes(length: number, field: string): Uint8Array {
    const start = this.#advance(length, field);
    return this.#bytes.subarray(start, start + length);
  }

  /** Passes over reserved bytes, which must all be zero. */
  zeros(length: number, field: string): void {
    const start = this.#offset;
    if (this.bytes(length, field).some((byte) => byte !== 0)) {
      throw this.error(field, start, "not zero");
    }
  }

  /** Passes over bytes with one permitted value. */
  constant(wanted: Uint8Array, field: string): void {
    const start = this.#offset;
    const seen = this.bytes(wanted.byteLength, field);
    if (seen.some((byte, index) => byte !== wanted[index])) {
      throw this.error(field, start, `${toHex(seen)} where ${toHex(wanted)} belongs`);
    }
  }

  /** A reader of the next bytes alone. */
  within(length: number, field: string): ByteReader {
    return new ByteReader(this.bytes(length, field), this.#code, `${this.#place}, ${field}`);
  }

  /** Demands that everything was read. */
  end(): void {
    if (this.remaining > 0) {
      throw this.error("end", this.#offset, `${this.remaining} bytes that do not belong there`);
    }
  }

  /** An error of this reader's code. @param offset  where it is wrong */
  error(field: string, offset: number, what: string): EvidenceError {
    return new EvidenceError(this.#code, `${this.#place}, ${field} at byte ${offset}: ${what}`);
  }

  /** @returns where the field starts */
  #advance(length: number, field: string): number {
    const start = this.#offset;
    if (length > this.remaining) {
      throw this.error(field, start, `${length} bytes wanted, ${this.remaining} left`);
    }
    this.#offset += length;
    return start;
  }
}
