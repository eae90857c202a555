import fc from "fast-check";
import { expect, test } from "vitest";
import { buildStepGraph } from "../builder/step-graph.ts";
import { gateGraph, gatePackage } from "../gate.ts";
import { evaluationContract, stepContract } from "../graph-contract.ts";
import {
  type Attribute,
  decodeModel,
  encodeModel,
  type Graph,
  type GraphNode,
  type ModelFile,
  valueInfo,
} from "../onnx-file.ts";
import { findOperator } from "../operators.ts";
import { SMALL_NETWORK, smallPackage } from "../testing/small-package.ts";

const { manifest } = smallPackage();
const contract = stepContract(manifest, false);
const good = buildStepGraph(SMALL_NETWORK, { isProximal: false });

type Open<Of> = { -readonly [Key in keyof Of]: Of[Key] };

/** Refusal codes of the good step graph with one change. */
function codesOf(change: (graph: Open<Graph>, model: Open<ModelFile>) => void): string[] {
  const model = decodeModel(good);
  if (typeof model === "string") throw new Error(model);
  change(model.graph!, model);
  return gateGraph(encodeModel(model), contract).map((reason) => reason.code);
}

const node = (opType: string, input: string[], output = "extra", attribute: Attribute[] = []) =>
  ({ opType, input, output: [output], attribute }) satisfies GraphNode;
const add = (graph: Graph, ...nodes: GraphNode[]) => graph.node!.push(...nodes);
const int = (name: string, i: number): Attribute => ({ name, i, type: 2 });
const constant = (name: string, dims: number[], bytes: number, dataType = 1) => ({
  name,
  dims,
  dataType,
  rawData: new Uint8Array(bytes),
});
const firstOf = (graph: Graph, opType: string) =>
  graph.node!.find((each) => each.opType === opType)!;

test("the gate lets through what the builder writes", () => {
  expect(gatePackage(smallPackage())).toEqual([]);
});

