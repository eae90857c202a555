/** Real certificates and lists, one bit flipped in every byte: none is taken for the vendor's. */
import { describe, expect, test } from "vitest";
import { cuts, flips } from "../../testing/damage.ts";
import {
  passes,
  type RealObject,
  realCertificates,
  realCollateral,
  unnoticed,
} from "../../testing/real-objects.ts";
import { hasTestdata } from "../../testing/testdata.ts";

const SEED = 20_251_121;

// Every signer and list there is, but for lists of the platform CA that differ in dates; test/long takes all.
const SETS = ["sgx-00906ed50000-2025-05", "tdx-50806f000000-2023-06", "tdx-90c06f000000-2026-02"];

const objects: readonly RealObject[] = hasTestdata
  ? [...realCertificates(), ...SETS.flatMap(realCollateral)]
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
