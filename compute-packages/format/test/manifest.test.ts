import { expect, test } from "vitest";
import { utf8 } from "../../../lib/base/bytes.ts";
import { filesNamedBy, manifestBytes, parseManifestFile, validateManifest } from "../manifest.ts";
import { PackageError } from "../package-error.ts";
import { goodManifest } from "../testing/good-manifest.ts";

type Draft = { [key: string]: Draft } & { [key: string]: unknown };

/** The good manifest with one change. */
function deviating(change: (manifest: Draft) => void): unknown {
  const copy = structuredClone(goodManifest) as unknown as Draft;
  change(copy);
  return copy;
}

test("a good manifest comes back as it is and names its files", () => {
  const manifest = validateManifest(goodManifest);
  expect(manifest).toEqual(goodManifest);
  expect(filesNamedBy(manifest)).toEqual([
    "step.onnx",
    "proximal.onnx",
    "evaluation.onnx",
    "models/seed.safetensors",
  ]);
});

test("local state is declared as state is, and needs no file", () => {
  const localState = { "dense.weight.momentum": { dtype: "F32", shape: [3, 2] } };
  const manifest = validateManifest(deviating((m) => Object.assign(m.onnx!, { localState })));
  expect(manifest).toMatchObject({ runtime: "onnx", onnx: { localState } });
  expect(parseManifestFile(manifestBytes(manifest))).toEqual(manifest);
  expect(filesNamedBy(manifest)).toEqual(filesNamedBy(validateManifest(goodManifest)));
});

const inference = {
  graph: "inference.onnx",
  inputs: ["x"],
  outputs: { probabilities: { dtype: "F32", shape: [2] }, label: { dtype: "I64", shape: [] } },
};

test("a graph for inference says what it takes and gives, and is a file of the package", () => {
  const manifest = validateManifest(deviating((m) => Object.assign(m.onnx!, { inference })));
  expect(manifest).toMatchObject({ runtime: "onnx", onnx: { inference } });
  expect(filesNamedBy(manifest)).toContain("inference.onnx");
});

test("what may be left out is the seed model and the proximal graph", () => {
  const manifest = validateManifest(
    deviating((m) => {
      delete m.onnx!.seedModel;
      delete m.onnx!.step!.proximalGraph;
    }),
  );
  expect(filesNamedBy(manifest)).toEqual(["step.onnx", "evaluation.onnx"]);
});

const manyInputs = Object.fromEntries(
  Array.from({ length: 65 }, (_, index) => [`x${index}`, { dtype: "U8", shape: [] }]),
);

