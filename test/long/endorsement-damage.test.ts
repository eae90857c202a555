/** Every real certificate and revocation list, every byte replaced by each of its 255 other values. */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { substitutions } from "../../lib/attestation/testing/damage.ts";
import {
  type RealObject,
  realCertificates,
  realCollateral,
  unnoticed,
} from "../../lib/attestation/testing/real-objects.ts";
import { hasTestdata, testdataPath } from "../../lib/attestation/testing/testdata.ts";
import { toHex } from "../../lib/base/bytes.ts";

const collateral = (): readonly string[] =>
  readdirSync(testdataPath("collateral"))
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -".json".length));

/** Sets share signers and lists. */
const objects = hasTestdata
  ? distinct([...realCertificates(), ...collateral().flatMap(realCollateral)])
  : [];

describe.skipIf(!hasTestdata)("real certificates and lists (shared test data)", () => {
  test.each(objects)("$what: no other value of any byte passes", (object) => {
    expect(unnoticed(object, substitutions(object.der))).toEqual([]);
  });
});

function distinct(all: readonly RealObject[]): readonly RealObject[] {
  return [...new Map(all.map((object) => [toHex(object.der), object])).values()];
}
