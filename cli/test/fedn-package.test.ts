/** FEDn packages as people have them, through `fedclave package build`. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import tar from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageFor, readPackage } from "../../compute-packages/format/archive.ts";
import { runCommand } from "../testing/captured-output.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-fedn-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const MANIFEST = `# Made for FEDn.
python_env: python_env.yaml
entry_points:
  build:
    command: python model.py
  train:
    command: python train.py $OPTIONS
  validate:
    command: python validate.py
`;
const ENVIRONMENT =
  "name: any\nbuild_dependencies:\n  - pip\ndependencies:\n  - numpy==1.26.4\n  - -r more.txt\n";
const FILES = {
  "fedn.yaml": MANIFEST,
  "python_env.yaml": ENVIRONMENT,
  "train.py": "print('train')\n",
  "lib/model.py": "",
};

let count = 0;
async function folder(
  files: Readonly<Record<string, string>>,
  name = "My_Project",
): Promise<string> {
  count += 1;
  const base = path.join(directory, String(count), name);
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(base, file)), { recursive: true });
    await writeFile(path.join(base, file), text);
  }
  return base;
}

async function archive(files: Readonly<Record<string, string>>, name: string): Promise<string> {
  const pack = tar.pack();
  for (const [file, text] of Object.entries(files)) pack.entry({ name: file, mode: 0o755 }, text);
  pack.finalize();
  const parts: Uint8Array[] = [];
  for await (const part of pack) parts.push(part as Uint8Array);
  const file = path.join(directory, name);
  await writeFile(file, gzipSync(Buffer.concat(parts)));
  return file;
}

async function build(source: string, ...options: string[]) {
  count += 1;
  const out = path.join(directory, `${count}.tgz`);
  const run = await runCommand(["package", "build", source, "--out", out, ...options]);
  expect([run.status, run.status === 0 ? "" : run.stderr]).toEqual([0, ""]);
  return { ...packageFor("command", readPackage(await readFile(out))), notes: run.stderr, out };
}

const EXPECTED = {
  kind: "fedclave/compute-package",
  version: 1,
  name: "my-project",
  runtime: "command",
  python_env: "python_env.yaml",
  entry_points: {
    build: { command: "python model.py" },
    train: { command: "python train.py $OPTIONS" },
    validate: { command: "python validate.py" },
  },
  command: {
    helper: "numpyhelper",
    pythonDependencies: { build: ["pip"], run: ["numpy==1.26.4", "-r more.txt"] },
  },
};

describe("a FEDn package", () => {
  test("in a folder is taken as it is, and only its fedn.yaml is written anew", async () => {
    const pkg = await build(await folder(FILES));
    expect(pkg.manifest).toEqual(EXPECTED);
    expect([...pkg.files.keys()].toSorted()).toEqual(Object.keys(FILES).toSorted());
    expect(Buffer.from(pkg.files.get("train.py")!).toString()).toBe(FILES["train.py"]);
    expect(Buffer.from(pkg.files.get("python_env.yaml")!).toString()).toBe(ENVIRONMENT);
  });

  test("is found in a project's folder client/, whose project gives it its name", async () => {
    const inClient = Object.entries(FILES).map(([name, text]) => [`client/${name}`, text]);
    const project = await folder({ ...Object.fromEntries(inClient), "README.md": "outside" });
    const direct = await build(path.join(project, "client"));
    const found = await build(project);
    expect(found.manifest).toEqual(EXPECTED);
    expect(found.digest).toBe(direct.digest);
    expect((await build(path.join(project, "client", "fedn.yaml"))).digest).toBe(direct.digest);
  });

  test("in an archive, flat or in a folder, is the same package as from its folder", async () => {
    const wanted = await build(await folder(FILES));
    const flat = await build(await archive(FILES, "my_project.tgz"));
    const entries = Object.entries(FILES).map(([name, text]) => [`./client/${name}`, text]);
    const wrapped = await build(
      await archive({ ...Object.fromEntries(entries), other: "x" }, "my_project.tar.gz"),
    );
    expect([flat.digest, wrapped.digest]).toEqual([wanted.digest, wanted.digest]);
    expect(wrapped.notes).toContain("Left out: other.");
  });

  test("comes without hidden files, caches, environments and what .fednignore lists, and says so", async () => {
    const pkg = await build(
      await folder({
        ...FILES,
        ".fednignore": "# data stays\ndata\n*.npz\n",
        ".gitignore": "x",
        "data/patients.csv": "x",
        "seed.npz": "x",
        "lib/__pycache__/model.pyc": "x",
        "venv/pyvenv.cfg": "x",
        "venv/bin/python": "x",
      }),
    );
    expect([...pkg.files.keys()].toSorted()).toEqual(Object.keys(FILES).toSorted());
    for (const each of [".gitignore", "data", "seed.npz", "lib/__pycache__", "venv/"]) {
      expect(pkg.notes).toContain(each);
    }
  });

  test("may have its name and its helper said", async () => {
    const { manifest } = await build(
      await folder(FILES),
      "--name",
      "mine",
      "--helper",
      "binaryhelper",
    );
    expect([manifest.name, manifest.command.helper]).toEqual(["mine", "binaryhelper"]);
  });

  test("may say in fedn.yaml what FEDn does not know; what nobody reads is said", async () => {
    const own = "name: own\nauthor: me\ncommand: {helper: androidhelper, tensorNames: [b, a]}\n";
    const pkg = await build(await folder({ ...FILES, "fedn.yaml": MANIFEST + own }));
    expect(pkg.manifest.name).toBe("own");
    expect(pkg.manifest.command).toMatchObject({
      helper: "androidhelper",
      tensorNames: ["b", "a"],
    });
    expect(pkg.notes).toContain("Not read in fedn.yaml: author.");
  });

  test("is shown to those who decide: its commands and what it would install", async () => {
    const { out } = await build(await folder(FILES));
    const { stdout, status } = await runCommand(["package", "inspect", out]);
    expect(status).toBe(0);
    for (const each of ["python train.py $OPTIONS", "numpy==1.26.4", "numpyhelper", "train.py"]) {
      expect(stdout).toContain(each);
    }
  });

  test.each<[string, Readonly<Record<string, string>>, string]>([
    ["an environment file that is not there", { "python_env.yaml": "" }, "which is not there"],
    [
      "dependencies that are no lines",
      { "python_env.yaml": "dependencies: {a: 1}" },
      "no list of lines",
    ],
    ["a name with a space", { "my model.py": "" }, "my model.py"],
    ["a command that is none", { "fedn.yaml": "entry_points: {train: {}}" }, "command"],
    ["no YAML", { "fedn.yaml": "entry_points: [" }, "is not YAML"],
  ])("with %s is refused", async (what, changes, message) => {
    const files: Record<string, string> = { ...FILES, ...changes };
    if (what.startsWith("an environment file")) delete files["python_env.yaml"];
    const out = path.join(directory, "refused.tgz");
    const run = await runCommand(["package", "build", await folder(files), "--out", out]);
    expect([run.status, run.stdout]).toEqual([1, ""]);
    expect(run.stderr).toContain(message);
  });

  test.each([
    ["package.tar.bz2", "unpack it"],
    ["broken.tgz", "not a readable tar archive"],
  ])("in %s is refused with what to do", async (name, message) => {
    const file = path.join(directory, name);
    await writeFile(file, gzipSync("no tar").subarray(0, 12));
    const run = await runCommand([
      "package",
      "build",
      file,
      "--out",
      path.join(directory, "r.tgz"),
    ]);
    expect([run.status, run.stderr]).toEqual([1, expect.stringContaining(message)]);
  });
});
