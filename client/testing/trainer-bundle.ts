import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../..");

/**
 * Bundles entries of client/service as `npm run build` does, from the sources as they are now, for the tests of one
 * file. The folder lies in the repository, since native packages are looked for from there upwards.
 * @param names  by output name: "client-trainer" → "trainer-worker.ts"
 * @returns  path of an output; valid while tests run
 */
export function bundleForTests(names: Readonly<Record<string, string>>): (name: string) => string {
  let directory = "";
  beforeAll(async () => {
    directory = await mkdtemp(path.join(ROOT, "node_modules", ".fedclave-client-test-"));
    for (const [name, entry] of Object.entries(names)) {
      await build({
        entryPoints: [path.join(ROOT, "client", "service", entry)],
        outfile: path.join(directory, `${name}.cjs`),
        bundle: true,
        platform: "node",
        target: "node20",
        format: "cjs",
        external: ["onnxruntime-node"],
        logLevel: "error",
      });
    }
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));
  return (name) => path.join(directory, `${name}.cjs`);
}
