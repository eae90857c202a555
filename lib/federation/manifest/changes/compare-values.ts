/** Which way a change of one value points, by what the value is for. */
import { isAnything, type OrAnything } from "../../../attestation/appraisal/anything.ts";
import type { MaskedBits } from "../../../attestation/appraisal/masked-bits.ts";
import { fromHex } from "../../../base/bytes.ts";
import { assertInvariant } from "../../../base/refusal.ts";
import { type Comparator, changed, isSame, shown } from "./change.ts";

/** Nothing accepts or refuses anybody by this value. */
export const neutral =
  <T>(because: string): Comparator<T> =>
  (before, after, place) =>
    changed([before, after], place, ["neutral", because]);

/** One value is accepted: another one lets in what was kept out, whatever it is. */
export const wanted =
  <T>(because: string, show: (value: T) => string = shown): Comparator<T> =>
  (before, after, place) =>
    changed([before, after], place, ["loosening", because], show);

/** The entry is found by this value, so both sides have the same. */
export const identifying =
  <T>(): Comparator<T> =>
  (before, after) => {
    assertInvariant(isSame(before, after), "entries are compared with those of the same name");
    return [];
  };

/** Whatever is below is refused. */
export const minimum =
  (raised: string, lowered: string): Comparator<number> =>
  (before, after, place) =>
    changed(
      [before, after],
      place,
      after > before ? ["tightening", raised] : ["loosening", lowered],
    );

/** Whatever is above is refused. */
export const maximum =
  (lowered: string, raised: string): Comparator<number> =>
  (before, after, place) =>
    changed(
      [before, after],
      place,
      after < before ? ["tightening", lowered] : ["loosening", raised],
    );

/** @param what  is wanted: "the configuration" */
export const orAnything =
  <T>(what: string, compare: Comparator<T>): Comparator<OrAnything<T>> =>
  (before, after, place) => {
    const both: readonly [OrAnything<T>, OrAnything<T>] = [before, after];
    if (!isAnything(before) && !isAnything(after)) return compare(before, after, place);
    if (!isAnything(before)) {
      return changed(both, place, ["loosening", `${what} is not looked at any more`]);
    }
    return isAnything(after)
      ? changed(both, place, ["neutral", "only the reason reads differently"])
      : changed(both, place, ["tightening", `${what} was not looked at before`]);
  };

/** Bits that are compared keep out all that have them otherwise. */
export const maskedBits: Comparator<MaskedBits> = (before, after, place) => {
  const [value, mask] = [bytesOf(before.value), bytesOf(before.mask)];
  const [newValue, newMask] = [bytesOf(after.value), bytesOf(after.mask)];
  const dropped = mask.some((bits, index) => (bits & ~(newMask[index] ?? 0)) !== 0);
  const flipped = mask.some(
    (bits, index) => (bits & ((value[index] ?? 0) ^ (newValue[index] ?? 0))) !== 0,
  );
  const show = (bits: MaskedBits) => `${bits.value} under ${bits.mask}`;
  if (dropped) {
    const because = "bits that had to have their value may now have any";
    return changed([before, after], place, ["loosening", because], show);
  }
  if (flipped) {
    const because = "bits must now have a value that was refused before";
    return changed([before, after], place, ["loosening", because], show);
  }
  const isNarrower = newMask.some((bits, index) => (bits & ~(mask[index] ?? 0)) !== 0);
  return changed(
    [before, after],
    place,
    isNarrower
      ? ["tightening", "bits that might have any value must now have this one"]
      : ["neutral", "the same bits must have the same value"],
    show,
  );
};

const bytesOf = (hex: string): Uint8Array => {
  const bytes = fromHex(hex);
  assertInvariant(bytes !== undefined, "masks and values are hex");
  return bytes;
};
