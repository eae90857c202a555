import { expect, test } from "vitest";
import { oneAtATime } from "../one-at-a-time.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("jobs run in the order they came and never overlap", async () => {
  const queue = oneAtATime();
  const log: string[] = [];
  const job = (name: string) => async () => {
    log.push(`${name} begins`);
    await turn();
    log.push(`${name} ends`);
    return name;
  };
  expect(await Promise.all(["a", "b", "c"].map((name) => queue(job(name))))).toEqual([
    "a",
    "b",
    "c",
  ]);
  expect(log).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});

test("a job that fails tells its own caller and lets the next one run", async () => {
  const queue = oneAtATime();
  const failing = queue(async () => {
    throw new Error("broken");
  });
  const next = queue(async () => "fine");
  await expect(failing).rejects.toThrow("broken");
  expect(await next).toBe("fine");
});