test.each<[string, (graph: Open<Graph>, model: Open<ModelFile>) => void, string]>([
  ["an old file format", (_g, m) => Object.assign(m, { irVersion: 7 }), "ir-version-not-supported"],
  [
    "a file format to come",
    (_g, m) => Object.assign(m, { irVersion: 11 }),
    "ir-version-not-supported",
  ],
  [
    "another operator set",
    (_g, m) => Object.assign(m.opsetImport![0]!, { version: 18 }),
    "opset-not-supported",
  ],
  ["no operator set", (_g, m) => Object.assign(m, { opsetImport: [] }), "domain-refused"],
  [
    "a second operator set",
    (_g, m) => m.opsetImport!.push({ domain: "com.microsoft", version: 1 }),
    "domain-refused",
  ],
  [
    "another domain's set",
    (_g, m) => Object.assign(m.opsetImport![0]!, { domain: "ai.onnx.ml" }),
    "domain-refused",
  ],
  [
    "a node of another domain",
    (g) => Object.assign(firstOf(g, "Relu"), { domain: "com.microsoft" }),
    "domain-refused",
  ],
  ["an operator that is not listed", (g) => add(g, node("Loop", ["x"])), "operator-not-allowed"],
  ["a Scan of its own", (g) => add(g, node("Scan", ["x"])), "operator-not-allowed"],
  ["random numbers", (g) => add(g, node("RandomUniformLike", ["x"])), "operator-not-allowed"],
  ["a name of Object.prototype", (g) => add(g, node("constructor", ["x"])), "operator-not-allowed"],
  [
    "an unknown attribute",
    (g) => add(g, node("Relu", ["x"], "extra", [int("axis", 0)])),
    "attribute-refused",
  ],
  [
    "an attribute twice",
    (g) => add(g, node("Cast", ["x"], "extra", [int("to", 1), int("to", 1)])),
    "attribute-refused",
  ],
  [
    "an attribute of another kind",
    (g) => add(g, node("Cast", ["x"], "extra", [{ name: "to", f: 1, type: 1 }])),
    "attribute-refused",
  ],
  [
    "an attribute that says another kind",
    (g) => add(g, node("Cast", ["x"], "extra", [{ name: "to", i: 1, type: 1 }])),
    "attribute-refused",
  ],
  [
    "two values in an attribute",
    (g) => add(g, node("Cast", ["x"], "extra", [{ name: "to", i: 1, f: 2, type: 2 }])),
    "attribute-refused",
  ],
  [
    "a graph in an attribute",
    (g) => add(g, node("Cast", ["x"], "extra", [{ name: "to", i: 1, g: {}, type: 2 }])),
    "attribute-refused",
  ],
  [
    "a tensor in an attribute",
    (g) => add(g, node("Cast", ["x"], "extra", [{ name: "to", i: 1, t: {}, type: 2 }])),
    "attribute-refused",
  ],
  [
    "text in an attribute",
    (g) =>
      add(g, node("Cast", ["x"], "extra", [{ name: "to", i: 1, s: new Uint8Array(), type: 2 }])),
    "attribute-refused",
  ],
  [
    "an infinite attribute",
    (g) =>
      add(
        g,
        node("Gemm", ["x", "first.weight"], "extra", [{ name: "alpha", f: Infinity, type: 1 }]),
      ),
    "attribute-refused",
  ],
  [
    "a long list",
    (g) =>
      add(
        g,
        node("ReduceMax", ["x"], "extra", [{ name: "axes", ints: Array(17).fill(0), type: 7 }]),
      ),
    "attribute-refused",
  ],
  ["a value that is not there", (g) => add(g, node("Relu", ["nothing"])), "operand-refused"],
  ["a value used before it is made", (g) => g.node!.reverse(), "operand-refused"],
  ["an input left out", (g) => add(g, node("Add", ["x"])), "operand-refused"],
  ["an input too many", (g) => add(g, node("Relu", ["x", "x"])), "operand-refused"],
  [
    "an optional input named nothing",
    (g) => add(g, node("Gemm", ["x", "first.weight", ""])),
    "operand-refused",
  ],
  [
    "two outputs",
    (g) => add(g, { ...node("Relu", ["x"]), output: ["extra", "more"] }),
    "operand-refused",
  ],
  ["no output", (g) => add(g, { ...node("Relu", ["x"]), output: [] }), "operand-refused"],
  ["a value made twice", (g) => add(g, node("Relu", ["x"], "loss")), "name-repeated"],
  ["an input made again", (g) => add(g, node("Relu", ["x"], "x")), "name-repeated"],
  ["a constant for an input", (g) => g.initializer!.push(constant("x", [1], 4)), "name-repeated"],
  ["the runner's names", (g) => add(g, node("Relu", ["x"], "scan:indices")), "name-refused"],
  ["an escape sequence as name", (g) => add(g, node("Relu", ["x"], "\u001b[2J")), "name-refused"],
  [
    "a node name with a newline",
    (g) => add(g, { ...node("Relu", ["x"]), name: "a\nb" }),
    "name-refused",
  ],
  [
    "shapes that do not broadcast",
    (g) => add(g, node("Add", ["x", "first.bias"])),
    "shape-mismatch",
  ],
  [
    "a product that does not fit",
    (g) => add(g, node("MatMul", ["x", "second.weight"])),
    "shape-mismatch",
  ],
  [
    "an axis that is not there",
    (g) => add(g, node("LogSoftmax", ["x"], "extra", [int("axis", 2)])),
    "shape-mismatch",
  ],
  ["a cast to text", (g) => add(g, node("Cast", ["x"], "extra", [int("to", 8)])), "shape-mismatch"],
  [
    "a depth that is computed",
    (g) => add(g, node("Size", ["x"], "size"), node("OneHot", ["y", "size", "y.off_on"])),
    "shape-mismatch",
  ],
  [
    "a depth below one",
    (g) => {
      g.initializer!.push(constant("depth", [1], 8, 7));
      add(g, node("OneHot", ["y", "depth", "y.off_on"]));
    },
    "shape-mismatch",
  ],
  [
    "a vast depth",
    (g) => {
      const vast = constant("depth", [1], 8, 7);
      vast.rawData[4] = 1;
      g.initializer!.push(vast);
      add(g, node("OneHot", ["y", "depth", "y.off_on"]));
    },
    "value-too-large",
  ],
  [
    "an outer product that grows",
    (g) => {
      g.initializer!.push(
        constant("row", [1, 2 ** 18], 2 ** 20),
        constant("column", [2 ** 18, 1], 2 ** 20),
      );
      add(g, node("MatMul", ["column", "row"]));
    },
    "value-too-large",
  ],
  [
    "many large values",
    (g) => {
      g.initializer!.push(
        constant("row", [1, 2 ** 14], 2 ** 16),
        constant("column", [2 ** 14, 1], 2 ** 16),
      );
      for (let index = 0; index < 5; index++) add(g, node("Add", ["column", "row"], `sum${index}`));
    },
    "value-too-large",
  ],
  [
    "an initializer with too few bytes",
    (g) => g.initializer!.push(constant("extra", [2], 4)),
    "initializer-refused",
  ],
  [
    "an initializer with too many bytes",
    (g) => g.initializer!.push(constant("extra", [2], 12)),
    "initializer-refused",
  ],
  [
    "an initializer of text",
    (g) => g.initializer!.push(constant("extra", [1], 4, 8)),
    "initializer-refused",
  ],
  [
    "an axis below zero",
    (g) => g.initializer!.push(constant("extra", [-1, -1], 4)),
    "initializer-refused",
  ],
  ["an axis of zero", (g) => g.initializer!.push(constant("extra", [0], 0)), "initializer-refused"],
  [
    "a large initializer",
    (g) => g.initializer!.push(constant("extra", [2 ** 20 + 1], 4 * 2 ** 20 + 4)),
    "initializer-refused",
  ],
  [
    "1025 initializers",
    (g) =>
      Object.assign(g, {
        initializer: Array.from({ length: 1025 }, (_, i) => constant(`c${i}`, [1], 4)),
      }),
    "too-many-initializers",
  ],
  [
    "10001 nodes",
    (g) =>
      Object.assign(g, {
        node: Array.from({ length: 10_001 }, (_, i) => node("Relu", ["x"], `n${i}`)),
      }),
    "too-many-nodes",
  ],
  [
    "an input that is not declared",
    (g) => g.input!.push(valueInfo("more", "F32", [1])),
    "graph-inputs-differ",
  ],
  ["an input that is missing", (g) => g.input!.pop(), "graph-inputs-differ"],
  ["an input twice", (g) => g.input!.push(g.input![0]!), "graph-inputs-differ"],
  [
    "an input of another dtype",
    (g) => Object.assign(g.input![0]!, valueInfo("x", "U8", ["batch", 3])),
    "graph-inputs-differ",
  ],
  [
    "an input of another shape",
    (g) => Object.assign(g.input![0]!, valueInfo("x", "F32", ["batch", 4])),
    "graph-inputs-differ",
  ],
  [
    "another name of the batch axis",
    (g) => Object.assign(g.input![0]!, valueInfo("x", "F32", ["n", 3])),
    "graph-inputs-differ",
  ],
  [
    "an input without a type",
    (g) => Object.assign(g.input![0]!, { type: null }),
    "graph-inputs-differ",
  ],
  [
    "an output too many",
    (g) => g.output!.push(valueInfo("value.0", "F32", ["batch", 5])),
    "graph-outputs-differ",
  ],
  ["an output missing", (g) => g.output!.pop(), "graph-outputs-differ"],
  [
    "an output of another shape",
    (g) => Object.assign(g.output![0]!, valueInfo("loss", "F32", [1])),
    "graph-outputs-differ",
  ],
  [
    "a value that later nodes miss",
    (g) => Object.assign(firstOf(g, "Sub"), { output: ["unused"] }),
    "operand-refused",
  ],
  [
    "an output that no node makes",
    (g) =>
      Object.assign(g, { node: g.node!.filter((each) => each.output![0] !== "first.weight/next") }),
    "graph-outputs-differ",
  ],
])("refuses %s", (_what, change, code) => {
  expect(codesOf(change)).toContain(code);
});

