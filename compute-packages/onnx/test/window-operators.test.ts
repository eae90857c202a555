import { expect, test } from "vitest";
import { gateGraph } from "../gate.ts";
import type { GraphContract } from "../graph-contract.ts";
import { MAX_STEP_WORK } from "../limits.ts";
import {
  type Attribute,
  encodeModel,
  type GraphNode,
  type Initializer,
  valueInfo,
} from "../onnx-file.ts";

const CONTRACT: GraphContract = {
  inputs: [
    { name: "image", dtype: "F32", dimensions: ["batch", 3, 8, 9] },
    { name: "rows", dtype: "F32", dimensions: ["batch", 5] },
    { name: "kernel", dtype: "F32", dimensions: [4, 3, 3, 3] },
    { name: "bias", dtype: "F32", dimensions: [4] },
    { name: "wide", dtype: "F32", dimensions: [1, 1, 2048, 2048] },
    { name: "square", dtype: "F32", dimensions: [4000, 4000] },
    { name: "small", dtype: "F32", dimensions: [1, 1, 11, 11] },
    { name: "wideKernel", dtype: "F32", dimensions: [1, 1, 1024, 1024] },
  ],
  outputs: [],
  maxBatchSize: 6,
};

const ints = (name: string, ...values: number[]): Attribute => ({ name, ints: values, type: 7 });
const int = (name: string, i: number): Attribute => ({ name, i, type: 2 });
const node = (opType: string, input: string[], ...attribute: Attribute[]): GraphNode => ({
  opType,
  input,
  output: ["made"],
  attribute,
});
const constant = (name: string, ...values: number[]): Initializer => ({
  name,
  dims: [values.length],
  dataType: 7,
  rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

/** The gate's reasons for a graph of these nodes that says its last value has this shape. */
function gate(
  nodes: readonly GraphNode[],
  shape: readonly (number | string)[],
  constants: readonly Initializer[] = [],
): string[] {
  const dimensions = [...shape];
  const contract = {
    ...CONTRACT,
    outputs: [{ name: "made", dtype: "F32" as const, dimensions }],
  };
  const bytes = encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "graph",
      node: [...nodes],
      initializer: [...constants],
      input: contract.inputs.map((each) => valueInfo(each.name, each.dtype, each.dimensions)),
      output: [valueInfo("made", "F32", dimensions)],
    },
  });
  return gateGraph(bytes, contract).map((reason) => reason.code);
}

const pool = (output: string[], ...attribute: Attribute[]): GraphNode => ({
  opType: "MaxPool",
  input: ["image"],
  output,
  attribute,
});
const TWO_BY_THREE = [ints("kernel_shape", 2, 3), ints("strides", 2, 3)];
const POOL = pool(["pooled", "places"], ...TWO_BY_THREE);
const unpool = (input: string[], ...attribute: Attribute[]) =>
  node("MaxUnpool", input, ...attribute);

test.each<[string, GraphNode[], (number | string)[], Initializer[]?]>([
  ["Conv", [node("Conv", ["image", "kernel"])], ["batch", 4, 6, 7]],
  ["Conv with bias", [node("Conv", ["image", "kernel", "bias"])], ["batch", 4, 6, 7]],
  [
    "Conv with padding",
    [node("Conv", ["image", "kernel"], ints("pads", 1, 2, 0, 1))],
    ["batch", 4, 7, 10],
  ],
  [
    "Conv with strides",
    [node("Conv", ["image", "kernel"], ints("strides", 2, 3))],
    ["batch", 4, 3, 3],
  ],
  [
    "Conv with holes",
    [node("Conv", ["image", "kernel"], ints("dilations", 3, 2))],
    ["batch", 4, 2, 5],
  ],
  [
    "ConvTranspose",
    [
      { ...node("Conv", ["image", "kernel"]), output: ["seen"] },
      node("ConvTranspose", ["seen", "kernel"]),
    ],
    ["batch", 3, 8, 9],
  ],
  [
    "ConvTranspose with strides, holes and padding",
    [
      { ...node("Conv", ["image", "kernel"]), output: ["seen"] },
      node(
        "ConvTranspose",
        ["seen", "kernel"],
        ints("strides", 2, 1),
        ints("dilations", 1, 2),
        ints("pads", 0, 1, 2, 1),
      ),
    ],
    ["batch", 3, 11, 9],
  ],
  ["MaxPool", [pool(["made"], ...TWO_BY_THREE)], ["batch", 3, 4, 3]],
  ["MaxPool that steps by one", [pool(["made"], ints("kernel_shape", 8, 2))], ["batch", 3, 1, 8]],
  ["MaxUnpool", [POOL, unpool(["pooled", "places"], ...TWO_BY_THREE)], ["batch", 3, 8, 9]],
  [
    "Reshape",
    [node("Reshape", ["image", "shape"])],
    ["batch", 9, 24],
    [constant("shape", 0, 9, -1)],
  ],
  [
    "Slice",
    [node("Slice", ["image", "start", "end", "axis"])],
    ["batch", 3, 8, 4],
    [constant("start", 5), constant("end", 9), constant("axis", -1)],
  ],
  ["Concat", [node("Concat", ["image", "image", "image"], int("axis", 2))], ["batch", 3, 24, 9]],
])("%s has the shape of the operator reference", (_what, nodes, shape, constants = []) => {
  expect(gate(nodes, shape, constants)).toEqual([]);
  expect(gate(nodes, [...shape.slice(0, -1), 99], constants)).toContain("graph-outputs-differ");
});

