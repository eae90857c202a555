import { expect, test } from "vitest";
import { parseModel, tensorBytes } from "../../../lib/tensors/safetensors.ts";
import { gatePackage } from "../gate.ts";
import { decodeModel, encodeModel, type Graph, type GraphNode, valueInfo } from "../onnx-file.ts";
import { openRunner } from "../runner.ts";
import { smallData, smallPackage } from "../testing/small-package.ts";

const node = (opType: string, input: string[], output: string): GraphNode => ({
  opType,
  input,
  output: [output],
});

/** The small package, whose steps also count themselves and add the count, from 0, to a bias. */
const counting = (change: (graph: Graph) => void = () => {}) =>
  smallPackage((files) => {
    const text = Buffer.from(files.get("fedn.yaml")!).toString();
    const localState = '"localState":{"count":{"dtype":"F32","shape":[]}},';
    files.set("fedn.yaml", Buffer.from(text.replace('"masks":', `${localState}"masks":`)));
    for (const path of ["step.onnx", "proximal.onnx"]) {
      const model = decodeModel(files.get(path)!);
      if (typeof model === "string") throw new Error(model);
      const graph = model.graph!;
      const bias = graph.node!.find((each) => each.output![0] === "first.bias/next")!;
      Object.assign(bias, { output: ["descended"] });
      graph.initializer!.push({
        name: "one",
        dims: [],
        dataType: 1,
        rawData: new Uint8Array(Float32Array.of(1).buffer),
      });
      graph.node!.push(node("Add", ["descended", "count"], "first.bias/next"));
      graph.node!.push(node("Add", ["count", "one"], "count/next"));
      graph.input!.push(valueInfo("count", "F32", []));
      graph.output!.push(valueInfo("count/next", "F32", []));
      change(graph);
      files.set(path, encodeModel(model));
    }
  });

test("local state goes from step to step and epoch to epoch, begins at zero in every task and stays", async () => {
  const pkg = counting();
  expect(gatePackage(pkg)).toEqual([]);
  const model = pkg.files.get("seed.safetensors")!;
  // 4 steps an epoch, 2 epochs, no learning: what is left is 0 + 1 + … + 7.
  const runner = await openRunner(pkg, smallData(18));
  const hyperparameters = { learningRate: 0 };
  for (const proximalMu of [0, 0, 0.5]) {
    const task = { model, seed: new Uint8Array(32), hyperparameters, proximalMu };
    const { update } = await runner.train(task);
    const { layout } = parseModel(update);
    expect(layout).toEqual(parseModel(model).layout);
    const bias = layout.tensors.find((each) => each.name === "first.bias")!;
    const change = new Float32Array(tensorBytes(update, bias).slice().buffer);
    for (const each of change) expect(each).toBeCloseTo(28, 4);
  }
  await runner.close();
});

test.each<[string, (graph: Graph) => void, string]>([
  ["does not take its local state", (graph) => graph.input!.pop(), "graph-inputs-differ"],
  ["does not give its local state", (graph) => graph.output!.pop(), "graph-outputs-differ"],
  [
    "gives its local state another shape",
    (graph) => {
      const next = graph.node!.find((each) => each.output![0] === "count/next")!;
      Object.assign(next, { input: ["first.bias", "one"] });
    },
    "graph-outputs-differ",
  ],
])("a step that %s is refused", (_what, change, code) => {
  expect(gatePackage(counting(change)).map((reason) => reason.code)).toContain(code);
});
