import {
  ATTRIBUTE_TYPES,
  type Attribute,
  BATCH_AXIS,
  type Dimension,
  ELEMENT_TYPES,
  type ElementDtype,
  encodeModel,
  type GraphNode,
  type Initializer,
  type ValueInfo,
  valueInfo,
} from "../onnx-file.ts";
import type { OpType } from "../operators.ts";
import type { StateTensor } from "./layer-state.ts";

/** A value of the graph being written; only its own writer may use it. */
export type Value = { readonly name: string };

/** An attribute: `{float}` and `{int}` are kept apart because 1 is both. */
export type AttributeValue =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly ints: readonly number[] };

export type NodeOptions = {
  readonly attributes?: { readonly [name: string]: AttributeValue };
  /** Name of the result; unnamed results are numbered. */
  readonly name?: string;
};

/** Writes one graph, a node at a time, in the order of computation. */
export type GraphWriter = {
  /** An input without an example axis. */
  readonly input: (name: string, dtype: ElementDtype, dimensions: readonly number[]) => Value;
  /** An input with an example axis in front of `shape`. */
  readonly batchInput: (name: string, dtype: ElementDtype, shape: readonly number[]) => Value;
  readonly floats: (name: string, dimensions: readonly number[], data: readonly number[]) => Value;
  readonly ints: (name: string, dimensions: readonly number[], data: readonly number[]) => Value;
  readonly node: (opType: OpType, inputs: readonly Value[], options?: NodeOptions) => Value;
  /** A MaxPool that also gives the places of its maxima. */
  readonly maxPool: (input: Value, options: NodeOptions) => { output: Value; indices: Value };
  /** Makes a value, which a node gave, an output under its own name. */
  readonly output: (value: Value, dtype: ElementDtype, dimensions: readonly number[]) => void;
  /** Likewise, with an example axis in front of `shape`. */
  readonly batchOutput: (value: Value, dtype: ElementDtype, shape: readonly number[]) => void;
  /** The ONNX file. */
  readonly toBytes: () => Uint8Array;
};

const IR_VERSION = 8;
const OPSET_VERSION = 17;

/** Starts an empty graph. @param graphName  for people who look into the file */
export function createGraphWriter(graphName: string): GraphWriter {
  const nodes: GraphNode[] = [];
  const initializers: Initializer[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const addInput = (name: string, dtype: ElementDtype, dimensions: readonly Dimension[]): Value => {
    inputs.push(valueInfo(name, dtype, dimensions));
    return { name };
  };
  const addConstant = (initializer: Initializer & { name: string }): Value => {
    initializers.push(initializer);
    return { name: initializer.name };
  };
  const addNode = (
    opType: OpType,
    operands: readonly Value[],
    options: NodeOptions = {},
  ): Value => {
    const name = options.name ?? `value.${nodes.length}`;
    const attribute = Object.entries(options.attributes ?? {}).map(encodeAttribute);
    nodes.push({ opType, input: operands.map((each) => each.name), output: [name], attribute });
    return { name };
  };
  return {
    input: addInput,
    batchInput: (name, dtype, shape) => addInput(name, dtype, [BATCH_AXIS, ...shape]),
    floats: (name, dimensions, data) =>
      addConstant({
        name,
        dims: [...dimensions],
        dataType: ELEMENT_TYPES.F32.code,
        rawData: littleEndian(data.length, 4, (view, at, i) =>
          view.setFloat32(at, data[i] ?? 0, true),
        ),
      }),
    ints: (name, dimensions, data) =>
      addConstant({
        name,
        dims: [...dimensions],
        dataType: ELEMENT_TYPES.I64.code,
        rawData: littleEndian(data.length, 8, (view, at, i) =>
          view.setBigInt64(at, BigInt(data[i] ?? 0), true),
        ),
      }),
    node: (opType, operands, options) => addNode(opType, operands, options),
    maxPool: (input, options) => {
      const output = addNode("MaxPool", [input], options);
      const indices = `${output.name}.indices`;
      nodes.at(-1)?.output?.push(indices);
      return { output, indices: { name: indices } };
    },
    output: (value, dtype, dimensions) => outputs.push(valueInfo(value.name, dtype, dimensions)),
    batchOutput: (value, dtype, shape) =>
      outputs.push(valueInfo(value.name, dtype, [BATCH_AXIS, ...shape])),
    toBytes: () =>
      encodeModel({
        irVersion: IR_VERSION,
        producerName: "fedclave",
        graph: {
          name: graphName,
          node: nodes,
          initializer: initializers,
          input: inputs,
          output: outputs,
        },
        opsetImport: [{ domain: "", version: OPSET_VERSION }],
      }),
  };
}

/** The current values of a layer's weight and bias, as inputs. */
export function stateInputs(
  graph: GraphWriter,
  [weight, bias]: readonly [weight: StateTensor, bias: StateTensor],
): readonly [weight: Value, bias: Value] {
  const input = ({ name, shape }: StateTensor) => graph.input(name, "F32", shape);
  return [input(weight), input(bias)];
}

function encodeAttribute([name, value]: [string, AttributeValue]): Attribute {
  if ("float" in value) return { name, f: value.float, type: ATTRIBUTE_TYPES.FLOAT };
  if ("int" in value) return { name, i: value.int, type: ATTRIBUTE_TYPES.INT };
  return { name, ints: [...value.ints], type: ATTRIBUTE_TYPES.INTS };
}

function littleEndian(
  count: number,
  sizeBytes: number,
  put: (view: DataView, at: number, index: number) => void,
): Uint8Array {
  const bytes = new Uint8Array(count * sizeBytes);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < count; index++) put(view, index * sizeBytes, index);
  return bytes;
}
