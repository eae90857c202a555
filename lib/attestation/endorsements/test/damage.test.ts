/** Real certificates and lists, one bit flipped in every byte: none is taken for the vendor's. */
import { describe, expect, test } from "vitest";
import { cuts, flips } from "../../testing/damage.ts";
import {
  DISTINCT_SETS,
  passes,
  type RealObject,
  realCertificates,
  realCollateral,
  unnoticed,
} from "../../testing/real-objects.ts";
import { hasTestdata } from "../../testing/testdata.ts";

const SEED = 20_251_121;

const objects: readonly RealObject[] = hasTestdata
  ? [...realCertificates(), ...DISTINCT_SETS.flatMap(realCollateral)]
  : [];

describe.skipIf(!hasTestdata)("real certificates and lists (shared test data)", () => {
  test.each(objects)(`$what: a flipped bit in any byte is noticed, seed ${SEED}`, (object) => {
    expect(passes(object, object.der)).toBe(true);
    expect(unnoticed(object, flips(object.der, SEED))).toEqual([]);
  });

  test.each(objects)("$what: a cut at any byte is noticed", (object) => {
    expect(unnoticed(object, cuts(object.der))).toEqual([]);
  });
});
