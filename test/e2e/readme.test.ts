/** The two-machine commands of README.md, as they stand there, on loopback with a directory per machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../..");
const CLI = path.join(ROOT, "dist", "cli.cjs");
const TIMEOUT_MS = 120_000;

let directory: string;
const roles: ChildProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-readme-"));
});
afterAll(async () => {
  for (const role of roles) role.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
});

type Block = { readonly machine: string; readonly commands: readonly string[] };

/** Blocks that are marked as tested, each as its commands. */
async function readBlocks(): Promise<Block[]> {
  const readme = await readFile(path.join(ROOT, "README.md"), "utf8");
  const marked = /<!-- tested by test\/e2e\/readme\.test\.ts: (\w+) -->\n```sh\n([\s\S]*?)```/g;
  return [...readme.matchAll(marked)].map(([, machine = "", text = ""]) => ({
    machine,
    commands: text.replaceAll("\\\n", "").trimEnd().split("\n"),
  }));
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const PRELUDE = `set -e; export FEDCLAVE=${ROOT}; fedclave() { node ${CLI} "$@"; };`;

function run(machine: string, script: string): ChildProcess {
  // exec, so that the role is the process that is signalled.
  return spawn("bash", ["-c", `${PRELUDE} ${script}`], {
    cwd: path.join(directory, machine),
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs a command to its end. */
function toEnd(machine: string, script: string): Promise<string> {
  const child = run(machine, script);
  let text = "";
  child.stdout?.on("data", (part: Buffer) => (text += part));
  child.stderr?.on("data", (part: Buffer) => (text += part));
  return new Promise((resolve, reject) => {
    child.on("close", (status) =>
      status === 0 ? resolve(text) : reject(new Error(`${script}: status ${status}\n${text}`)),
    );
  });
}

/** Starts a role, and goes on when it says that it is ready. */
function toReady(machine: string, script: string): Promise<void> {
  const child = run(
    machine,
    script.replace(/fedclave (reducer|combiner|client) /, `exec node ${CLI} $1 `),
  );
  roles.push(child);
  let text = "";
  child.stderr?.on("data", (part: Buffer) => (text += part));
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", () => resolve());
    child.on("close", () => reject(new Error(`${script} ended:\n${text}`)));
  });
}

test(
  "the commands for two machines work as they are written",
  async () => {
    const ports = { "7443": await freePort(), "7444": await freePort() };
    const blocks = await readBlocks();
    expect(blocks.map((each) => each.machine)).toEqual([
      "server",
      "server",
      "server",
      "hospital",
      "server",
    ]);
    for (const machine of ["server", "hospital"]) await mkdir(path.join(directory, machine));
    const variables = new Map([
      ["server", ""],
      ["hospital", ""],
    ]);
    for (const { machine, commands } of blocks) {
      for (const written of commands) {
        const command = written
          .replace("192.0.2.1", "127.0.0.1")
          .replace(/\b744[34]\b/g, (port) => String(ports[port as keyof typeof ports]))
          .replace(/^scp (.*) hospital:$/, "cp $1 ../hospital/");
        const before = variables.get(machine) ?? "";
        if (/^(export )?[A-Z_]+=/.test(command)) {
          variables.set(machine, `${before}${command.replace(/\s+#.*/, "")}; `);
        } else if (/^fedclave (reducer|combiner|client) /.test(command)) {
          await toReady(machine, before + command);
        } else {
          await toEnd(machine, before + command);
        }
      }
    }
    expect(await readdir(path.join(directory, "server"))).toEqual([
      "fed",
      "mnist.tgz",
      "model.npz",
      "model.onnx",
    ]);
    const exported = path.join(directory, "server", "model.onnx");
    const runtime = await InferenceSession.create(exported);
    expect(runtime.inputNames).toEqual(["x"]);
    await runtime.release();
    const show = `${variables.get("server")} fedclave session show --json`;
    const session = JSON.parse((await toEnd("server", show)).trim().split("\n").at(-1) ?? "");
    expect(session).toMatchObject({ status: "finished", committedRounds: 5 });
    expect(session.roundHistory.at(-1).metrics.accuracy).toBeGreaterThan(0.8);
  },
  TIMEOUT_MS,
);
