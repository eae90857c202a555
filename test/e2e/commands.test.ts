/** FEDn packages in a federation of real processes: built, uploaded and trained by the commands people type. Wants a build. */
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startLocalFederation } from "../../cli/demo/local-federation.ts";
import type { RoleProcess } from "../../cli/demo/role-process.ts";
import { runCommand } from "../../cli/testing/captured-output.ts";
import { tinyData, tinyModel, tinyPackage } from "../../client/testing/tiny-package.ts";
import { sandboxesHere } from "../../compute-packages/command/testing/command-world.ts";
import { numpyPython } from "../../compute-packages/command/testing/python.ts";
import { systemClock } from "../../lib/base/clock.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const EXAMPLE = path.join(ROOT, "compute-packages", "examples", "har-iot");
const TIMEOUT_MS = 120_000;
const COMMANDS = ["--runtime", "command", "--command-seconds", "60"];
if (numpyPython === undefined)
  process.stderr.write("not tested here: FEDn packages, for want of numpy\n");

let directory: string;
let roles: RoleProcess[];
let home: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-commands-"));
  roles = [];
});
afterEach(async () => {
  for (const role of roles) role.killNow();
  await rm(directory, { recursive: true, force: true });
});

async function federation(
  data: readonly string[],
  clientArgs: (number: number) => readonly string[],
): Promise<void> {
  const files = await startLocalFederation({
    directory,
    bundleDirectory: path.join(ROOT, "dist"),
    combiners: 1,
    data,
    clientsPerProcess: 1,
    clientArgs,
    clock: systemClock(),
    signal: new AbortController().signal,
    onStart: (role) => void roles.push(role),
  });
  home = files.adminHome;
}

/** Runs `fedclave …` and gives the object it prints. */
async function fedclave<T>(...args: readonly string[]): Promise<T> {
  const run = await runCommand([...args, "--json"], {
    environment: { FEDCLAVE_HOME: home },
    bundleDirectory: path.join(ROOT, "dist"),
  });
  expect([args[0], args[1], run.status, run.status === 0 ? "" : run.stderr]).toEqual([
    args[0],
    args[1],
    0,
    "",
  ]);
  return JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "");
}

type Session = {
  readonly sessionId: string;
  readonly status: string;
  readonly committedRounds: number;
  readonly roundHistory: readonly {
    readonly foldedCount: number;
    readonly metrics?: Readonly<Record<string, number>>;
  }[];
};

/** Trains to the end; `session start --watch` ends with 1 if the session did not finish. */
async function train(...options: readonly string[]): Promise<Session & { readonly said: string }> {
  const run = await runCommand(["session", "start", ...options, "--watch"], {
    environment: { FEDCLAVE_HOME: home },
    bundleDirectory: path.join(ROOT, "dist"),
  });
  const session = await fedclave<Session>("session", "show");
  return { ...session, said: run.stdout + run.stderr + JSON.stringify(session) };
}

const python = (...args: readonly string[]) =>
  execFileSync(numpyPython ?? "python3", ["-B", ...args], {
    cwd: path.join(EXAMPLE, "client"),
    env: { PYTHONPATH: path.join(ROOT, "compute-packages/command/python") },
  });

const clientLog = (number: number) =>
  readFile(path.join(directory, "logs", `client-${number}.log`), "utf8");

