/** Three quotes and all their endorsements, every byte replaced by each of its 255 other values: about an hour. */
import { describe, expect, test } from "vitest";
import { substitutions } from "../../lib/attestation/testing/damage.ts";
import { DAMAGED_SCENARIOS } from "../../lib/attestation/testing/dcap-cases.ts";
import {
  distinctSubjects,
  quoteSubject,
  unnoticed,
} from "../../lib/attestation/testing/dcap-damage.ts";
import { loneSubjects } from "../../lib/attestation/testing/lone-damage.ts";
import { hasTestdata } from "../../lib/attestation/testing/testdata.ts";

const SUBJECTS = distinctSubjects(DAMAGED_SCENARIOS, loneSubjects);

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("no other byte passes (needs ../shared/testdata)", () => {
  test.each(DAMAGED_SCENARIOS)("in a quote: %s", (_, scenario) => {
    const subject = quoteSubject(scenario);
    expect(unnoticed(subject, substitutions(subject.bytes))).toEqual([]);
  });

  test.each(SUBJECTS.map((each) => [each.name, each] as const))(
    "in endorsements, but that NUL may stand for the last line end: %s",
    (_, subject) => {
      const { name, bytes } = subject;
      expect(subject.isGenuine(bytes)).toBe(true);
      const end = bytes.byteLength - 1;
      const endsInLine = name.includes("Chain") && bytes[end] === 0x0a;
      const found = unnoticed(subject, substitutions(bytes));
      expect(found).toEqual(endsInLine ? [end] : []);
      if (endsInLine) expect(subject.isGenuine(bytes.with(end, 0))).toBe(true);
    },
  );
});