test.each<[string, GraphNode[], string, Initializer[]?]>([
  ["a kernel for other channels", [node("Conv", ["rows", "kernel"])], "shape-mismatch"],
  [
    "windows over three axes",
    [
      { ...node("Reshape", ["image", "shape"]), output: ["block"] },
      node("MaxPool", ["block"], ints("kernel_shape", 2, 2, 2)),
    ],
    "shape-mismatch",
    [constant("shape", 0, 1, 3, 8, 9)],
  ],
  [
    "windows over one axis",
    [
      { ...node("Reshape", ["image", "shape"]), output: ["line"] },
      node("MaxPool", ["line"], ints("kernel_shape", 2)),
    ],
    "shape-mismatch",
    [constant("shape", 0, 3, 72)],
  ],
  ["a kernel that is a matrix", [node("Conv", ["rows", "rows"])], "shape-mismatch"],
  ["a bias for other outputs", [node("Conv", ["image", "kernel", "rows"])], "shape-mismatch"],
  [
    "a kernel shape that is not the kernel's",
    [node("Conv", ["image", "kernel"], ints("kernel_shape", 3, 4))],
    "shape-mismatch",
  ],
  [
    "a stride of zero",
    [node("Conv", ["image", "kernel"], ints("strides", 1, 0))],
    "shape-mismatch",
  ],
  [
    "a stride below zero",
    [node("Conv", ["image", "kernel"], ints("strides", -1, 1))],
    "shape-mismatch",
  ],
  [
    "a vast stride",
    [node("Conv", ["image", "kernel"], ints("strides", 4097, 1))],
    "shape-mismatch",
  ],
  [
    "strides for one axis",
    [node("Conv", ["image", "kernel"], ints("strides", 2))],
    "shape-mismatch",
  ],
  [
    "a dilation of zero",
    [node("Conv", ["image", "kernel"], ints("dilations", 0, 1))],
    "shape-mismatch",
  ],
  [
    "a dilation past the image",
    [node("Conv", ["image", "kernel"], ints("dilations", 4, 1))],
    "shape-mismatch",
  ],
  [
    "padding below zero",
    [node("Conv", ["image", "kernel"], ints("pads", 0, 0, -1, 0))],
    "shape-mismatch",
  ],
  [
    "padding as wide as the window",
    [node("Conv", ["image", "kernel"], ints("pads", 0, 3, 0, 0))],
    "shape-mismatch",
  ],
  [
    "vast padding",
    [node("Conv", ["image", "kernel"], ints("pads", 0, 0, 0, 2 ** 40))],
    "shape-mismatch",
  ],
  [
    "padding for one axis",
    [node("Conv", ["image", "kernel"], ints("pads", 1, 1))],
    "shape-mismatch",
  ],
  ["groups", [node("Conv", ["image", "kernel"], int("group", 3))], "attribute-refused"],
  [
    "padding that the runtime works out",
    [
      node("Conv", ["image", "kernel"], {
        name: "auto_pad",
        s: new TextEncoder().encode("SAME_UPPER"),
        type: 3,
      }),
    ],
    "attribute-refused",
  ],
  [
    "an output shape of its own",
    [node("ConvTranspose", ["image", "kernel"], ints("output_shape", 2 ** 20, 2 ** 20))],
    "attribute-refused",
  ],
  [
    "output padding",
    [node("ConvTranspose", ["image", "kernel"], ints("output_padding", 1, 1))],
    "attribute-refused",
  ],
  [
    "a transpose for other channels",
    [node("ConvTranspose", ["image", "kernel"])],
    "shape-mismatch",
  ],
  [
    "a transpose that grows",
    [node("ConvTranspose", ["wide", "wideKernel"], ints("strides", 4096, 4096))],
    "value-too-large",
  ],
  ["columns that outgrow memory", [node("Conv", ["wide", "wideKernel"])], "value-too-large"],
  ["a pooling without a window", [pool(["made"])], "shape-mismatch"],
  [
    "a window larger than the image",
    [pool(["made"], ints("kernel_shape", 9, 1))],
    "shape-mismatch",
  ],
  [
    "a pooling that rounds up",
    [pool(["made"], ints("kernel_shape", 2, 2), int("ceil_mode", 1))],
    "attribute-refused",
  ],
  [
    "indices in another order",
    [pool(["made", "places"], ints("kernel_shape", 2, 2), int("storage_order", 1))],
    "attribute-refused",
  ],
  [
    "a third output",
    [pool(["made", "places", "more"], ints("kernel_shape", 2, 2))],
    "operand-refused",
  ],
  [
    "a second output of another operator",
    [{ ...node("Relu", ["image"]), output: ["made", "places"] }],
    "operand-refused",
  ],
  [
    "indices that no pooling made",
    [POOL, unpool(["pooled", "pooled"], ...TWO_BY_THREE)],
    "shape-mismatch",
  ],
  [
    "indices that were worked on",
    [
      POOL,
      { ...node("Neg", ["places"]), output: ["elsewhere"] },
      unpool(["pooled", "elsewhere"], ...TWO_BY_THREE),
    ],
    "shape-mismatch",
  ],
  [
    "indices from constants",
    [POOL, unpool(["pooled", "far"], ...TWO_BY_THREE)],
    "shape-mismatch",
    [constant("far", 2 ** 40)],
  ],
  [
    "indices of another window",
    [POOL, unpool(["pooled", "places"], ints("kernel_shape", 2, 2), ints("strides", 2, 3))],
    "shape-mismatch",
  ],
  [
    "indices of another stride",
    [POOL, unpool(["pooled", "places"], ints("kernel_shape", 2, 3), ints("strides", 2, 2))],
    "shape-mismatch",
  ],
  [
    "indices of windows that leave a rest",
    [
      pool(["pooled", "places"], ints("kernel_shape", 3, 3), ints("strides", 3, 3)),
      unpool(["pooled", "places"], ints("kernel_shape", 3, 3), ints("strides", 3, 3)),
    ],
    "shape-mismatch",
  ],
  [
    "values for other indices",
    [POOL, unpool(["image", "places"], ...TWO_BY_THREE)],
    "shape-mismatch",
  ],
  [
    "an output shape for indices",
    [POOL, unpool(["pooled", "places", "places"], ...TWO_BY_THREE)],
    "operand-refused",
  ],
  [
    "a shape that is computed",
    [{ ...node("Size", ["image"]), output: ["size"] }, node("Reshape", ["image", "size"])],
    "shape-mismatch",
  ],
  [
    "another number of elements",
    [node("Reshape", ["image", "shape"])],
    "shape-mismatch",
    [constant("shape", 0, 217)],
  ],
  [
    "two open axes",
    [node("Reshape", ["image", "shape"])],
    "shape-mismatch",
    [constant("shape", -1, -1)],
  ],
  [
    "a shape below minus one",
    [node("Reshape", ["image", "shape"])],
    "shape-mismatch",
    [constant("shape", -2, -108)],
  ],
  [
    "an axis kept that is not there",
    [node("Reshape", ["rows", "shape"])],
    "shape-mismatch",
    [constant("shape", 0, 0, 0)],
  ],
  [
    "a shape for the largest batch alone",
    [node("Reshape", ["rows", "shape"])],
    "shape-mismatch",
    [constant("shape", 6, 5)],
  ],
  [
    "a kernel as large as the batch, which would make the output larger for a smaller one",
    [
      { ...node("Reshape", ["rows", "shape"]), output: ["growing"] },
      node("Conv", ["wide", "growing"]),
    ],
    "shape-mismatch",
    [constant("shape", 1, 1, -1, 5)],
  ],
  [
    "a slice of examples that a small batch has not",
    [node("Slice", ["rows", "start", "end", "axis"])],
    "shape-mismatch",
    [constant("start", 0), constant("end", 2), constant("axis", 0)],
  ],
  [
    "a slice past the end",
    [node("Slice", ["rows", "start", "end", "axis"])],
    "shape-mismatch",
    [constant("start", 0), constant("end", 6), constant("axis", 1)],
  ],
  [
    "a slice from before the start",
    [node("Slice", ["rows", "start", "end", "axis"])],
    "shape-mismatch",
    [constant("start", -1), constant("end", 5), constant("axis", 1)],
  ],
  [
    "an empty slice",
    [node("Slice", ["rows", "start", "end", "axis"])],
    "shape-mismatch",
    [constant("start", 2), constant("end", 2), constant("axis", 1)],
  ],
  [
    "tensors that do not go together",
    [node("Concat", ["image", "kernel"], int("axis", 1))],
    "shape-mismatch",
  ],
  ["no axis to go along", [node("Concat", ["rows", "rows"])], "shape-mismatch"],
  ["a scatter", [node("ScatterElements", ["rows", "rows", "rows"])], "operator-not-allowed"],
  ["a gather", [node("Gather", ["rows", "rows"])], "operator-not-allowed"],
  ["a resize", [node("Resize", ["image"])], "operator-not-allowed"],
])("refuses %s", (_what, nodes, code, constants = []) => {
  expect(gate(nodes, ["batch"], constants)).toContain(code);
});