describe.skipIf(numpyPython === undefined || sandboxesHere.length === 0)("three clients", () => {
  const data = () =>
    [1, 2, 3].map((number) => path.join(directory, "data", `client-${number}.npz`));
  beforeEach(async () => {
    python(path.join(EXAMPLE, "make_data.py"), path.join(directory, "data"), "3", "600");
    python("model.py", path.join(directory, "seed.npz"));
    await federation(data(), () => COMMANDS);
    await fedclave("model", "import", path.join(directory, "seed.npz"), "--name", "seed");
  });

  async function upload(folder: string): Promise<void> {
    const archive = path.join(directory, `${path.basename(folder)}-${Math.random()}.tgz`);
    await fedclave("package", "build", folder, "--out", archive);
    await fedclave("package", "upload", archive);
  }

  test(
    "train a FEDn package as it is, to a model that is better than any one client's share",
    async () => {
      await upload(EXAMPLE);
      const session = await train("--min-clients", "3", "--rounds", "5");
      expect(session).toMatchObject({ status: "finished", committedRounds: 5 });
      expect(session.roundHistory.map(({ foldedCount }) => foldedCount)).toEqual([3, 3, 3, 3, 3]);
      expect(session.roundHistory.at(-1)?.metrics?.accuracy).toBeGreaterThan(0.9);
      const output = path.join(directory, "federation", "client-1", "command-output", "train.txt");
      expect(await readFile(output, "utf8")).toMatch(/epoch 2 of 2: loss/);
      expect(await readdir(path.join(directory, "data"))).toHaveLength(3);
    },
    TIMEOUT_MS,
  );

  test(
    "go on with their rounds when the package misbehaves at one of them",
    async () => {
      const folder = path.join(directory, "misbehaving");
      await cp(path.join(EXAMPLE, "client"), folder, { recursive: true });
      const script = await readFile(path.join(folder, "train.py"), "utf8");
      // Only where the data says so: it prints for ever there.
      const bad =
        "import os\nwhile 'client-2' in os.environ['FEDN_DATA_PATH']: print('x' * 1000)\n";
      await writeFile(path.join(folder, "train.py"), bad + script);
      await upload(folder);
      const session = await train("--min-clients", "3", "--quorum", "2", "--rounds", "2");
      expect(session).toMatchObject({ status: "finished", committedRounds: 2 });
      expect(session.roundHistory.map(({ foldedCount }) => foldedCount)).toEqual([2, 2]);
      expect(session.said).not.toContain("xxxx");
      expect(await clientLog(2)).toContain("output-too-long");
      const home2 = path.join(directory, "federation", "client-2", "command-output");
      expect(await readFile(path.join(home2, "failure.txt"), "utf8")).toMatch(
        /^# train: failed: output-too-long/,
      );
    },
    TIMEOUT_MS,
  );
});

describe.skipIf(numpyPython === undefined || sandboxesHere.length === 0)(
  "a federation of two clients for graphs and two for commands",
  () => {
    beforeEach(async () => {
      python(path.join(EXAMPLE, "make_data.py"), path.join(directory, "data"), "2", "100");
      python("model.py", path.join(directory, "seed.npz"));
      const graphs = path.join(directory, "tiny.safetensors");
      await writeFile(graphs, tinyData());
      await writeFile(path.join(directory, "tiny-model.safetensors"), tinyModel());
      await writeFile(path.join(directory, "tiny.tgz"), tinyPackage());
      const commands = [1, 2].map((number) => path.join(directory, "data", `client-${number}.npz`));
      await federation([...commands, graphs, graphs], (number) => (number <= 2 ? COMMANDS : []));
      await fedclave("model", "import", path.join(directory, "seed.npz"), "--name", "har-seed");
      const tiny = path.join(directory, "tiny-model.safetensors");
      await fedclave("model", "import", tiny, "--name", "tiny-seed");
      const archive = path.join(directory, "har-iot.tgz");
      await fedclave("package", "build", EXAMPLE, "--out", archive);
      await fedclave("package", "upload", archive);
      await fedclave("package", "upload", path.join(directory, "tiny.tgz"));
    });

    const har = ["--package", "har-iot", "--model", "har-seed"];
    const tiny = ["--package", "tiny", "--model", "tiny-seed"];

    test(
      "does not mix them in one session and says so; each package is trained by its own",
      async () => {
        // A client that cannot validate says nothing, and a minute is waited for it.
        const alone = ["--min-clients", "4", "--quorum", "2", "--rounds", "2", "--no-validate"];
        for (const [ground, others] of [
          [har, [3, 4]],
          [tiny, [1, 2]],
        ] as const) {
          const session = await train(...ground, ...alone);
          expect(session).toMatchObject({ status: "finished", committedRounds: 2 });
          expect(session.roundHistory.map(({ foldedCount }) => foldedCount)).toEqual([2, 2]);
          for (const number of others) expect(await clientLog(number)).toContain("wrong-runtime");
        }
        const mixed = await runCommand(
          ["session", "start", "--package", "har-iot", "--model", "tiny-seed", "--rounds", "1"],
          { environment: { FEDCLAVE_HOME: home }, bundleDirectory: path.join(ROOT, "dist") },
        );
        expect([mixed.status, mixed.stderr]).toEqual([
          1,
          expect.stringContaining("model-does-not-fit"),
        ]);
        const exported = await runCommand(
          ["model", "export", "har-seed", "--package", "har-iot", "--out", "never.onnx"],
          { environment: { FEDCLAVE_HOME: home }, bundleDirectory: path.join(ROOT, "dist") },
        );
        expect([exported.status, exported.stderr]).toEqual([
          1,
          expect.stringContaining("har-iot is a package of commands"),
        ]);
        const all = await train(
          ...har,
          "--min-clients",
          "4",
          "--rounds",
          "1",
          "--max-attempts",
          "1",
        );
        expect(all.status).toBe("failed");
        expect(all.said).toContain("wrong-runtime");
      },
      TIMEOUT_MS,
    );
  },
);
