import { randomInt } from "node:crypto";
import { describe, expect, test } from "vitest";
import { cuts, flips } from "../../testing/damage.ts";
import { DAMAGED_SCENARIOS, DCAP_CASES, scenarioOf } from "../../testing/dcap-cases.ts";
import { distinctSubjects, quoteSubject, unnoticed } from "../../testing/dcap-damage.ts";
import { hasTestdata } from "../../testing/testdata.ts";

/** Another in each run; DAMAGE_SEED repeats one. */
const SEED = Number(process.env.DAMAGE_SEED ?? randomInt(2 ** 31));

const SUBJECTS = distinctSubjects(DAMAGED_SCENARIOS).map((each) => [each.name, each] as const);

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)(`one flipped bit (seed ${SEED}; needs ../shared/testdata)`, () => {
  test.each(DAMAGED_SCENARIOS)("of a quote is refused: %s", (_, scenario) => {
    const subject = quoteSubject(scenario);
    expect(subject.isGenuine(subject.bytes)).toBe(true);
    expect(unnoticed(subject, flips(subject.bytes, SEED))).toEqual([]);
  });

  test.each(SUBJECTS)("of endorsements is refused: %s", (_, subject) => {
    expect(subject.isGenuine(subject.bytes)).toBe(true);
    expect(unnoticed(subject, flips(subject.bytes, SEED))).toEqual([]);
  });
});

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("cut off (needs ../shared/testdata)", () => {
  test.each(DCAP_CASES.map((each) => [each.file, each] as const))(
    "at any byte %s is refused, but for the zeros after it",
    (_, each) => {
      const scenario = scenarioOf(each);
      const subject = quoteSubject(scenario);
      const whole = scenario.bytes.subarray(
        0,
        scenario.bytes.byteLength - scenario.quote.paddingBytes,
      );
      expect(unnoticed(subject, cuts(whole))).toEqual([]);
      expect(subject.isGenuine(whole)).toBe(each.expect.reject !== "tcb-level-not-found");
    },
  );

  test.each(SUBJECTS)(
    "endorsements are refused, but for the end of the last line: %s",
    (_, subject) => {
      const { name, bytes } = subject;
      const end = bytes.byteLength;
      // Readers are cut at every byte in tests of their own.
      const some = [...cuts(bytes)].filter(({ offset }) => offset % 16 === 0 || offset > end - 4);
      const endsInLine = name.includes("Chain") && bytes[end - 1] === 0x0a;
      expect(unnoticed(subject, some)).toEqual(endsInLine ? [end - 1] : []);
    },
  );
});
