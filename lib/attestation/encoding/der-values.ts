/** Contents of single DER values, apart from their tags and lengths. Each returns undefined for what DER forbids. */

/** Longest object identifier that is read, content bytes. */
const MAX_OID_BYTES = 64;

/** Dotted form of an OBJECT IDENTIFIER; undefined if an arc is not minimal or is cut off, or past 64 bytes. */
export function oidText(content: Uint8Array): string | undefined {
  const last = content[content.byteLength - 1];
  if (last === undefined || last >= 0x80 || content.byteLength > MAX_OID_BYTES) return undefined;
  const arcs: (number | bigint)[] = [];
  let arc: number | bigint = 0;
  let isFirstByte = true;
  for (const byte of content) {
    if (isFirstByte && byte === 0x80) return undefined;
    isFirstByte = byte < 0x80;
    arc = nextArc(arc, byte & 0x7f);
    if (isFirstByte) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [root = 0, ...rest] = arcs;
  const top = root < 40 ? 0 : root < 80 ? 1 : 2;
  const second = typeof root === "number" ? root - 40 * top : root - 80n;
  return [top, second, ...rest].join(".");
}

/** Arcs of UUIDs do not fit a number. */
const nextArc = (arc: number | bigint, low: number): number | bigint =>
  typeof arc === "number" && arc < 2 ** 45 ? arc * 128 + low : BigInt(arc) * 128n + BigInt(low);

/** Whether an INTEGER or ENUMERATED has at least one byte and no redundant leading one. */
export function isMinimalInteger(content: Uint8Array): boolean {
  const [first, second] = content;
  if (first === undefined) return false;
  if (second === undefined) return true;
  return !((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80));
}

/**
 * Milliseconds since the epoch of a UTCTime (YYMMDDHHMMSSZ; 50 to 99 are 1950 to 1999) or GeneralizedTime
 * (YYYYMMDDHHMMSSZ), the only spellings of RFC 5280 §4.1.2.5; undefined for others and for days that do not exist.
 * GeneralizedTime is read for years before 2050 too: the enclave SDKs that use mbedTLS write it.
 */
export function timeMs(content: Uint8Array, kind: "utc" | "generalized"): number | undefined {
  const text = Buffer.from(content).toString("latin1");
  if (!(kind === "utc" ? /^\d{12}Z$/ : /^\d{14}Z$/).test(text)) return undefined;
  const full = kind === "generalized" ? text : `${text < "50" ? "20" : "19"}${text}`;
  const iso = full.replace(/^(....)(..)(..)(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6.000Z");
  const ms = Date.parse(iso);
  // Date.parse may carry an impossible day over into the next month.
  return Number.isNaN(ms) || new Date(ms).toISOString() !== iso ? undefined : ms;
}

/** Longest list of named bits that is read, content bytes; keyUsage has at most 3. */
const MAX_NAMED_BITS_BYTES = 16;

/**
 * Indices of the bits that are set in a BIT STRING of named bits; undefined if unused bits are not zero, or past 16
 * bytes. X.690 §11.2.2 wants trailing zero bits left out, but AMD writes them into the keyUsage of its authorities.
 */
export function namedBits(content: Uint8Array): readonly number[] | undefined {
  if (content.byteLength > MAX_NAMED_BITS_BYTES) return undefined;
  const [unused, ...bytes] = content;
  const last = bytes[bytes.length - 1] ?? 0;
  if (unused === undefined || unused > (bytes.length === 0 ? 0 : 7)) return undefined;
  if ((last & ((1 << unused) - 1)) !== 0) return undefined;
  return bytes.flatMap((byte, index) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => byte & (0x80 >> bit)).map((bit) => index * 8 + bit),
  );
}
