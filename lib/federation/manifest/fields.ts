/** The values a manifest is made of. Each says of a wrong one what is wrong, never the value itself. */
import * as z from "zod/mini";
import type { Anything, OrAnything } from "../../attestation/appraisal/anything.ts";
import type { MaskedBits } from "../../attestation/appraisal/masked-bits.ts";
import { fromBase64 } from "../../base/base64.ts";
import { type Digest, type Name, parseDigest, parseName } from "../../base/ids.ts";

const MAX_TEXT_LENGTH = 500;
const MAX_BASE64_LENGTH = 16 * 1024;

/** A leaf: `wrong` says what is wrong with a value that is there, or undefined if nothing is. */
function leaf<T>(wrong: (value: unknown) => string | undefined): z.ZodMiniType<T> {
  return z.custom<T>((value) => value !== undefined && wrong(value) === undefined, {
    error: ({ input }) => (input === undefined ? "missing" : (wrong(input) ?? "")),
  });
}

const text = <T extends string = string>(wanted: string, isRight: (text: string) => boolean) =>
  leaf<T>((value) => (typeof value === "string" && isRight(value) ? undefined : wanted));

/** A name of a party or identity. */
export const name = text<Name>(
  "not a name: 1 to 63 of a-z, 0-9 and -",
  (value) => parseName(value) !== undefined,
);

/** A SHA-256 digest, lower-case hex. */
export const digest = text<Digest>(
  "not a digest: 64 lower-case hex digits",
  (value) => parseDigest(value) !== undefined,
);

/** Why something is so, for the people who sign it. */
export const because = text(
  `not a reason: 1 to ${MAX_TEXT_LENGTH} printable characters`,
  (value) => value.length <= MAX_TEXT_LENGTH && /^[^\p{C}]*\S[^\p{C}]*$/u.test(value),
);

/** As Intel names them: "INTEL-SA-00615". */
export const advisory = text("not an advisory such as INTEL-SA-00615", (value) =>
  /^[A-Z0-9-]{1,40}$/.test(value),
);

/** Base64 of some bytes; what they are is checked where it is known. */
export const base64 = text(
  "not base64",
  (value) => value.length <= MAX_BASE64_LENGTH && value !== "" && fromBase64(value) !== undefined,
);

/** So many bytes in lower-case hex. */
export const hex = (sizeBytes: number): z.ZodMiniType<string> =>
  leaf((value) => {
    if (typeof value !== "string") return `not ${sizeBytes * 2} hex digits`;
    if (/[^0-9a-f]/.test(value)) return "not lower-case hex digits";
    return value.length === sizeBytes * 2
      ? undefined
      : `${value.length} of ${sizeBytes * 2} hex digits`;
  });

/** @param high  unset: 2^53 − 1 */
export const integer = (low: number, high = Number.MAX_SAFE_INTEGER): z.ZodMiniType<number> =>
  leaf((value) => {
    const range = high === Number.MAX_SAFE_INTEGER ? `from ${low}` : `from ${low} to ${high}`;
    const holds = Number.isSafeInteger(value) && Number(value) >= low && Number(value) <= high;
    return holds ? undefined : `not a whole number ${range}`;
  });

/** A number that is above 0 and below `end`. */
export const positive = (end: number): z.ZodMiniType<number> =>
  leaf((value) => {
    const holds = typeof value === "number" && value > 0 && value < end;
    const range = end === Number.POSITIVE_INFINITY ? "above 0" : `above 0 and below ${end}`;
    return holds ? undefined : `not a number ${range}`;
  });

/** One of these words. */
export const oneOf = <const T extends string>(...allowed: readonly T[]): z.ZodMiniType<T> =>
  leaf((value) =>
    allowed.some((each) => each === value) ? undefined : `not ${allowed.join(" or ")}`,
  );

/** The one value. */
export const exactly = <const T>(wanted: T): z.ZodMiniType<T> =>
  leaf((value) => (value === wanted ? undefined : `not ${JSON.stringify(wanted)}`));

const anything: z.ZodMiniType<Anything> = z.strictObject({ any: exactly(true), because });

/** What is wanted, or `{any: true, because: "…"}`. */
export const orAnything = <T>(wanted: z.ZodMiniType<T>): z.ZodMiniType<OrAnything<T>> =>
  z.union([wanted, anything]);

/** Bits that are wanted, and which of them count; both of `sizeBytes` bytes in hex. */
export const maskedBits = (sizeBytes: number): z.ZodMiniType<MaskedBits> =>
  z.strictObject({ value: hex(sizeBytes), mask: hex(sizeBytes) });

/** A list of `low` to `high` entries. */
export const list = <T>(item: z.ZodMiniType<T>, low: number, high: number): z.ZodMiniType<T[]> =>
  z.array(item).check(z.minLength(low), z.maxLength(high));
