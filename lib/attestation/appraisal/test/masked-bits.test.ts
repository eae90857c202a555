import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHex, toHex } from "../../../base/bytes.ts";
import {
  bitRefusals,
  type Hazard,
  hazardsAdmitted,
  numberBytes,
  SGX_ATTRIBUTE_HAZARDS,
  SNP_POLICY_HAZARDS,
  TD_ATTRIBUTE_HAZARDS,
} from "../masked-bits.ts";

const fields: readonly [string, number, readonly Hazard[]][] = [
  ["SGX attributes", 16, SGX_ATTRIBUTE_HAZARDS],
  ["TD attributes", 8, TD_ATTRIBUTE_HAZARDS],
  ["SNP guest policy", 8, SNP_POLICY_HAZARDS],
];
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

test.each(fields)(
  "%s pass exactly if they equal the value under the mask",
  (_what, size, hazards) => {
    fc.assert(
      fc.property(bytes(size), bytes(size), bytes(size), (seen, value, mask) => {
        const passes = seen.every((byte, at) => (byte & mask[at]!) === (value[at]! & mask[at]!));
        const wanted = { value: toHex(value), mask: toHex(mask) };
        expect(bitRefusals("attributes-mismatch", seen, wanted, hazards).length === 0).toBe(passes);
      }),
    );
  },
);

test.each(fields)(
  "%s admit a hazard exactly if some field with its bits would pass",
  (_what, size, hazards) => {
    fc.assert(
      fc.property(bytes(size), bytes(size), (value, mask) => {
        const wanted = { value: toHex(value), mask: toHex(mask) };
        const admitted = hazards.filter(({ byte, bits }) =>
          [1, 2, 4, 8, 16, 32, 64, 128].some(
            (bit) =>
              (bits & bit) !== 0 && ((mask[byte]! & bit) === 0 || (value[byte]! & bit) !== 0),
          ),
        );
        expect(hazardsAdmitted(wanted, hazards)).toEqual(admitted.map((each) => each.code));
      }),
    );
  },
);

test("numbers are written as people write them", () => {
  expect(toHex(numberBytes(0xb0000n, 8))).toBe("00000000000b0000");
  expect(toHex(numberBytes(1, 4))).toBe("00000001");
  expect(fromHex("ffffffffffffffff")).toEqual(numberBytes(2n ** 64n - 1n, 8));
});
