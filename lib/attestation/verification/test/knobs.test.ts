/** Every knob of the simulator gets the answer that it must get, under a code that no other knob has. */
import { describe, expect, test } from "vitest";
import { KNOBS, platformFor } from "../../attester/simulated/knobs/knobs.ts";
import { codesUnderKept, judge, present, testRoot } from "../../testing/judge.ts";

const root = testRoot();

describe.each(KNOBS.map((knob) => [knob.name, knob] as const))("%s", (_, knob) => {
  const { answer, tees } = knob;
  const own = answer.by === "nobody" ? [] : [answer.code];
  const besides: readonly string[] = answer.by === "verifier" ? (answer.besides ?? []) : [];

  test(`is answered by ${answer.by} ${own} on ${tees}`, async () => {
    const others = new Set<string>();
    for (const tee of tees) {
      const platform = platformFor(knob, tee);
      const presented = await present({ root, platform, knobs: knob.knobs });
      const { by, codes } = await judge(presented);
      expect([tee, by, codes.filter((code) => !besides.includes(code))]).toEqual([
        tee,
        answer.by,
        own,
      ]);
      const underKept = by === "parser" ? undefined : codesUnderKept(presented);
      if (underKept !== undefined) expect(underKept).toEqual(by === "verifier" ? codes : []);
      for (const code of codes) if (besides.includes(code)) others.add(code);
    }
    expect([...others].sort()).toEqual([...besides].sort());
  });
});

test("no two knobs have the same name or the same code", () => {
  const names = KNOBS.map(({ name }) => name);
  expect(repeated(names)).toEqual([]);
  const codes = KNOBS.flatMap(({ answer }) => (answer.by === "nobody" ? [] : [answer.code]));
  expect(repeated(codes)).toEqual([]);
});

const repeated = (texts: readonly string[]): readonly string[] =>
  texts.filter((text, index) => texts.indexOf(text) !== index);
