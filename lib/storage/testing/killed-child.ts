/** Runs write-until-killed.ts as a real process from a real bundle, and kills it. */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const nodeModules = path.resolve(here, "../../../node_modules");

/** Bundles the child as roles are bundled: CommonJS, the database driver found at run time. */
export async function bundleChild(outfile: string): Promise<void> {
  await build({
    entryPoints: [path.join(here, "write-until-killed.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    external: ["libsql"],
    logLevel: "silent",
  });
}

export type KilledChild = {
  /** Every line of standard output so far. */
  readonly lines: readonly string[];
  /** Resolves when that many lines are there; rejects when the child ends first. */
  readonly hasLines: (count: number) => Promise<void>;
  /** SIGKILL, then every complete line it managed to write. */
  readonly kill: () => Promise<readonly string[]>;
};

export function startChild(bundle: string, ...args: readonly string[]): KilledChild {
  const child: ChildProcess = spawn(process.execPath, [bundle, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_PATH: nodeModules },
  });
  const lines: string[] = [];
  let onLine = () => {};
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  if (child.stdout === null) throw new Error("no standard output");
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    onLine();
  });
  return {
    lines,
    hasLines: async (count) => {
      const enough = new Promise<void>((resolve) => {
        onLine = () => lines.length >= count && resolve();
        onLine();
      });
      await Promise.race([enough, ended]);
      if (lines.length < count) throw new Error("the child ended by itself");
    },
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
      return lines;
    },
  };
}
