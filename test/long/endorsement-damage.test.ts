/** Real certificates and revocation lists, every byte replaced by each of its 255 other values: about ten minutes. */
import { describe, expect, test } from "vitest";
import { substitutions } from "../../lib/attestation/testing/damage.ts";
import {
  DISTINCT_SETS,
  realCertificates,
  realCollateral,
  unnoticed,
} from "../../lib/attestation/testing/real-objects.ts";
import { hasTestdata } from "../../lib/attestation/testing/testdata.ts";

const objects = hasTestdata
  ? [...realCertificates(), ...DISTINCT_SETS.flatMap(realCollateral)]
  : [];

describe.skipIf(!hasTestdata)("real certificates and lists (shared test data)", () => {
  test.each(objects)("$what: no other value of any byte passes", (object) => {
    expect(unnoticed(object, substitutions(object.der))).toEqual([]);
  });
});
