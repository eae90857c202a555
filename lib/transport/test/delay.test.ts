import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { delay } from "../delay.ts";

test("an abort ends the wait at once with its reason", async () => {
  const controller = new AbortController();
  const waiting = delay(systemClock(), 3_600_000, controller.signal);
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await expect(delay(systemClock(), 3_600_000, controller.signal)).rejects.toThrow("enough");
});
