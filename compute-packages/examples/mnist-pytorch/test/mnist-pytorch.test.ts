import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { allWaysHere, testDirectory } from "../../../command/testing/command-world.ts";
import { exampleRunner } from "../../../command/testing/example-runner.ts";
import { torchPython } from "../../../command/testing/python.ts";
import { mnistDataFiles } from "../../mnist/data.ts";
import { findMnist, readMnist } from "../../mnist/idx.ts";

const example = path.resolve(import.meta.dirname, "..");
if (torchPython === undefined) {
  process.stderr.write("not tested here: mnist-pytorch, for want of PyTorch (python3-torch)\n");
}

describe.skipIf(torchPython === undefined)("mnist-pytorch", () => {
  test("one of ten clients learns from its images, twice to the same bits", async () => {
    const mnist = await readMnist(findMnist(import.meta.filename));
    const options = { clientCount: 10, partition: { kind: "iid" }, seed: 1 } as const;
    const [file] = mnistDataFiles(mnist, options);
    const data = path.join(await testDirectory(), "client-1.safetensors");
    await writeFile(data, file!);
    const runner = await exampleRunner(allWaysHere[0]!, example, data);
    const before = await runner.accuracy();
    const settings = { localEpochs: 3, learningRate: 0.1 };
    const update = await runner.train(settings);
    expect(update.exampleCount).toBe(6000);
    expect(await runner.train(settings)).toEqual(update);
    expect(before).toBeLessThan(0.3);
    expect(await runner.accuracy(update.update)).toBeGreaterThan(0.8);
  }, 120_000);
});
