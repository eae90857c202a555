/** What the bundled runner does to a machine: a child process, because the switch is read once per process. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../../..");
const dir = mkdtempSync(path.join(tmpdir(), "fedclave-telemetry-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const PROGRAM = `
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { disableTelemetry, loadOrt } from "./compute-packages/onnx/ort.ts";
import { openRunner } from "./compute-packages/onnx/runner.ts";
import { smallData, smallPackage } from "./compute-packages/onnx/testing/small-package.ts";

async function train() {
  const pkg = smallPackage();
  const runner = await openRunner(pkg, smallData(16));
  const model = pkg.files.get("seed.safetensors");
  const task = { model, seed: new Uint8Array(32), hyperparameters: {}, proximalMu: 0 };
  const { exampleCount } = await runner.train(task);
  await runner.close();
  return exampleCount;
}
if (isMainThread && process.argv[2] === "worker") {
  if (process.argv[3] === "prepared") disableTelemetry();
  new Worker(__filename).on("message", (outcome) => console.log(outcome));
} else if (isMainThread) {
  train().then((count) => console.log(count));
} else {
  train().catch((error) => error.code).then((outcome) => parentPort.postMessage(outcome));
}
`;

beforeAll(async () => {
  symlinkSync(path.join(root, "node_modules"), path.join(dir, "node_modules"));
  await build({
    stdin: { contents: PROGRAM, resolveDir: root, loader: "ts" },
    outfile: path.join(dir, "program.cjs"),
    bundle: true,
    platform: "node",
    format: "cjs",
    external: ["onnxruntime-node"],
  });
});

/** Runs the program with an empty home and says what it printed and wrote. */
function run(name: string, ...args: string[]) {
  const home = path.join(dir, name);
  mkdirSync(home);
  const { PATH } = process.env;
  const child = spawnSync(process.execPath, [path.join(dir, "program.cjs"), ...args], {
    cwd: home,
    env: {
      PATH,
      HOME: home,
      XDG_CACHE_HOME: path.join(home, "cache"),
    },
    encoding: "utf8",
  });
  return { output: child.stdout.trim(), errors: child.stderr, written: readdirSync(home) };
}

test("the bundled runner trains and leaves no device id, nor anything else", () => {
  expect(run("main")).toEqual({ output: "16", errors: "", written: [] });
});

test("a worker of a process that turned telemetry off trains and leaves nothing", () => {
  expect(run("prepared", "worker", "prepared")).toEqual({ output: "16", errors: "", written: [] });
});

test("a worker of any other process refuses, because native code does not see its environment", () => {
  const outcome = run("unprepared", "worker");
  expect(outcome).toEqual({ output: "telemetry-not-disabled", errors: "", written: [] });
});
