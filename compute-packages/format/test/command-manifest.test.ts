import { expect, test } from "vitest";
import { utf8 } from "../../../lib/base/bytes.ts";
import { packageFor, readPackage, writePackage } from "../archive.ts";
import {
  type CommandManifest,
  filesNamedBy,
  manifestBytes,
  parseManifestFile,
  validateManifest,
} from "../manifest.ts";
import { goodCommandManifest } from "../testing/good-command-manifest.ts";

const files = (manifest = goodCommandManifest) =>
  new Map([
    ["fedn.yaml", manifestBytes(manifest as unknown as CommandManifest)],
    ["python_env.yaml", utf8("name: x\n")],
    ["seed.safetensors", utf8("seed")],
    ["train.py", utf8("pass\n")],
  ]);

test("a good manifest comes back as it is, through an archive too, and names its files", () => {
  const manifest = validateManifest(goodCommandManifest);
  expect(manifest).toEqual(goodCommandManifest);
  expect(filesNamedBy(manifest)).toEqual(["python_env.yaml", "seed.safetensors"]);
  const pkg = readPackage(writePackage(files()));
  expect(pkg.manifest).toEqual(goodCommandManifest);
  expect(packageFor("command", pkg).runtime).toBe("command");
});

test("FEDn's own keys stand in the archive as FEDn reads them", () => {
  const json = JSON.parse(Buffer.from(files().get("fedn.yaml")!).toString());
  expect(json.entry_points.train).toEqual({ command: "python3 train.py" });
  expect(json.python_env).toBe("python_env.yaml");
});

test("the least that may be said is a train command and a helper", () => {
  const manifest = {
    ...goodCommandManifest,
    entry_points: { train: { command: "sh train.sh" } },
    python_env: undefined,
    command: { helper: "binaryhelper" },
  };
  expect(filesNamedBy(validateManifest(JSON.parse(JSON.stringify(manifest))))).toEqual([]);
});

test("a package of another runtime is refused where one is wanted", () => {
  const pkg = readPackage(writePackage(files()));
  expect(() => packageFor("onnx", pkg)).toThrow(expect.objectContaining({ code: "wrong-runtime" }));
});

test("a file that the manifest names must be there", () => {
  const lacking = files();
  lacking.delete("python_env.yaml");
  expect(() => writePackage(lacking)).toThrow(expect.objectContaining({ code: "file-missing" }));
});

type Draft = { [key: string]: Draft } & { [key: string]: unknown };
const many = (count: number, of: (index: number) => unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`e${index}`, of(index)]));

test.each<[string, (manifest: Draft) => unknown, RegExp]>([
  ["no train command", (m) => delete m.entry_points!.train, /has no train/],
  ["an empty command", (m) => Object.assign(m.entry_points!.train!, { command: "" }), /command/],
  [
    "a command of two lines",
    (m) => Object.assign(m.entry_points!.train!, { command: "true\nrm x" }),
    /control character/,
  ],
  [
    "a command of 4097 characters",
    (m) => Object.assign(m.entry_points!.train!, { command: "a".repeat(4097) }),
    /command/,
  ],
  [
    "an unknown key of an entry point",
    (m) => Object.assign(m.entry_points!.train!, { shell: "sh" }),
    /shell/,
  ],
  [
    "17 entry points",
    (m) =>
      Object.assign(
        m.entry_points!,
        many(17, () => ({ command: "true" })),
      ),
    /more than 16/,
  ],
  ["an unknown helper", (m) => Object.assign(m.command!, { helper: "picklehelper" }), /helper/],
  ["no helper", (m) => delete m.command!.helper, /helper/],
  ["a tensor twice", (m) => Object.assign(m.command!, { tensorNames: ["a", "a"] }), /twice/],
  ["no tensor", (m) => Object.assign(m.command!, { tensorNames: [] }), /tensorNames/],
  ["an environment file outside", (m) => Object.assign(m, { python_env: "../env" }), /path/],
  ["an environment without a file", (m) => delete m.python_env, /without the other/],
  [
    "513 dependencies",
    (m) => Object.assign(m.command!.pythonDependencies!, { run: Array(513).fill("a") }),
    /run/,
  ],
  ["inputs, which commands find by themselves", (m) => Object.assign(m, { data: {} }), /data/],
])("refuses %s", (_what, change, message) => {
  const manifest = structuredClone(goodCommandManifest) as unknown as Draft;
  change(manifest);
  expect(() => validateManifest(manifest)).toThrow(
    expect.objectContaining({ code: "manifest-invalid", message: expect.stringMatching(message) }),
  );
});

test("the file of an archive has no second spelling", () => {
  const bytes = manifestBytes(validateManifest(goodCommandManifest));
  expect(parseManifestFile(bytes)).toEqual(goodCommandManifest);
  expect(() => parseManifestFile(utf8(`${Buffer.from(bytes)} `))).toThrow(
    expect.objectContaining({ code: "manifest-not-canonical" }),
  );
});
