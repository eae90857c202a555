/** The C loop as a child process, built when a compiler is there. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

export type CLoop = {
  /** One fold over sizeBytes of float32; its duration, measured inside the process. */
  readonly run: () => Promise<number>;
  readonly close: () => void;
};

const SOURCE = path.join("bench", "kernel", "fold.c");
const FLAGS = ["-O3", "-march=native", "-ffp-contract=off", "-std=gnu11"];

/** Builds and starts it; a sentence instead if it cannot be had. Looks for its source below the working directory. */
export function startCLoop(sizeBytes: number): CLoop | string {
  if (!existsSync(SOURCE)) return `${SOURCE} is not below the working directory`;
  const dir = mkdtempSync(path.join(tmpdir(), "fedclave-bench-"));
  const binary = path.join(dir, "fold");
  const compiler = ["cc", "gcc", "clang"].find(
    (command) => spawnSync(command, [...FLAGS, "-o", binary, SOURCE]).status === 0,
  );
  if (compiler === undefined) {
    rmSync(dir, { recursive: true });
    return "no C compiler was found";
  }
  const child = spawn(binary, [String(sizeBytes)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    run: async () => {
      child.stdin.write("\n");
      const line = await lines.next();
      if (line.done) throw new Error("the C loop ended early; is there memory for it?");
      return Number(line.value);
    },
    close: () => stop(child, dir),
  };
}

function stop(child: ChildProcess, dir: string): void {
  child.stdin?.end();
  rmSync(dir, { recursive: true });
}
