import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { parseModel, tensorBytes } from "../../../lib/tensors/safetensors.ts";
import { gatePackage } from "../gate.ts";
import { writeInferenceFile } from "../inference-file.ts";
import { decodeModel } from "../onnx-file.ts";
import { type Parameters, referenceLogits } from "../testing/reference-network.ts";
import { SMALL_NETWORK, smallPackage } from "../testing/small-package.ts";

const pkg = smallPackage();
const model = pkg.files.get("seed.safetensors")!;
const ROWS = [
  [1, -2, 0.5],
  [0, 0, 0],
  [30, 4, -10],
];

/** What the file must answer: class probabilities and the likeliest class, by the reference network. */
function wanted(rows: readonly (readonly number[])[]) {
  const { layout } = parseModel(model);
  const parameters: Parameters = new Map(
    layout.tensors.map((each) => [
      each.name,
      Float64Array.from(new Float32Array(tensorBytes(model, each).slice().buffer)),
    ]),
  );
  const batch = { features: rows, labels: rows.map(() => 0), masks: new Map() };
  const logits = referenceLogits(SMALL_NETWORK, parameters, batch);
  return logits.map((row) => {
    const sum = row.reduce((total, each) => total + Math.exp(each), 0);
    return {
      probabilities: row.map((each) => Math.exp(each) / sum),
      answer: row.indexOf(Math.max(...row)),
    };
  });
}

test("the runtime alone answers from the file and the inputs, whatever the batch", async () => {
  const ort = await import("onnxruntime-node");
  const session = await ort.InferenceSession.create(writeInferenceFile(pkg, model));
  expect([...session.inputNames]).toEqual(["x"]);
  expect([...session.outputNames].sort()).toEqual(["answer", "probabilities"]);
  for (const rows of [ROWS, ROWS.slice(0, 1)]) {
    const x = new ort.Tensor("float32", Float32Array.from(rows.flat()), [rows.length, 3]);
    const outputs = await session.run({ x });
    const answers = wanted(rows);
    expect(outputs.answer!.dims).toEqual([rows.length]);
    expect([...(outputs.answer!.data as BigInt64Array)].map(Number)).toEqual(
      answers.map((each) => each.answer),
    );
    const seen = [...(outputs.probabilities!.data as Float32Array)];
    answers
      .flatMap((each) => each.probabilities)
      .forEach((each, index) => {
        expect(seen[index]).toBeCloseTo(each, 6);
      });
  }
  await session.release();
});

const python = ["python3", "/usr/bin/python3"].find(
  (each) => spawnSync(each, ["-c", "import numpy, onnxruntime"]).status === 0,
);
if (python === undefined)
  console.warn("SKIPPED: no python3 with onnxruntime, so exports are read by Node's runtime only");

test.skipIf(python === undefined)("Python's onnxruntime answers the same", async () => {
  const directory = await mkdtemp(path.join(tmpdir(), "fedclave-export-"));
  const file = path.join(directory, "model.onnx");
  await writeFile(file, writeInferenceFile(pkg, model));
  const program =
    "import json, sys, numpy, onnxruntime\n" +
    "session = onnxruntime.InferenceSession(sys.argv[1])\n" +
    "x = numpy.array(json.loads(sys.argv[2]), numpy.float32)\n" +
    "print(json.dumps([each.tolist() for each in session.run(['answer', 'probabilities'], {'x': x})]))";
  const run = spawnSync(python!, ["-c", program, file, JSON.stringify(ROWS)]);
  await rm(directory, { recursive: true });
  const [answers, probabilities] = JSON.parse(run.stdout.toString() || `"${run.stderr}"`);
  expect(answers).toEqual(wanted(ROWS).map((each) => each.answer));
  wanted(ROWS).forEach((row, example) => {
    row.probabilities.forEach((each, index) => {
      expect(probabilities[example][index]).toBeCloseTo(each, 6);
    });
  });
});

test("the weights are constants of the file, with the model's bytes", () => {
  const file = decodeModel(writeInferenceFile(pkg, model));
  if (typeof file === "string") throw new Error(file);
  const constants = new Map(file.graph!.initializer!.map((each) => [each.name, each]));
  for (const tensor of parseModel(model).layout.tensors) {
    const constant = constants.get(tensor.name)!;
    expect(constant.dims).toEqual(tensor.shape);
    expect(Buffer.compare(constant.rawData!, tensorBytes(model, tensor))).toBe(0);
  }
});

test("the same model gives the same bytes", () => {
  expect(writeInferenceFile(pkg, model)).toEqual(writeInferenceFile(pkg, model));
});

const code = (text: string) => expect.objectContaining({ code: text });

test("a package without a graph for inference exports none", () => {
  const without = smallPackage((files) => {
    const text = Buffer.from(files.get("fedn.yaml")!).toString();
    const start = text.indexOf('"inference":');
    const end =
      text.indexOf('"localState":') >= 0 ? text.indexOf('"localState":') : text.indexOf('"masks":');
    files.set("fedn.yaml", Buffer.from(text.slice(0, start) + text.slice(end)));
    files.delete("inference.onnx");
  });
  expect(() => writeInferenceFile(without, model)).toThrow(code("no-inference-graph"));
});

test("a model of another package is refused", () => {
  expect(() => writeInferenceFile(pkg, new Uint8Array([...model, 0]))).toThrow(
    code("model-mismatch"),
  );
});

test.each<[string, string, string]>([
  ["asks for the labels", "evaluation.onnx", "graph-inputs-differ"],
  ["answers otherwise than declared", "step.onnx", "graph-outputs-differ"],
])("the gate refuses a graph for inference that %s", (_what, other, refused) => {
  const hostile = smallPackage((files) => files.set("inference.onnx", files.get(other)!));
  const reasons = gatePackage(hostile);
  expect(reasons.map((reason) => reason.code)).toContain(refused);
  expect(reasons.every((reason) => reason.seen.startsWith("inference.onnx"))).toBe(true);
});