test("an output that is made with another shape than it says is refused", () => {
  const codes = codesOf((graph) => {
    const loss = graph.node!.find((each) => each.output![0] === "loss")!;
    Object.assign(loss, { input: [loss.input![0]!, "y.off_on"] });
  });
  expect(codes).toContain("graph-outputs-differ");
});

test.each<[string, number[]]>([
  ["external data (TensorProto 13)", [7, 5, 13]],
  ["a data location (TensorProto 14)", [7, 5, 14]],
  ["typed data (TensorProto 4)", [7, 5, 4]],
  ["training information (ModelProto 20)", [20]],
  ["functions (ModelProto 25)", [25]],
  ["metadata (ModelProto 14)", [14]],
  ["documentation (GraphProto 10)", [7, 10]],
  ["stated types (GraphProto 13)", [7, 13]],
  ["sparse initializers (GraphProto 15)", [7, 15]],
  ["node metadata (NodeProto 9)", [7, 1, 9]],
  ["tensors in attributes (AttributeProto 10)", [7, 1, 5, 10]],
  ["graphs in attributes (AttributeProto 11)", [7, 1, 5, 11]],
  ["a reference to a function's attribute (AttributeProto 21)", [7, 1, 5, 21]],
  ["sequences (TypeProto 4)", [7, 11, 2, 4]],
  ["a field unknown to all", [99]],
])("refuses a file with %s", (_what, path) => {
  const codes = gateGraph(nested(path), contract).map((reason) => reason.code);
  expect(codes).toEqual(["graph-unknown-fields"]);
});

