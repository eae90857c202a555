/** IEEE 754 binary16 and bfloat16, to and from float64; rounding is to nearest, ties to even, and only once. */

type SmallFloat = { readonly mantissaBits: number; readonly exponentBias: number };

/** Sign, 5 exponent bits, 10 mantissa bits. */
export const BINARY16: SmallFloat = { mantissaBits: 10, exponentBias: 15 };
/** Sign, 8 exponent bits, 7 mantissa bits: the upper half of a float32. */
export const BFLOAT16: SmallFloat = { mantissaBits: 7, exponentBias: 127 };

const SIGN = 0x8000;
/** Adding and subtracting it rounds a number below 2^51 to an integer, ties to even. */
const TO_INTEGER = 2 ** 52;

const float64 = new Float64Array(1);
const words = new Uint32Array(float64.buffer);

/** The 16 bits of the nearest value: past the largest it is infinite, every NaN becomes the positive quiet one. */
export function encodeSmallFloat(value: number, format: SmallFloat): number {
  const { mantissaBits, exponentBias } = format;
  const infinity = (2 * exponentBias + 1) << mantissaBits;
  if (Number.isNaN(value)) return infinity | (1 << (mantissaBits - 1));
  float64[0] = value;
  const high = words[1] ?? 0;
  const sign = high & 0x80000000 ? SIGN : 0;
  const smallestExponent = 1 - exponentBias;
  const exponent = Math.max(((high >>> 20) & 0x7ff) - 1023, smallestExponent);
  if (exponent > exponentBias) return sign | infinity;
  const scaled = Math.abs(value) * powerOfTwo(mantissaBits - exponent);
  const mantissa = scaled + TO_INTEGER - TO_INTEGER;
  // The leading bit of the mantissa and a carry out of it both count into the exponent field, as they should.
  return sign | Math.min(((exponent - smallestExponent) << mantissaBits) + mantissa, infinity);
}

/** The value of 16 bits, exact. */
export function decodeSmallFloat(bits: number, format: SmallFloat): number {
  const { mantissaBits, exponentBias } = format;
  const sign = bits & SIGN ? -1 : 1;
  const field = (bits & (SIGN - 1)) >>> mantissaBits;
  const mantissa = bits & ((1 << mantissaBits) - 1);
  if (field === 2 * exponentBias + 1) return mantissa === 0 ? sign * Infinity : Number.NaN;
  const leading = field === 0 ? 0 : 1 << mantissaBits;
  return sign * (leading + mantissa) * powerOfTwo(Math.max(field, 1) - exponentBias - mantissaBits);
}

/** 2^n for −1022 ≤ n ≤ 1023, made from bits: engines do not promise that their pow is exact. */
function powerOfTwo(n: number): number {
  words[0] = 0;
  words[1] = (n + 1023) << 20;
  return float64[0] ?? 0;
}
