import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../../../lib/base/ids.ts";
import { allWaysHere, testDirectory } from "../../../command/testing/command-world.ts";
import { exampleRunner } from "../../../command/testing/example-runner.ts";
import { numpyPython } from "../../../command/testing/python.ts";

const example = path.resolve(import.meta.dirname, "..");
if (numpyPython === undefined)
  process.stderr.write("not tested here: har-iot, for want of numpy\n");

describe.skipIf(numpyPython === undefined)("har-iot", () => {
  const makeData = (folder: string, ...more: string[]) =>
    execFileSync(numpyPython!, [path.join(example, "make_data.py"), folder, ...more]);

  test("its data is the same for the same seed, and another client's is another", async () => {
    const [one, two, other] = [await testDirectory(), await testDirectory(), await testDirectory()];
    makeData(one, "2", "40");
    makeData(two, "2", "40");
    makeData(other, "2", "40", "2");
    const digest = async (folder: string, client: number) =>
      digestOf(await readFile(path.join(folder, `client-${client}.npz`)));
    expect(await digest(one, 1)).toBe(await digest(two, 1));
    expect(await digest(one, 2)).not.toBe(await digest(one, 1));
    expect(await digest(other, 1)).not.toBe(await digest(one, 1));
  });

  test("one client alone learns its windows, twice to the same bits", async () => {
    const folder = await testDirectory();
    makeData(folder, "1", "400");
    const data = path.join(folder, "client-1.npz");
    const runner = await exampleRunner(allWaysHere[0]!, example, data);
    const before = await runner.accuracy();
    const update = await runner.train({ localEpochs: 8 });
    expect(update.exampleCount).toBe(400);
    expect(await runner.train({ localEpochs: 8 })).toEqual(update);
    expect(before).toBeLessThan(0.5);
    expect(await runner.accuracy(update.update)).toBeGreaterThan(0.9);
  });
});