test.each([[[7, 2]], [[7, 5, 8]], [[7, 1, 5, 1]], [[7, 11, 1]]])(
  "the fields %j are known, so a file of nothing else is refused for what it lacks",
  (path) => {
    const codes = gateGraph(nested(path), contract).map((reason) => reason.code);
    expect(codes).not.toContain("graph-unknown-fields");
    expect(codes).toContain("ir-version-not-supported");
  },
);

test("an integer that a double cannot hold is refused, not rounded", () => {
  const codes = codesOf((graph) => add(graph, node("Cast", ["x"], "extra", [int("to", 2 ** 53)])));
  expect(codes).toEqual(["shape-mismatch"]);
  const model = decodeModel(good);
  if (typeof model === "string") throw new Error(model);
  add(model.graph!, node("Cast", ["x"], "extra", [int("to", 2 ** 53)]));
  const bytes = encodeModel(model);
  // 2^53 as a varint ends in 0x10; the lowest bit makes it 2^53 + 1.
  const at = Buffer.from(bytes).lastIndexOf(
    Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]),
  );
  const odd = bytes.with(at, 0x81);
  expect(gateGraph(odd, contract).map((reason) => reason.code)).toEqual(["graph-unknown-fields"]);
});

test("a graph cut at any byte is refused", () => {
  for (let length = 0; length < good.length; length++) {
    expect(gateGraph(good.subarray(0, length), contract).length).toBeGreaterThan(0);
  }
});

test("a graph with any byte changed is refused or still bounded, never a crash", () => {
  fc.assert(
    fc.property(fc.nat({ max: good.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const reasons = gateGraph(good.with(at, byte), contract);
      expect(reasons.length).toBeLessThanOrEqual(32);
    }),
    { numRuns: 500 },
  );
});

test("random bytes are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(gateGraph(bytes, contract).length).toBeGreaterThan(0);
    }),
  );
});

