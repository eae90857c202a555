/** Bit fields of evidence: some bits are wanted as they stand in a value, the others may be anything. */
import { fromHex, toHex } from "../../base/bytes.ts";
import { assertInvariant, type Refusal, refusal } from "../../base/refusal.ts";
import type { AppraisalCode, HazardCode } from "./codes.ts";

/** Lower-case hex, both of the field's length. Only bits that are set in the mask are compared. */
export type MaskedBits = { readonly value: string; readonly mask: string };

/** Bits of a field that undo what an enclave promises. */
export type Hazard = {
  readonly code: HazardCode;
  /** Index of the byte, in the order in which the field is written as hex. */
  readonly byte: number;
  readonly bits: number;
};

/** SGX ATTRIBUTES, 16 bytes as in the quote (Intel SDM, volume 3D, table 37-3). */
export const SGX_ATTRIBUTE_HAZARDS: readonly Hazard[] = [
  { code: "debug-enclave", byte: 0, bits: 0x02 },
  { code: "provision-key", byte: 0, bits: 0x10 },
  { code: "einittoken-key", byte: 0, bits: 0x20 },
];
/** TD ATTRIBUTES, 8 bytes as in the quote: every bit of the first byte makes the TD untrusted, debugging among them. */
export const TD_ATTRIBUTE_HAZARDS: readonly Hazard[] = [
  { code: "debug-enclave", byte: 0, bits: 0xff },
];
/** SNP guest policy, written as a 64-bit number: bit 19 lets the host debug, bit 18 lets another guest carry it off. */
export const SNP_POLICY_HAZARDS: readonly Hazard[] = [
  { code: "debug-enclave", byte: 5, bits: 0x08 },
  { code: "migration-agent", byte: 5, bits: 0x04 },
];

/**
 * Why the bits are not as wanted: each hazard under its own code, all the rest under the code of the field.
 * @param seen  as many bytes as the field has
 */
export function bitRefusals(
  code: AppraisalCode,
  seen: Uint8Array,
  wanted: MaskedBits,
  hazards: readonly Hazard[] = [],
): Refusal<AppraisalCode>[] {
  const value = bytesOf(wanted.value, seen.byteLength);
  const mask = bytesOf(wanted.mask, seen.byteLength);
  const wrong = seen.map((byte, index) => (byte ^ (value[index] ?? 0)) & (mask[index] ?? 0));
  const refusals: Refusal<AppraisalCode>[] = [];
  const shown = `${wanted.value} where ${wanted.mask} has bits`;
  for (const hazard of hazards) {
    const bits = (wrong[hazard.byte] ?? 0) & (seen[hazard.byte] ?? 0) & hazard.bits;
    if (bits === 0) continue;
    refusals.push(refusal(hazard.code, toHex(seen), shown));
    wrong[hazard.byte] = (wrong[hazard.byte] ?? 0) & ~bits;
  }
  if (wrong.some((byte) => byte !== 0)) refusals.push(refusal(code, toHex(seen), shown));
  return refusals;
}

/** The hazards whose bits are set. */
export const hazardsIn = (seen: Uint8Array, hazards: readonly Hazard[]): readonly HazardCode[] =>
  hazards.filter(({ byte, bits }) => ((seen[byte] ?? 0) & bits) !== 0).map(({ code }) => code);

/** The hazards that would be accepted: a bit of theirs is wanted, or not looked at. */
export function hazardsAdmitted(
  wanted: MaskedBits,
  hazards: readonly Hazard[],
): readonly HazardCode[] {
  const value = fromHex(wanted.value) ?? new Uint8Array();
  const mask = fromHex(wanted.mask) ?? new Uint8Array();
  const admits = ({ byte, bits }: Hazard): boolean =>
    (bits & ~((mask[byte] ?? 0) & ~(value[byte] ?? 0))) !== 0;
  return hazards.filter(admits).map(({ code }) => code);
}

/** A number of the evidence as the bytes of its hexadecimal spelling. @param sizeBytes  4 or 8 */
export function numberBytes(value: number | bigint, sizeBytes: 4 | 8): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes.subarray(8 - sizeBytes);
}

/** Identities are checked where they are read, so another length here is a mistake of ours. */
function bytesOf(hex: string, sizeBytes: number): Uint8Array {
  const bytes = fromHex(hex);
  assertInvariant(
    bytes?.byteLength === sizeBytes,
    "masks and values have the length of their field",
  );
  return bytes;
}
