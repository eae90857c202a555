import { expect, test } from "vitest";
import { fakeClock } from "../testing/fake-clock.ts";

test("timers run at their own instants, in order, those set meanwhile included", async () => {
  const clock = fakeClock(1000);
  const seen: string[] = [];
  const note = (what: string) => () => void seen.push(`${what}@${clock.untrustedNowMs()}`);
  clock.after(20, note("b"));
  clock.after(10, () => {
    note("a")();
    clock.after(5, note("nested"));
  });
  clock.after(20, note("c"));
  const cancel = clock.after(1, note("never"));
  cancel();
  await clock.advance(19);
  expect(seen).toEqual(["a@1010", "nested@1015"]);
  await clock.advance(1);
  expect(seen.slice(2)).toEqual(["b@1020", "c@1020"]);
  expect(clock.timerCount()).toBe(0);
});