test("a step is refused for the work it is, though all its values are small", () => {
  const product = (output: string) => ({
    ...node("MatMul", ["square", "square"]),
    output: [output],
  });
  expect(4000 ** 3).toBeLessThan(MAX_STEP_WORK);
  expect(gate([product("one")], ["batch"])).toEqual(["graph-outputs-differ"]);
  expect(gate([product("one"), product("two")], ["batch"])).toContain("too-much-work");
});

test.each<[string, number, GraphNode]>([
  ["poolings of 256 numbers each", 4, node("MaxPool", ["wide"], ints("kernel_shape", 16, 16))],
  ["columns for a convolution", 7, node("Conv", ["wide", "small"], ints("pads", 5, 5, 5, 5))],
  [
    "columns that are put together again",
    7,
    node("ConvTranspose", ["wide", "small"], ints("dilations", 3, 3)),
  ],
  ["rows turned into columns", 33, node("Transpose", ["square"])],
  ["places of the largest", 33, node("ArgMax", ["square"], int("axis", 0), int("keepdims", 0))],
])("%s are counted as they were measured: %i fit, not one more", (_what, fitting, operator) => {
  const times = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ ...operator, output: [`made${index}`] }));
  expect(gate(times(fitting), ["batch"])).toEqual(["graph-outputs-differ"]);
  expect(gate(times(fitting + 1), ["batch"])).toContain("too-much-work");
});

test("the runtime's own memory is counted once, for it is given back", () => {
  const convolve = (output: string) => ({ ...node("Conv", ["wide", "small"]), output: [output] });
  // 121 columns of 2038 × 2038: most of 2^29 elements each time.
  const names = ["a", "b", "c", "d"];
  expect(gate(names.map(convolve), ["batch"])).toEqual(["graph-outputs-differ"]);
});

test("ten thousand operators on single numbers are no more work than a step may be", () => {
  const nodes = Array.from({ length: 10_000 }, (_, index) => ({
    ...node("Relu", ["bias"]),
    output: [`made${index}`],
  }));
  expect(gate(nodes, ["batch"])).toEqual(["graph-outputs-differ"]);
});
