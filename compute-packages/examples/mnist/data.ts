/** MNIST as the data files of several clients. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { writeSafetensors } from "../../../lib/tensors/safetensors.ts";
import { IMAGE_BYTES, type LabelledImages, type Mnist, readMnist } from "./idx.ts";
import { exampleSeed } from "./package.ts";
import { type PartitionRule, partitionExamples } from "./partition.ts";

export type MnistDataOptions = {
  /** Integer of 1 to 10,000. */
  readonly clientCount: number;
  /** How the training images are spread; the test images are always spread IID. */
  readonly partition: PartitionRule;
  /** Integer ≥ 0. */
  readonly seed: number;
};

/**
 * One data file per client: x, y from the training set, x_validation, y_validation from the test set. Both sets
 * are split without overlap or remainder, so the mean of the clients' accuracies, weighted by their numbers of
 * examples, is the accuracy on all 10,000 test images.
 * @returns canonical safetensors, the same bytes for the same options
 */
export function* mnistDataFiles(mnist: Mnist, options: MnistDataOptions): Generator<Uint8Array> {
  const { clientCount, partition, seed } = options;
  const iid: PartitionRule = { kind: "iid" };
  const train = partitionExamples(
    mnist.train.labels,
    clientCount,
    partition,
    exampleSeed("train", seed),
  );
  const test = partitionExamples(mnist.test.labels, clientCount, iid, exampleSeed("test", seed));
  for (const [client, positions] of train.entries()) {
    const own = pick(mnist.train, positions);
    const validation = pick(mnist.test, test[client] ?? new Int32Array());
    yield writeSafetensors([...tensors("", own), ...tensors("_validation", validation)]);
  }
}

/**
 * Writes `client-1.safetensors`, `client-2.safetensors`, … into a folder, which is made if need be.
 * @param dataDir  as findMnist gives it
 * @returns the files' paths
 * @throws MnistError "mnist-not-installed" | "mnist-file-differs"
 */
export async function writeMnistData(
  dataDir: string | undefined,
  outDir: string,
  options: MnistDataOptions,
): Promise<readonly string[]> {
  const mnist = await readMnist(dataDir);
  await mkdir(outDir, { recursive: true });
  const paths: string[] = [];
  for (const file of mnistDataFiles(mnist, options)) {
    const target = path.join(outDir, `client-${paths.length + 1}.safetensors`);
    await writeFile(target, file);
    paths.push(target);
  }
  return paths;
}

function tensors(suffix: string, { count, images, labels }: LabelledImages) {
  return [
    { name: `x${suffix}`, dtype: "U8" as const, shape: [count, IMAGE_BYTES], data: images },
    { name: `y${suffix}`, dtype: "U8" as const, shape: [count], data: labels },
  ];
}

function pick(from: LabelledImages, positions: Int32Array): LabelledImages {
  const images = new Uint8Array(positions.length * IMAGE_BYTES);
  positions.forEach((position, row) => {
    const start = position * IMAGE_BYTES;
    images.set(from.images.subarray(start, start + IMAGE_BYTES), row * IMAGE_BYTES);
  });
  const labels = Uint8Array.from(positions, (position) => from.labels[position] ?? 0);
  return { count: positions.length, images, labels };
}