test("a file past 16 MiB is refused before it is decoded", () => {
  const codes = gateGraph(new Uint8Array(16 * 2 ** 20 + 1), contract).map((reason) => reason.code);
  expect(codes).toEqual(["graph-too-large"]);
});

test("a step graph is no evaluation graph", () => {
  const codes = gateGraph(good, evaluationContract(manifest, 1000)).map((reason) => reason.code);
  expect(codes).toContain("graph-inputs-differ");
  expect(codes).toContain("graph-outputs-differ");
});

test("every reason of every graph is listed with its path", () => {
  const reasons = gatePackage(
    smallPackage((files) => {
      files.set("step.onnx", new Uint8Array([1]));
      files.set("evaluation.onnx", files.get("proximal.onnx")!);
    }),
  );
  expect(reasons[0]).toMatchObject({ code: "graph-malformed" });
  expect(reasons[0]!.seen).toContain("step.onnx");
  expect(reasons.slice(1).every((reason) => reason.seen.startsWith("evaluation.onnx"))).toBe(true);
  expect(reasons.length).toBeGreaterThan(2);
});

test.each<[string, readonly (readonly number[])[], Record<string, number | number[]>, unknown]>([
  [
    "Add",
    [
      [4, 1, 3],
      [2, 1],
    ],
    {},
    [4, 2, 3],
  ],
  ["Where", [[3], [2, 1], []], {}, [2, 3]],
  ["Gemm", [[5, 2], [5, 7], [7]], { transA: 1 }, [2, 7]],
  [
    "Gemm",
    [
      [2, 5],
      [7, 5],
    ],
    { transB: 1 },
    [2, 7],
  ],
  [
    "Gemm",
    [
      [2, 5],
      [5, 7],
      [3, 2, 7],
    ],
    {},
    undefined,
  ],
  [
    "MatMul",
    [
      [2, 3, 4],
      [4, 5],
    ],
    {},
    undefined,
  ],
  ["Transpose", [[2, 3, 4]], {}, [4, 3, 2]],
  ["Transpose", [[2, 3, 4]], { perm: [1, 2, 0] }, [3, 4, 2]],
  ["Transpose", [[2, 3]], { perm: [0, 0] }, undefined],
  ["Transpose", [[2, 3]], { perm: [0, 5] }, undefined],
  ["ReduceMean", [[2, 3, 4]], { axes: [-1, 0] }, [1, 3, 1]],
  ["ReduceMean", [[2, 3, 4]], { axes: [1], keepdims: 0 }, [2, 4]],
  ["ReduceMean", [[2, 3]], { axes: [0, -2] }, undefined],
  ["ReduceSum", [[2, 3]], { keepdims: 0 }, []],
  ["ArgMax", [[2, 3]], { axis: 1, keepdims: 0 }, [2]],
  ["Softmax", [[]], {}, undefined],
])(
  "%s of %j with %j has the shape of the operator reference",
  (opType, shapes, attributes, shape) => {
    const seen = findOperator(opType)!.shape({
      shapes,
      int: (name, fallback) => (attributes[name] as number | undefined) ?? fallback,
      ints: (name) => attributes[name] as number[] | undefined,
      constant: () => undefined,
      pool: () => undefined,
    });
    expect(seen).toEqual(shape);
  },
);

/** A length-delimited field within fields within fields, the innermost empty. */
function nested(path: readonly number[]): Uint8Array {
  return path.reduceRight((inner, number) => {
    const tag = (number << 3) | 2;
    const key = tag < 128 ? [tag] : [(tag & 127) | 128, tag >> 7];
    return Uint8Array.from([...key, inner.length].concat(Array.from(inner)));
  }, new Uint8Array());
}