test.each<[string, (manifest: Draft) => unknown, RegExp]>([
  ["another kind", (m) => Object.assign(m, { kind: "fedclave/model" }), /kind/],
  ["another version", (m) => Object.assign(m, { version: 2 }), /version/],
  ["a name with capitals", (m) => Object.assign(m, { name: "Good" }), /name/],
  ["an unknown runtime", (m) => Object.assign(m, { runtime: "python" }), /runtime/],
  ["an unknown key", (m) => Object.assign(m, { author: "me" }), /author/],
  ["an unknown key within", (m) => Object.assign(m.onnx!, { device: "gpu" }), /onnx.*device/],
  ["no inputs", (m) => Object.assign(m, { data: {} }), /data declares no input/],
  ["65 inputs", (m) => Object.assign(m, { data: manyInputs }), /data has more than 64/],
  ["an input of float64", (m) => Object.assign(m.data!.x!, { dtype: "F64" }), /data.x.dtype/],
  ["an axis of zero", (m) => Object.assign(m.data!.x!, { shape: [0] }), /data.x.shape.0/],
  ["half an axis", (m) => Object.assign(m.data!.x!, { shape: [1.5] }), /data.x.shape.0/],
  [
    "8 axes besides the examples",
    (m) => Object.assign(m.data!.x!, { shape: Array(8).fill(1) }),
    /shape/,
  ],
  [
    "too many elements",
    (m) => Object.assign(m.data!.x!, { shape: [2 ** 15, 2 ** 15] }),
    /elements/,
  ],
  ["a name with a slash", (m) => Object.assign(m.data!, { "a/b": m.data!.x }), /not an allowed/],
  ["a name with a colon", (m) => Object.assign(m.data!, { "scan:x": m.data!.x }), /not an allowed/],
  ["a validation twin", (m) => Object.assign(m.data!, { x_validation: m.data!.x }), /_validation/],
  ["a path upwards", (m) => Object.assign(m.onnx!.step!, { graph: "../step.onnx" }), /path/],
  ["an absolute path", (m) => Object.assign(m.onnx!.evaluation!, { graph: "/e.onnx" }), /path/],
  ["no metrics", (m) => Object.assign(m.onnx!.evaluation!, { metrics: [] }), /metrics/],
  ["a metric twice", (m) => Object.assign(m.onnx!.evaluation!, { metrics: ["a", "a"] }), /twice/],
  [
    "a metric with capitals",
    (m) => Object.assign(m.onnx!.evaluation!, { metrics: ["Loss"] }),
    /metrics/,
  ],
  ["no state", (m) => Object.assign(m.onnx!, { state: {} }), /declares no tensor/],
  ["integer state", (m) => Object.assign(m.onnx!.state!["dense.weight"]!, { dtype: "I64" }), /F32/],
  ["local state of nothing", (m) => Object.assign(m.onnx!, { localState: {} }), /no tensor/],
  [
    "local state of integers",
    (m) => Object.assign(m.onnx!, { localState: { steps: { dtype: "I64", shape: [] } } }),
    /localState.steps.dtype/,
  ],
  [
    "state that is local as well",
    (m) => Object.assign(m.onnx!, { localState: m.onnx!.state }),
    /one name for two/,
  ],
  [
    "inference from what is no input",
    (m) => Object.assign(m.onnx!, { inference: { ...inference, inputs: ["x", "z"] } }),
    /inference inputs/,
  ],
  [
    "inference from one input twice",
    (m) => Object.assign(m.onnx!, { inference: { ...inference, inputs: ["x", "x"] } }),
    /twice/,
  ],
  [
    "inference from nothing",
    (m) => Object.assign(m.onnx!, { inference: { ...inference, inputs: [] } }),
    /inference.inputs/,
  ],
  [
    "inference that gives nothing",
    (m) => Object.assign(m.onnx!, { inference: { ...inference, outputs: {} } }),
    /declares no output/,
  ],
  [
    "inference that gives an input",
    (m) =>
      Object.assign(m.onnx!, {
        inference: { ...inference, outputs: { y: inference.outputs.label } },
      }),
    /name of an input/,
  ],
  [
    "inference that gives text",
    (m) =>
      Object.assign(m.onnx!, {
        inference: { ...inference, outputs: { a: { dtype: "U8", shape: [] } } },
      }),
    /outputs.a.dtype/,
  ],
  [
    "one name twice",
    (m) => Object.assign(m.onnx!.state!, { x: m.onnx!.state!["dense.weight"] }),
    /one name for two/,
  ],
  [
    "a reserved name",
    (m) => Object.assign(m.onnx!.masks!, { loss: m.onnx!.masks!.dropout }),
    /one name for two/,
  ],
  [
    "a mask that drops all",
    (m) => Object.assign(m.onnx!.masks!.dropout!, { keepPer256: 0 }),
    /keepPer256/,
  ],
  [
    "a mask that keeps all",
    (m) => Object.assign(m.onnx!.masks!.dropout!, { keepPer256: 256 }),
    /keepPer256/,
  ],
  ["no batch size", (m) => delete m.onnx!.hyperparameters!.batchSize, /batchSize/],
  [
    "half a batch",
    (m) => Object.assign(m.onnx!.hyperparameters!.batchSize!, { default: 2.5 }),
    /integer/,
  ],
  [
    "a batch past 65536",
    (m) => Object.assign(m.onnx!.hyperparameters!.batchSize!, { maximum: 65_537 }),
    /range/,
  ],
  [
    "no epoch",
    (m) => Object.assign(m.onnx!.hyperparameters!.localEpochs!, { minimum: 0 }),
    /range/,
  ],
  [
    "a default out of bounds",
    (m) => Object.assign(m.onnx!.hyperparameters!.learningRate!, { default: 2 }),
    /default/,
  ],
  [
    "an infinite bound",
    (m) => Object.assign(m.onnx!.hyperparameters!.learningRate!, { maximum: Infinity }),
    /maximum/,
  ],
  [
    "an ill-named hyperparameter",
    (m) =>
      Object.assign(m.onnx!.hyperparameters!, { "a/b": m.onnx!.hyperparameters!.learningRate }),
    /name/,
  ],
])("refuses %s", (_what, change, message) => {
  const manifest = deviating(change);
  expect(() => validateManifest(manifest)).toThrow(
    expect.objectContaining({ code: "manifest-invalid", message: expect.stringMatching(message) }),
  );
});

test.each([null, undefined, 1, "text", [], [goodManifest]])("refuses %j", (json) => {
  expect(() => validateManifest(json)).toThrow(PackageError);
});

test("the file of an archive reads back and has no second spelling", () => {
  const bytes = manifestBytes(validateManifest(goodManifest));
  expect(parseManifestFile(bytes)).toEqual(goodManifest);
  const text = Buffer.from(bytes).toString();
  const spellings = [` ${text}`, `${text}\n`, text.replace('"version":1', '"version":1.0')];
  for (const spelling of [...spellings, `\ufeff${text}`, "{", ""]) {
    expect(() => parseManifestFile(utf8(spelling))).toThrow(
      expect.objectContaining({ code: "manifest-not-canonical" }),
    );
  }
});

test("a key that the schema would drop is refused", () => {
  const text = Buffer.from(manifestBytes(validateManifest(goodManifest))).toString();
  const hidden = text.replace('"data":{', '"data":{"__proto__":{"dtype":"U8","shape":[]},');
  expect(hidden).not.toBe(text);
  expect(() => parseManifestFile(utf8(hidden))).toThrow(PackageError);
});

test("a manifest of more than 256 KiB is refused before it is parsed", () => {
  expect(() => parseManifestFile(new Uint8Array(256 * 1024 + 1))).toThrow(
    expect.objectContaining({ code: "file-too-large" }),
  );
});
