import { beforeEach, expect, test } from "vitest";
import type { Digest } from "../../../lib/base/ids.ts";
import { fakeDigest } from "../../testing/client-world.ts";
import { type HeldInputs, MAX_HELD, trackHeldInputs } from "../held-inputs.ts";

let held: HeldInputs;
/** What the trainer was told, in order. */
let told: string[];
let fetchCount: number;

beforeEach(() => {
  told = [];
  fetchCount = 0;
  held = trackHeldInputs({
    give: (what, digest) => told.push(`give ${what} ${nameOf(digest)}`),
    take: (what, digest) => told.push(`take ${what} ${nameOf(digest)}`),
  });
});

const names = new Map<Digest, string>();
function digest(name: string): Digest {
  const made = fakeDigest(name);
  names.set(made, name);
  return made;
}
const nameOf = (made: Digest) => names.get(made);

const fetched = async () => {
  fetchCount += 1;
  return new Uint8Array(1);
};
const hold = (name: string, fetch = fetched) => held.hold("model", digest(name), fetch);

test("what several tasks need at once is fetched once", async () => {
  await Promise.all([hold("a"), hold("a"), hold("a")]);
  expect(fetchCount).toBe(1);
  expect(told).toEqual(["give model a"]);
});

test("what was used stays for the next task", async () => {
  (await hold("a"))();
  (await hold("a"))();
  expect(fetchCount).toBe(1);
});

test("a fetch that fails is its own task's failure; the others fetch for themselves", async () => {
  const failing = hold("a", async () => {
    throw new Error("my combiner is gone");
  });
  const others = [hold("a"), hold("a")];
  await expect(failing).rejects.toThrow("my combiner is gone");
  await Promise.all(others);
  expect(fetchCount).toBe(1);
  expect(told).toEqual(["give model a"]);
});

test("after a failed fetch the next task tries anew", async () => {
  const failure = async () => {
    throw new Error("no");
  };
  await expect(hold("a", failure)).rejects.toThrow("no");
  await hold("a");
  expect(told).toEqual(["give model a"]);
});

test("the one used longest ago makes room, never one in use", async () => {
  expect(MAX_HELD.model).toBe(2);
  const releaseFirst = await hold("a");
  (await hold("b"))();
  (await hold("c"))();
  expect(told.at(-1)).toBe("take model b");
  releaseFirst();
  await hold("d");
  expect(told.at(-1)).toBe("take model a");
});

test("more than fit are held while they are in use, and given up when not", async () => {
  const releases = await Promise.all(["a", "b", "c", "d"].map((name) => hold(name)));
  expect(told.filter((each) => each.startsWith("take"))).toEqual([]);
  for (const release of releases) release();
  expect(told.filter((each) => each.startsWith("take"))).toEqual(["take model a", "take model b"]);
});

test("releasing twice counts once", async () => {
  const release = await hold("a");
  await hold("a");
  release();
  release();
  (await hold("b"))();
  (await hold("c"))();
  expect(told).not.toContain("take model a");
});

test("after the trainer was started anew everything is fetched again", async () => {
  (await hold("a"))();
  held.forget();
  await hold("a");
  expect(told).toEqual(["give model a", "give model a"]);
});

test("packages and models do not share room", async () => {
  for (const name of ["a", "b", "c"]) (await held.hold("package", digest(name), fetched))();
  (await hold("a"))();
  expect(told.filter((each) => each.startsWith("take"))).toEqual([]);
});
