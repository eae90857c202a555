/** The MNIST examples as files: what the demo runs, and what `fedclave demo files` leaves for running it by hand. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { writeMnistData } from "../../compute-packages/examples/mnist/data.ts";
import { findMnist } from "../../compute-packages/examples/mnist/idx.ts";
import { buildMnistPackage } from "../../compute-packages/examples/mnist/package.ts";
import { buildMnistCnnPackage } from "../../compute-packages/examples/mnist-cnn/package.ts";
import { readPackage } from "../../compute-packages/format/archive.ts";
import { MANIFEST_PATH } from "../../compute-packages/format/manifest.ts";
import type { ExampleName } from "../example-names.ts";
import { makeEmptyDirectory } from "../init-federation.ts";
import type { ExampleOptions } from "./options.ts";

export type ExampleFiles = {
  /** Folder with fedn.yaml, graphs and seed model: for `fedclave package build`. */
  readonly packageFolder: string;
  /** Per client; its training and its test images. Empty if only the package was asked for. */
  readonly data: readonly string[];
};

const BUILDERS: {
  readonly [Name in ExampleName]: (exampleDir: string, seed: number) => Promise<Uint8Array>;
} = { mnist: buildMnistPackage, "mnist-cnn": buildMnistCnnPackage };

/** Archive of an example; the seed decides the seed model. */
export const examplePackage = (
  bundleDirectory: string,
  { example, seed }: Pick<ExampleOptions, "example" | "seed">,
): Promise<Uint8Array> => BUILDERS[example](exampleFolder(bundleDirectory, example), seed);

/**
 * One data file per client.
 * @throws MnistError "mnist-not-installed" | "mnist-file-differs"
 */
export const exampleData = (
  bundleDirectory: string,
  directory: string,
  { clients, partition, seed }: Pick<ExampleOptions, "clients" | "partition" | "seed">,
): Promise<readonly string[]> =>
  writeMnistData(findMnist(path.join(bundleDirectory, "demo.cjs")), directory, {
    clientCount: clients,
    partition,
    seed,
  });

/**
 * Writes package and data.
 * @param directory  absent or empty
 * @throws CliError "already-exists", and as exampleData
 */
export async function writeExample(
  bundleDirectory: string,
  directory: string,
  options: ExampleOptions,
): Promise<ExampleFiles> {
  await makeEmptyDirectory(directory);
  const packageFolder = path.join(directory, "package");
  await mkdir(packageFolder);
  const { files } = readPackage(await examplePackage(bundleDirectory, options));
  for (const [name, content] of files) await writeFile(path.join(packageFolder, name), content);
  // The author's version says the same and has comments.
  const manifest = path.join(exampleFolder(bundleDirectory, options.example), MANIFEST_PATH);
  await copyFile(manifest, path.join(packageFolder, MANIFEST_PATH));
  if (options.packageOnly === true) return { packageFolder, data: [] };
  const data = await exampleData(bundleDirectory, path.join(directory, "data"), options);
  return { packageFolder, data };
}

const exampleFolder = (bundleDirectory: string, example: ExampleName): string =>
  path.join(bundleDirectory, "..", "compute-packages", "examples", example);
